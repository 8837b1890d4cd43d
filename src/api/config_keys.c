/* SPDX-License-Identifier: MIT */
/* Every key that a VM's document may have; docs/macrohard.vm-1.schema.json has the same ones. */
#include <stddef.h>

#include "api/config.h"

#define CPUS_MAX 64
#define NAME_BYTES 64
#define PATH_BYTES 4095
#define IFNAME_BYTES 15
#define CMDLINE_BYTES 2047
#define SERIAL_BYTES 20
#define TAG_BYTES 64
#define MOUNT_BYTES 1000
#define GDB_BYTES 112 /* "unix:" and the longest path */
#define VSOCK_PATH_BYTES 96
#define VNC_PATH_BYTES 80
#define VSOCK_CONNECTIONS 65536
#define CID_FIRST 3
#define CID_LAST 0xfffffffeu
#define DEVICES_MAX 31
#define FORWARDS_MAX 256
#define SLOT_MAX 31
#define MEMORY_LEAST (1ull << 20)
#define MEMORY_MOST (1ull << 46)

static const char *const schemas[] = { "macrohard.vm/1", NULL };
static const char *const engines[] = { [MH_ENGINE_SHIM] = "shim", [MH_ENGINE_KVM] = "kvm", NULL };
static const char *const consoles[] = {
	[MH_CONFIG_SERIAL] = "serial", [MH_CONFIG_VIRTIO] = "virtio", NULL
};
static const char *const firmwares[] = { MH_FIRMWARE_BIOS, NULL };
static const char *const formats[] = { "raw", "qcow2", NULL };
static const char *const kinds[] = {
	[MH_NET_USER] = "user", [MH_NET_TAP] = "tap", [MH_NET_FD] = "fd", NULL
};
static const char *const protocols[] = { "tcp", "udp", NULL };
static const char *const owners[] = {
	[MH_SHARE_SQUASH] = "squash", [MH_SHARE_MAPPED] = "mapped", [MH_SHARE_HOST] = "host", NULL
};

static const char *const share_types[] = {
	[MHI_CFG_9P] = "9p", [MHI_CFG_VIRTIOFS] = "virtiofs", NULL
};

static const char *const actions[] = { [MH_WATCHDOG_RESET] = "reset",
				       [MH_WATCHDOG_POWEROFF] = "poweroff",
				       [MH_WATCHDOG_PAUSE] = "pause",
				       [MH_WATCHDOG_NONE] = "none",
				       NULL };

static const char *const display_kinds[] = {
	[MHI_CFG_VIRTIO_GPU] = "virtio", [MHI_CFG_FRAMEBUFFER] = "framebuffer", NULL
};
static const char *const transports[] = {
	[MH_AGENT_VIRTIO] = "virtio", [MH_AGENT_SERIAL] = "serial", NULL
};
/* config_vm.c knows what they stand for. */
static const char *const clip_ways[] = { "both", "to-guest", "from-guest", "off", NULL };

#define KEY(n, k, field) .name = (n), .kind = (k), .at = (field)
#define NUMBER(n, field, from, to) KEY(n, MHI_CFG_NUMBER, field), .least = (from), .most = (to)
#define SIZE(n, field, from) KEY(n, MHI_CFG_SIZE, field), .least = (from), .most = MEMORY_MOST
#define TEXT(n, field, to) KEY(n, MHI_CFG_TEXT, field), .least = 1, .most = (to)
#define PATH(n, field, to) KEY(n, MHI_CFG_PATH, field), .least = 1, .most = (to)
#define FLAG(n, field, mask) KEY(n, MHI_CFG_FLAG, field), .bit = (mask)
#define CHOICE(n, field, list) KEY(n, MHI_CFG_CHOICE, field), .choices = (list)
#define END                  \
	{                    \
		.name = NULL \
	}

#define SLOT NUMBER("slot", offsetof(struct mhi_cfg_place, slot), 1, SLOT_MAX)

/* ---- devices ---- */

#define DISK(field) offsetof(struct mhi_cfg_disk, c.field)

