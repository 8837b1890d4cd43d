/* SPDX-License-Identifier: MIT */
/* What no single key of a document can tell: things given twice, keys that do not go together. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/config.h"

#define SLOTS 32
#define DEVICES_MAX (SLOTS - 1)
#define VIRTIOFS_TAG 36u /* bytes */

static struct mhi_cfg_list *list_of(const struct mhi_cfg_at *at, const struct mhi_cfg_key *family)
{
	return (struct mhi_cfg_list *)((char *)&at->config->devices + family->at);
}

int mhi_cfg_each(struct mhi_cfg_at *at, mhi_cfg_device_fn *fn, void *opaque)
{
	const struct mhi_cfg_key *k;
	size_t root = mhi_cfg_enter(at, "devices");
	int rc = 0;

	for (k = mhi_cfg_devices.keys; k->name && !rc; k++) {
		struct mhi_cfg_list *list = list_of(at, k);
		size_t mark = mhi_cfg_enter(at, k->name);

		for (u32 n = 0; n < list->count && !rc; n++) {
			size_t item = strlen(at->path);

			if (k->kind == MHI_CFG_LIST)
				mhi_cfg_enter_item(at, n);
			rc = fn(at, k, (char *)list->items + n * k->object->bytes, opaque);
			if (!rc)
				mhi_cfg_leave(at, item);
		}
		if (!rc)
			mhi_cfg_leave(at, mark);
	}
	if (!rc)
		mhi_cfg_leave(at, root);
	return rc;
}

/* ---- slots ---- */

struct slots {
	char owner[SLOTS][MHI_CFG_PATH_BYTES]; /* "": free */
	unsigned int count;
};

/* How many slots it takes. */
static unsigned int cards(const struct mhi_cfg_at *at, const struct mhi_cfg_key *family,
			  const void *item)
{
	const struct mhi_cfg_input *input = item;
	const struct mhi_cfg_agent *agent = item;

	if (list_of(at, family) == &at->config->devices.agent)
		return agent->c.transport == MH_AGENT_VIRTIO;
	if (list_of(at, family) != &at->config->devices.input)
		return 1;
	return (unsigned int)__builtin_popcount(input->c.kinds & ~MH_INPUT_PS2);
}

static int check_slot(struct mhi_cfg_at *at, const struct mhi_cfg_key *family, void *item,
		      void *opaque)
{
	const struct mhi_cfg_place *place = item;
	struct slots *slots = opaque;
	char *owner = slots->owner[place->slot % SLOTS];

	slots->count += cards(at, family, item);
	if (!place->slot)
		return 0;
	if (owner[0]) {
		mhi_cfg_enter(at, "slot");
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "%u is the slot of %s, too; choose another, or leave it out",
				    place->slot, owner);
	}
	snprintf(owner, MHI_CFG_PATH_BYTES, "%s", at->path);
	return 0;
}

static int check_slots(struct mhi_cfg_at *at)
{
	struct slots slots = { .count = at->config->console == MH_CONFIG_VIRTIO };
	int rc = mhi_cfg_each(at, check_slot, &slots);

	if (rc || slots.count <= DEVICES_MAX)
		return rc;
	mhi_cfg_enter(at, "devices");
	return mhi_cfg_fail(at, MH_EFORMAT,
			    "%u devices, with a virtio console; the PCI bus has room for %u: "
			    "remove some",
			    slots.count, DEVICES_MAX);
}

/* ---- things given twice ---- */

/* A key whose text must be another one in each item of a list. */
struct unique {
	const char *list, *key;
	size_t list_at, item_bytes, at;
};

static const struct unique uniques[] = {
	{ "disks", "serial", offsetof(struct mhi_cfg_devices, disks), sizeof(struct mhi_cfg_disk),
	  offsetof(struct mhi_cfg_disk, c.serial) },
	{ "nets", "tap", offsetof(struct mhi_cfg_devices, nets), sizeof(struct mhi_cfg_net),
	  offsetof(struct mhi_cfg_net, c.name) },
	{ "shares", "tag", offsetof(struct mhi_cfg_devices, shares), sizeof(struct mhi_cfg_share),
	  offsetof(struct mhi_cfg_share, c.tag) },
};

static int fail_twice(struct mhi_cfg_at *at, const char *list, const char *key, u32 n, u32 first)
{
	mhi_cfg_enter(at, "devices");
	mhi_cfg_enter(at, list);
	mhi_cfg_enter_item(at, n);
	mhi_cfg_enter(at, key);
	return mhi_cfg_fail(at, MH_EFORMAT, "the same as /devices/%s/%u/%s; choose another", list,
			    first, key);
}

