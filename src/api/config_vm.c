/* SPDX-License-Identifier: MIT */
/* The VM that a document describes, with its devices: by the public functions, in two rounds. */
#include <stddef.h>
#include <stdlib.h>

#include "api/config.h"
#include "api/impl.h"

/* Devices that have a slot of their own come first, so that no other one is in it. */
struct build {
	struct mhi_err *err;
	struct mh_vm *vm;
	struct mh_config_parts *parts;
	bool placed; /* this round is for those with a slot */
};

static int add_disk(struct build *b, const void *item, u32 slot)
{
	struct mh_disk_config c = ((const struct mhi_cfg_disk *)item)->c;

	c.flags |= slot;
	return mh_disk_attach(b->vm, &c, NULL);
}

static int add_net(struct build *b, const void *item, u32 slot)
{
	const struct mhi_cfg_net *net = item;
	const struct mhi_cfg_forward *from = net->forwards.items;
	struct mh_net_forward *to = calloc(net->forwards.count + 1, sizeof(*to));
	struct mh_net_config c = net->c;
	int rc;

	if (!to)
		return mhi_err_set(b->err, MH_ENOMEM, MHI_NO_MEMORY);
	for (u32 n = 0; n < net->forwards.count; n++)
		to[n] = (struct mh_net_forward){ from[n].udp, (u16)from[n].host_port,
						 (u16)from[n].guest_port, from[n].host,
						 from[n].guest };
	c.flags |= slot;
	c.forward = to;
	c.forwards = net->forwards.count;
	if (c.kind == MH_NET_FD) {
		c.fd = net->fds.items;
		c.queues = net->fds.count;
	}
	rc = mh_net_attach(b->vm, &c, NULL);
	free(to);
	return rc;
}

static int add_share(struct build *b, const void *item, u32 slot)
{
	const struct mhi_cfg_share *share = item;
	struct mh_share_config c = share->c;

	c.flags |= slot | (share->type == MHI_CFG_VIRTIOFS ? MH_SHARE_VIRTIOFS : 0);
	return mh_share_attach(b->vm, &c, NULL);
}

static int add_rng(struct build *b, const void *item, u32 slot)
{
	struct mh_rng_config c = ((const struct mhi_cfg_rng *)item)->c;

	c.flags |= slot;
	return mh_rng_attach(b->vm, &c, NULL);
}

static int add_vsock(struct build *b, const void *item, u32 slot)
{
	const struct mhi_cfg_vsock *vsock = item;
	struct mh_vsock_config c = vsock->c;

	c.flags |= slot;
	c.cid = vsock->cid;
	return mh_vsock_attach(b->vm, &c, &b->parts->vsock);
}

static int add_balloon(struct build *b, const void *item, u32 slot)
{
	struct mh_balloon_config c = ((const struct mhi_cfg_balloon *)item)->c;

	c.flags |= slot;
	return mh_balloon_attach(b->vm, &c, &b->parts->balloon);
}

static int add_watchdog(struct build *b, const void *item, u32 slot)
{
	struct mh_watchdog_config c = ((const struct mhi_cfg_watchdog *)item)->c;

	c.flags |= slot;
	return mh_watchdog_attach(b->vm, &c, NULL);
}

static int add_input(struct build *b, const void *item, u32 slot)
{
	struct mh_input_config c = ((const struct mhi_cfg_input *)item)->c;

	c.flags |= slot;
	return mh_input_attach(b->vm, &c, NULL);
}

static int add_display(struct build *b, const void *item, u32 slot)
{
	const struct mhi_cfg_display *display = item;
	struct mh_framebuffer_config plain = MH_FRAMEBUFFER_CONFIG_INIT;
	struct mh_gpu_config c = display->c;

	c.flags |= slot;
	if (display->kind == MHI_CFG_VIRTIO_GPU)
		return mh_gpu_attach(b->vm, &c, NULL);
	plain.flags = c.flags;
	plain.width = c.width;
	plain.height = c.height;
	plain.vram_bytes = c.vram_bytes;
	return mh_framebuffer_attach(b->vm, &plain, NULL);
}

static int add_agent(struct build *b, const void *item, u32 slot)
{
	static const u32 ways[] = { MH_CLIP_TO_GUEST | MH_CLIP_FROM_GUEST, MH_CLIP_TO_GUEST,
				    MH_CLIP_FROM_GUEST, 0 };
	const struct mhi_cfg_agent *agent = item;
	struct mh_clip_policy clip = agent->clip;
	struct mh_agent_config c = agent->c;

	clip.directions = ways[agent->ways];
	if (agent->bytes)
		clip.bytes = agent->bytes;
	c.flags |= slot;
	c.clipboard = &clip;
	return mh_agent_attach(b->vm, &c, NULL);
}

static const struct {
	size_t at;
	int (*add)(struct build *b, const void *item, u32 slot);
} families[] = {
	{ offsetof(struct mhi_cfg_devices, disks), add_disk },
	{ offsetof(struct mhi_cfg_devices, nets), add_net },
	{ offsetof(struct mhi_cfg_devices, shares), add_share },
	{ offsetof(struct mhi_cfg_devices, rng), add_rng },
	{ offsetof(struct mhi_cfg_devices, vsock), add_vsock },
	{ offsetof(struct mhi_cfg_devices, balloon), add_balloon },
	{ offsetof(struct mhi_cfg_devices, watchdog), add_watchdog },
	{ offsetof(struct mhi_cfg_devices, input), add_input },
	{ offsetof(struct mhi_cfg_devices, display), add_display },
	{ offsetof(struct mhi_cfg_devices, agent), add_agent },
};