static const struct mhi_cfg_key disk_keys[] = {
	{ PATH("path", DISK(path), PATH_BYTES), .required = true },
	{ KEY("format", MHI_CFG_WORD, DISK(format)), .choices = formats },
	{ TEXT("serial", DISK(serial), SERIAL_BYTES) },
	{ NUMBER("queues", DISK(queues), 1, 16) },
	{ FLAG("readonly", DISK(flags), MH_DISK_READONLY) },
	{ FLAG("direct", DISK(flags), MH_DISK_DIRECT) },
	{ FLAG("writethrough", DISK(flags), MH_DISK_WRITE_THROUGH) },
	{ FLAG("split", DISK(flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_disk disk_defaults = { .c = MH_DISK_CONFIG_INIT };
static const struct mhi_cfg_object disk = { disk_keys, sizeof(disk_defaults), &disk_defaults };

#define FORWARD(field) offsetof(struct mhi_cfg_forward, field)

static const struct mhi_cfg_key forward_keys[] = {
	{ CHOICE("protocol", FORWARD(udp), protocols) },
	{ KEY("host", MHI_CFG_IPV4, FORWARD(host)) },
	{ NUMBER("host_port", FORWARD(host_port), 1, UINT16_MAX), .required = true },
	{ KEY("guest", MHI_CFG_IPV4, FORWARD(guest)) },
	{ NUMBER("guest_port", FORWARD(guest_port), 1, UINT16_MAX), .required = true },
	END,
};

static const struct mhi_cfg_forward forward_defaults = { 0 };
static const struct mhi_cfg_object forward = { forward_keys, sizeof(forward_defaults),
					       &forward_defaults };

#define NET(field) offsetof(struct mhi_cfg_net, field)

static const struct mhi_cfg_key net_keys[] = {
	{ CHOICE("kind", NET(c.kind), kinds), .required = true },
	{ TEXT("tap", NET(c.name), IFNAME_BYTES) },
	{ KEY("fds", MHI_CFG_NUMBERS, NET(fds)), .least = 0, .most = MH_NET_QUEUES_MAX },
	{ NUMBER("queues", NET(c.queues), 1, MH_NET_QUEUES_MAX) },
	{ KEY("mac", MHI_CFG_MAC, NET(c.mac)) },
	{ NUMBER("mtu", NET(c.mtu), 68, 65535) },
	{ PATH("pcap", NET(c.pcap), PATH_BYTES) },
	{ KEY("forwards", MHI_CFG_LIST, NET(forwards)), .most = FORWARDS_MAX, .object = &forward },
	{ FLAG("restrict", NET(c.flags), MH_NET_RESTRICT) },
	{ FLAG("noloopback", NET(c.flags), MH_NET_NO_LOOPBACK) },
	{ FLAG("split", NET(c.flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_net net_defaults = { .c = MH_NET_CONFIG_INIT };
static const struct mhi_cfg_object net = { net_keys, sizeof(net_defaults), &net_defaults };

#define SHARE(field) offsetof(struct mhi_cfg_share, c.field)

static const struct mhi_cfg_key share_keys[] = {
	{ PATH("path", SHARE(path), PATH_BYTES), .required = true },
	{ TEXT("tag", SHARE(tag), TAG_BYTES), .required = true },
	{ CHOICE("type", offsetof(struct mhi_cfg_share, type), share_types) },
	{ FLAG("readonly", SHARE(readonly), 1) },
	{ CHOICE("owners", SHARE(owners), owners) },
	{ NUMBER("uid", SHARE(uid), 0, UINT32_MAX - 1) },
	{ NUMBER("gid", SHARE(gid), 0, UINT32_MAX - 1) },
	{ FLAG("split", SHARE(flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_share share_defaults = { .c = MH_SHARE_CONFIG_INIT };
static const struct mhi_cfg_object share = { share_keys, sizeof(share_defaults), &share_defaults };

static const struct mhi_cfg_key rng_keys[] = {
	{ FLAG("split", offsetof(struct mhi_cfg_rng, c.flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_rng rng_defaults = { .c = MH_RNG_CONFIG_INIT };
static const struct mhi_cfg_object rng = { rng_keys, sizeof(rng_defaults), &rng_defaults };

#define VSOCK(field) offsetof(struct mhi_cfg_vsock, field)

static const struct mhi_cfg_key vsock_keys[] = {
	{ NUMBER("cid", VSOCK(cid), CID_FIRST, CID_LAST), .required = true },
	{ PATH("path", VSOCK(c.path), VSOCK_PATH_BYTES) },
	{ NUMBER("connections", VSOCK(c.connections), 1, VSOCK_CONNECTIONS) },
	{ FLAG("split", VSOCK(c.flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_vsock vsock_defaults = { .c = MH_VSOCK_CONFIG_INIT };
static const struct mhi_cfg_object vsock = { vsock_keys, sizeof(vsock_defaults), &vsock_defaults };

#define BALLOON(field) offsetof(struct mhi_cfg_balloon, c.field)

static const struct mhi_cfg_key balloon_keys[] = {
	{ SIZE("bytes", BALLOON(bytes), 0) },
	{ FLAG("split", BALLOON(flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_balloon balloon_defaults = { .c = MH_BALLOON_CONFIG_INIT };
static const struct mhi_cfg_object balloon = { balloon_keys, sizeof(balloon_defaults),
					       &balloon_defaults };

static const struct mhi_cfg_key watchdog_keys[] = {
	{ CHOICE("action", offsetof(struct mhi_cfg_watchdog, c.action), actions) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_watchdog watchdog_defaults = { .c = MH_WATCHDOG_CONFIG_INIT };
static const struct mhi_cfg_object watchdog = { watchdog_keys, sizeof(watchdog_defaults),
						&watchdog_defaults };

#define INPUT(field) offsetof(struct mhi_cfg_input, c.field)

static const struct mhi_cfg_key input_keys[] = {
	{ FLAG("keyboard", INPUT(kinds), MH_INPUT_KEYBOARD) },
	{ FLAG("tablet", INPUT(kinds), MH_INPUT_TABLET) },
	{ FLAG("touch", INPUT(kinds), MH_INPUT_TOUCH) },
	{ FLAG("mouse", INPUT(kinds), MH_INPUT_MOUSE) },
	{ FLAG("ps2", INPUT(kinds), MH_INPUT_PS2) },
	{ FLAG("split", INPUT(flags), MH_VIRTIO_SPLIT) },
	END,
};

static const struct mhi_cfg_input input_defaults = { .c = MH_INPUT_CONFIG_INIT };
static const struct mhi_cfg_object input = { input_keys, sizeof(input_defaults), &input_defaults };

#define DISPLAY(field) offsetof(struct mhi_cfg_display, c.field)

static const struct mhi_cfg_key display_keys[] = {
	{ CHOICE("kind", offsetof(struct mhi_cfg_display, kind), display_kinds) },
	{ NUMBER("width", DISPLAY(width), MH_DISPLAY_SIDE_MIN, MH_DISPLAY_SIDE_MAX) },
	{ NUMBER("height", DISPLAY(height), MH_DISPLAY_SIDE_MIN, MH_DISPLAY_SIDE_MAX) },
	{ KEY("vram", MHI_CFG_SIZE, DISPLAY(vram_bytes)), .least = MH_DISPLAY_VRAM_MIN,
	  .most = MH_DISPLAY_VRAM_MAX },
	{ FLAG("split", DISPLAY(flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_display display_defaults = { .c = MH_GPU_CONFIG_INIT };
static const struct mhi_cfg_object display = { display_keys, sizeof(display_defaults),
					       &display_defaults };

#define AGENT(field) offsetof(struct mhi_cfg_agent, field)

static const struct mhi_cfg_key agent_keys[] = {
	{ CHOICE("transport", AGENT(c.transport), transports) },
	{ TEXT("mount", AGENT(c.mount), MOUNT_BYTES) },
	{ FLAG("nomount", AGENT(c.flags), MH_AGENT_NO_MOUNT) },
	{ FLAG("notime", AGENT(c.flags), MH_AGENT_NO_TIME) },
	{ CHOICE("clipboard", AGENT(ways), clip_ways) },
	{ FLAG("clipboard_text", AGENT(clip.kinds), MH_CLIP_TEXT) },
	{ FLAG("clipboard_html", AGENT(clip.kinds), MH_CLIP_HTML) },
	{ FLAG("clipboard_png", AGENT(clip.kinds), MH_CLIP_PNG) },
	{ FLAG("clipboard_files", AGENT(clip.kinds), MH_CLIP_FILES) },
	{ NUMBER("clipboard_bytes", AGENT(bytes), 1, 1u << 30) },
	{ FLAG("split", AGENT(c.flags), MH_VIRTIO_SPLIT) },
	{ SLOT },
	END,
};

static const struct mhi_cfg_agent agent_defaults = { .c = MH_AGENT_CONFIG_INIT,
						     .clip = MH_CLIP_POLICY_INIT };
static const struct mhi_cfg_object agent = { agent_keys, sizeof(agent_defaults), &agent_defaults };

#define DEVICES(field) offsetof(struct mhi_cfg_devices, field)

static const struct mhi_cfg_key devices_keys[] = {
	{ KEY("disks", MHI_CFG_LIST, DEVICES(disks)), .most = DEVICES_MAX, .object = &disk },
	{ KEY("nets", MHI_CFG_LIST, DEVICES(nets)), .most = DEVICES_MAX, .object = &net },
	{ KEY("shares", MHI_CFG_LIST, DEVICES(shares)), .most = DEVICES_MAX, .object = &share },
	{ KEY("rng", MHI_CFG_OPTION, DEVICES(rng)), .object = &rng },
	{ KEY("vsock", MHI_CFG_OPTION, DEVICES(vsock)), .object = &vsock },
	{ KEY("balloon", MHI_CFG_OPTION, DEVICES(balloon)), .object = &balloon },
	{ KEY("watchdog", MHI_CFG_OPTION, DEVICES(watchdog)), .object = &watchdog },
	{ KEY("input", MHI_CFG_OPTION, DEVICES(input)), .object = &input },
	{ KEY("display", MHI_CFG_OPTION, DEVICES(display)), .object = &display },
	{ KEY("agent", MHI_CFG_OPTION, DEVICES(agent)), .object = &agent },
	END,
};

const struct mhi_cfg_object mhi_cfg_devices = { devices_keys, 0, NULL };

/* ---- the machine ---- */

#define BOOT(field) offsetof(struct mh_boot_config, field)

static const struct mhi_cfg_key boot_keys[] = {
	{ PATH("kernel", BOOT(kernel), PATH_BYTES) },
	{ PATH("firmware", BOOT(firmware), PATH_BYTES), .choices = firmwares },
	{ PATH("initrd", BOOT(initrd), PATH_BYTES) },
	{ KEY("cmdline", MHI_CFG_TEXT, BOOT(cmdline)), .most = CMDLINE_BYTES },
	END,
};

static const struct mhi_cfg_object boot = { boot_keys, 0, NULL };

#define GDB(field) offsetof(struct mhi_cfg_gdb, field)

static const struct mhi_cfg_key gdb_keys[] = {
	{ TEXT("address", GDB(address), GDB_BYTES), .required = true },
	{ FLAG("wait", GDB(flags), MH_GDB_WAIT) },
	END,
};

static const struct mhi_cfg_object gdb = { gdb_keys, 0, NULL };

static const struct mhi_cfg_key vnc_keys[] = {
	{ PATH("path", offsetof(struct mhi_cfg_vnc, path), VNC_PATH_BYTES), .required = true },
	END,
};

static const struct mhi_cfg_object vnc = { vnc_keys, 0, NULL };

#define ROOT(field) offsetof(struct mh_config, field)

static const struct mhi_cfg_key root_keys[] = {
	{ CHOICE("schema", ROOT(schema), schemas), .required = true },
	{ TEXT("name", ROOT(vm.name), NAME_BYTES), .required = true },
	{ SIZE("memory", ROOT(vm.memory_bytes), MEMORY_LEAST), .required = true },
	{ NUMBER("cpus", ROOT(vm.cpus), 1, CPUS_MAX) },
	{ CHOICE("engine", ROOT(engine), engines) },
	{ CHOICE("console", ROOT(console), consoles) },
	{ FLAG("hyperv", ROOT(vm.flags), MH_VM_HYPERV) },
	{ NUMBER("tsc_khz", ROOT(tsc_khz), 1, UINT32_MAX) },
	{ FLAG("stop_on_reset", ROOT(vm.flags), MH_VM_STOP_ON_RESET) },
	{ KEY("gdb", MHI_CFG_OBJECT, ROOT(gdb)), .object = &gdb },
	{ KEY("vnc", MHI_CFG_OBJECT, ROOT(vnc)), .object = &vnc },
	{ KEY("boot", MHI_CFG_OBJECT, ROOT(boot)), .object = &boot },
	{ KEY("devices", MHI_CFG_OBJECT, ROOT(devices)), .object = &mhi_cfg_devices },
	END,
};

const struct mhi_cfg_object mhi_cfg_root = { root_keys, 0, NULL };