static int check_unique(struct mhi_cfg_at *at, const struct unique *u)
{
	const struct mhi_cfg_list *list =
		(const void *)((const char *)&at->config->devices + u->list_at);

	for (u32 n = 1; n < list->count; n++) {
		const char *items = list->items;
		const char *text = *(const char *const *)(items + n * u->item_bytes + u->at);

		for (u32 m = 0; text && m < n; m++) {
			const char *other =
				*(const char *const *)(items + m * u->item_bytes + u->at);

			if (other && !strcmp(text, other))
				return fail_twice(at, u->list, u->key, n, m);
		}
	}
	return 0;
}

/* Two that only read an image may share it. */
static int check_images(struct mhi_cfg_at *at)
{
	const struct mhi_cfg_list *list = &at->config->devices.disks;
	const struct mhi_cfg_disk *disk = list->items;

	for (u32 n = 1; n < list->count; n++)
		for (u32 m = 0; m < n; m++)
			if (!strcmp(disk[n].c.path, disk[m].c.path) &&
			    !(disk[n].c.flags & disk[m].c.flags & MH_DISK_READONLY))
				return fail_twice(at, "disks", "path", n, m);
	return 0;
}

static int check_macs(struct mhi_cfg_at *at)
{
	static const u8 none[6];
	const struct mhi_cfg_list *list = &at->config->devices.nets;
	const struct mhi_cfg_net *net = list->items;

	for (u32 n = 1; n < list->count; n++)
		for (u32 m = 0; m < n; m++)
			if (memcmp(net[n].c.mac, none, 6) && !memcmp(net[n].c.mac, net[m].c.mac, 6))
				return fail_twice(at, "nets", "mac", n, m);
	return 0;
}

/* ---- networks ---- */

static bool same_port(const struct mhi_cfg_forward *a, const struct mhi_cfg_forward *b)
{
	if (a->udp != b->udp || a->host_port != b->host_port)
		return false;
	return !a->host || !b->host || !strcmp(a->host, b->host);
}

/* Is a port of the host's forwarded before the one at net n, forward f? */
static const struct mhi_cfg_forward *find_forward(const struct mhi_cfg_list *nets, u32 n, u32 f)
{
	const struct mhi_cfg_net *net = nets->items;
	const struct mhi_cfg_forward *wanted = net[n].forwards.items, *other;

	for (u32 m = 0; m <= n; m++) {
		other = net[m].forwards.items;
		for (u32 g = 0; g < (m == n ? f : net[m].forwards.count); g++)
			if (same_port(&wanted[f], &other[g]))
				return &wanted[f];
	}
	return NULL;
}

static int check_forwards(struct mhi_cfg_at *at, u32 n)
{
	const struct mhi_cfg_list *nets = &at->config->devices.nets;
	const struct mhi_cfg_net *net = nets->items;

	for (u32 f = 0; f < net[n].forwards.count; f++) {
		const struct mhi_cfg_forward *forward = find_forward(nets, n, f);

		if (!forward)
			continue;
		mhi_cfg_enter(at, "forwards");
		mhi_cfg_enter_item(at, f);
		mhi_cfg_enter(at, "host_port");
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "%s port %u is forwarded already; choose another",
				    forward->udp ? "UDP" : "TCP", forward->host_port);
	}
	return 0;
}

#define KIND(kind) (1u << (kind))

static int check_net_keys(struct mhi_cfg_at *at, const struct mhi_cfg_net *net)
{
	const struct {
		const char *key;
		bool given;
		u32 kinds, required; /* KIND(...) */
		const char *whose;
	} keys[] = {
		{ "tap", net->c.name != NULL, KIND(MH_NET_TAP), KIND(MH_NET_TAP), "tap" },
		{ "fds", net->fds.count != 0, KIND(MH_NET_FD), KIND(MH_NET_FD), "fd" },
		{ "queues", net->c.queues != 0, KIND(MH_NET_TAP), 0, "tap" },
		{ "forwards", net->forwards.count != 0, KIND(MH_NET_USER), 0, "user" },
		{ "restrict", net->c.flags & MH_NET_RESTRICT, KIND(MH_NET_USER), 0, "user" },
		{ "noloopback", net->c.flags & MH_NET_NO_LOOPBACK, KIND(MH_NET_USER), 0, "user" },
	};

	for (size_t n = 0; n < sizeof(keys) / sizeof(keys[0]); n++) {
		if (keys[n].given && !(keys[n].kinds & KIND(net->c.kind))) {
			mhi_cfg_enter(at, keys[n].key);
			return mhi_cfg_fail(at, MH_EFORMAT,
					    "only a network of kind \"%s\" has it; remove it",
					    keys[n].whose);
		}
		if (!keys[n].given && (keys[n].required & KIND(net->c.kind))) {
			mhi_cfg_enter(at, keys[n].key);
			return mhi_cfg_fail(at, MH_EFORMAT,
					    "missing; a network of kind \"%s\" needs it",
					    keys[n].whose);
		}
	}
	return 0;
}