static int add_device(struct mhi_cfg_at *at, const struct mhi_cfg_key *family, void *item,
		      void *opaque)
{
	const struct mhi_cfg_place *place = item;
	struct build *b = opaque;
	size_t n = 0;
	int rc;

	if ((place->slot != 0) != b->placed)
		return 0;
	while (families[n].at != family->at)
		n++;
	rc = families[n].add(b, item, MH_VIRTIO_SLOT(place->slot));
	if (rc)
		mhi_err_wrap(at->err, "%s: %s", at->config->source, at->path);
	return rc;
}

static int add_devices(struct mhi_cfg_at *at, struct build *b)
{
	int rc;

	b->placed = true;
	rc = mhi_cfg_each(at, add_device, b);
	b->placed = false;
	return rc ? rc : mhi_cfg_each(at, add_device, b);
}

static int add_console(struct mhi_cfg_at *at, struct build *b)
{
	struct mh_config_parts *parts = b->parts;
	struct mh_console_port port = { NULL, parts->output, parts->opaque };
	struct mh_console_config c = MH_CONSOLE_CONFIG_INIT;
	int rc;

	c.ports = 1;
	c.port = &port;
	if (at->config->console == MH_CONFIG_VIRTIO)
		rc = mh_console_attach(b->vm, &c, &parts->console);
	else
		rc = mh_serial_attach(b->vm, 0, parts->output, parts->opaque);
	if (rc)
		mhi_err_wrap(at->err, "%s: /console", at->config->source);
	return rc;
}

static int add_boot(struct mhi_cfg_at *at, struct build *b)
{
	struct mh_boot_config boot = at->config->boot;
	int rc;

	if (!boot.kernel && !boot.firmware)
		boot.firmware = MH_FIRMWARE_BIOS;
	rc = mh_vm_boot(b->vm, &boot);
	if (rc)
		mhi_err_wrap(at->err, "%s: /boot", at->config->source);
	return rc;
}

static int set_tsc(struct mhi_cfg_at *at, struct build *b)
{
	u32 khz = at->config->tsc_khz;
	int rc = khz ? mh_vm_set_tsc_khz(b->vm, khz) : 0;

	if (rc)
		mhi_err_wrap(at->err, "%s: /tsc_khz", at->config->source);
	return rc;
}

static int add_gdb(struct mhi_cfg_at *at, struct build *b)
{
	const struct mhi_cfg_gdb *gdb = &at->config->gdb;
	int rc = gdb->address ? mh_gdb_listen(b->vm, gdb->address, gdb->flags) : 0;

	if (rc)
		mhi_err_wrap(at->err, "%s: /gdb", at->config->source);
	return rc;
}

/* What makes the VM impossible before there is one. */
static int check(struct mh_ctx *ctx, struct mhi_cfg_at *at)
{
	const struct mh_config *config = at->config;
	bool kvm = mhi_ctx_engine_kind(ctx) == MH_ENGINE_KVM;

	if (kvm != (config->engine == MH_ENGINE_KVM)) {
		mhi_cfg_enter(at, "engine");
		return mhi_cfg_fail(at, MH_EINVAL,
				    "the context has the engine \"%s\"; make one that has the "
				    "document's",
				    kvm ? "kvm" : "shim");
	}
	if (!config->boot.kernel && !config->boot.firmware && !config->devices.disks.count) {
		mhi_cfg_enter(at, "boot");
		return mhi_cfg_fail(at, MH_EINVAL,
				    "missing, and there is no disk to boot from; give a disk, or "
				    "\"boot\" with a \"kernel\"");
	}
	return mh_config_check(ctx, config);
}

int mh_config_create(struct mh_ctx *ctx, const struct mh_config *config,
		     struct mh_config_parts *parts, struct mh_vm **out)
{
	struct mh_config_parts none = MH_CONFIG_PARTS_INIT, made;
	struct mhi_cfg_at at = { .config = config };
	struct build b = { .parts = &made };
	int rc;

	if (!ctx)
		return MH_EINVAL;
	at.err = mhi_ctx_err(ctx);
	b.err = at.err;
	if (!config || !out || (parts && parts->size != sizeof(*parts)))
		return mhi_err_set(at.err, MH_EINVAL,
				   "create a VM from a document: config or out is NULL, or "
				   "parts.size is not that of MH_CONFIG_PARTS_INIT");
	/* A VM that is made there could not be undone there. */
	if (mhi_ctx_on_loop(ctx))
		return mhi_err_set(at.err, MH_ESTATE,
				   "create a VM from a document: the call comes from a callback; "
				   "call it from another thread");
	made = parts ? *parts : none;
	made.console = made.vsock = made.balloon = NULL;
	rc = check(ctx, &at);
	if (!rc)
		rc = mh_vm_create(ctx, &config->vm, &b.vm);
	if (rc)
		return rc;
	rc = set_tsc(&at, &b);
	if (!rc)
		rc = add_boot(&at, &b);
	if (!rc)
		rc = add_devices(&at, &b);
	if (!rc)
		rc = add_console(&at, &b);
	if (!rc)
		rc = add_gdb(&at, &b);
	if (rc) {
		mh_vm_destroy(b.vm);
		return rc;
	}
	if (parts)
		*parts = made;
	*out = b.vm;
	return 0;
}