static int check_nets(struct mhi_cfg_at *at)
{
	const struct mhi_cfg_list *list = &at->config->devices.nets;
	const struct mhi_cfg_net *net = list->items;
	int rc = 0;

	for (u32 n = 0; n < list->count && !rc; n++) {
		size_t mark = mhi_cfg_enter(at, "devices");

		mhi_cfg_enter(at, "nets");
		mhi_cfg_enter_item(at, n);
		rc = check_net_keys(at, &net[n]);
		if (!rc)
			rc = check_forwards(at, n);
		if (!rc)
			mhi_cfg_leave(at, mark);
	}
	return rc;
}

static int check_shares(struct mhi_cfg_at *at)
{
	const struct mhi_cfg_list *list = &at->config->devices.shares;
	const struct mhi_cfg_share *share = list->items;

	for (u32 n = 0; n < list->count; n++) {
		if (share[n].type != MHI_CFG_VIRTIOFS || strlen(share[n].c.tag) <= VIRTIOFS_TAG)
			continue;
		mhi_cfg_enter(at, "devices");
		mhi_cfg_enter(at, "shares");
		mhi_cfg_enter_item(at, n);
		mhi_cfg_enter(at, "tag");
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "%zu bytes, and with type \"virtiofs\" there may be %u; "
				    "shorten it",
				    strlen(share[n].c.tag), VIRTIOFS_TAG);
	}
	return 0;
}

static int check_balloon(struct mhi_cfg_at *at)
{
	const struct mhi_cfg_list *list = &at->config->devices.balloon;
	const struct mhi_cfg_balloon *balloon = list->items;

	if (!list->count || balloon->c.bytes <= at->config->vm.memory_bytes)
		return 0;
	mhi_cfg_enter(at, "devices");
	mhi_cfg_enter(at, "balloon");
	mhi_cfg_enter(at, "bytes");
	return mhi_cfg_fail(at, MH_EFORMAT, "more than the %llu bytes of /memory; make it smaller",
			    (u64)at->config->vm.memory_bytes);
}

static int check_input(struct mhi_cfg_at *at)
{
	const struct mhi_cfg_list *list = &at->config->devices.input;
	const struct mhi_cfg_input *input = list->items;

	if (!list->count || input->c.kinds)
		return 0;
	mhi_cfg_enter(at, "devices");
	mhi_cfg_enter(at, "input");
	return mhi_cfg_fail(at, MH_EFORMAT, "all of its devices are off; remove it");
}

/* Whether it fits into the memory, attaching tells. */
static int check_display(struct mhi_cfg_at *at)
{
	const struct mhi_cfg_list *list = &at->config->devices.display;
	const struct mhi_cfg_display *display = list->items;

	if (!list->count || !display->c.width == !display->c.height)
		return 0;
	mhi_cfg_enter(at, "devices");
	mhi_cfg_enter(at, "display");
	mhi_cfg_enter(at, display->c.width ? "height" : "width");
	return mhi_cfg_fail(at, MH_EFORMAT,
			    "missing; a size is \"width\" and \"height\": give both, or none");
}

static int check_boot(struct mhi_cfg_at *at)
{
	const struct mh_boot_config *boot = &at->config->boot;

	mhi_cfg_enter(at, "boot");
	if (boot->kernel && boot->firmware) {
		mhi_cfg_enter(at, "firmware");
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "a VM boots a kernel or firmware, which finds its kernel on a "
				    "disk: remove one of them");
	}
	if (!boot->kernel && (boot->initrd || boot->cmdline)) {
		mhi_cfg_enter(at, "kernel");
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "missing; \"initrd\" and \"cmdline\" belong to a kernel: name "
				    "it, or remove them");
	}
	mhi_cfg_leave(at, 0);
	return 0;
}

int mhi_cfg_rules(const struct mh_config *config, struct mhi_err *err)
{
	struct mhi_cfg_at at = { .config = config, .err = err };
	int rc = check_slots(&at);

	for (size_t n = 0; n < sizeof(uniques) / sizeof(uniques[0]) && !rc; n++)
		rc = check_unique(&at, &uniques[n]);
	if (!rc)
		rc = check_images(&at);
	if (!rc)
		rc = check_macs(&at);
	if (!rc)
		rc = check_nets(&at);
	if (!rc)
		rc = check_shares(&at);
	if (!rc)
		rc = check_boot(&at);
	if (!rc)
		rc = check_balloon(&at);
	if (!rc)
		rc = check_display(&at);
	return rc ? rc : check_input(&at);
}
