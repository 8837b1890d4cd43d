// SPDX-License-Identifier: MIT
/* Failures of booting, of devices and of networks. */
#include "errors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- boot ---- */

static int boot(const char *kernel, const char *initrd, const char *cmdline)
{
	struct mh_boot_config config = MH_BOOT_CONFIG_INIT;

	config.kernel = kernel;
	config.initrd = initrd;
	config.cmdline = cmdline;
	return mh_vm_boot(vm, &config);
}

static int boot_nothing(void)
{
	return boot(NULL, NULL, NULL);
}

static int boot_gone(void)
{
	return boot("gone", NULL, NULL);
}

static int boot_forbidden(void)
{
	int rc;

	chmod(make_file("secret", "x", 1), 0);
	drop_rights(true);
	rc = boot("secret", NULL, NULL);
	drop_rights(false);
	return rc;
}

static int boot_text(void)
{
	char text[1024];

	memset(text, 'x', sizeof(text));
	return boot(make_file("text", text, sizeof(text)), NULL, NULL);
}

static int boot_empty(void)
{
	return boot(make_file("empty", NULL, 0), NULL, NULL);
}

static int boot_folder(void)
{
	return boot("/", NULL, NULL);
}

static int boot_packed(void)
{
	static const unsigned char gzip[1024] = { 0x1f, 0x8b, 8 };

	return boot(make_file("vmlinux.gz", gzip, sizeof(gzip)), NULL, NULL);
}

static int boot_cut(void)
{
	return boot(make_file("cut", "\177ELF\2\1\1", 7), NULL, NULL);
}

/* An ELF file of 64 bits, little-endian, for that machine. */
static const char *elf(unsigned char machine)
{
	unsigned char bytes[1024] = "\177ELF\2\1\1";

	bytes[16] = 2; /* e_type */
	bytes[18] = machine;
	return make_file("elf", bytes, sizeof(bytes));
}

static int boot_arm(void)
{
	return boot(elf(183), NULL, NULL);
}

static int boot_firmware(const char *path, const char *kernel)
{
	struct mh_boot_config config = MH_BOOT_CONFIG_INIT;

	config.kernel = kernel;
	config.firmware = path;
	return mh_vm_boot(vm, &config);
}

static int firmware_and_kernel(void)
{
	return boot_firmware("bios", "gone");
}

static int firmware_gone(void)
{
	return boot_firmware("gone", NULL);
}

static int firmware_short(void)
{
	return boot_firmware(make_file("short", "x", 1), NULL);
}

static int firmware_uefi(void)
{
	static char image[1 << 16];

	memcpy(image + 0x28, "_FVH", 4);
	return boot_firmware(make_file("OVMF.fd", image, sizeof(image)), NULL);
}

static int boot_bare(void)
{
	bare_vm(1u << 20);
	return boot("gone", NULL, NULL);
}

static const struct error_row boot_rows[] = {
	{ "no kernel is named", boot_nothing, MH_EINVAL, "boot configuration of VM \"web\"",
	  "config.kernel and config.firmware are NULL", "set one to a path", NULL },
	{ "a kernel and firmware", firmware_and_kernel, MH_EINVAL,
	  "boot configuration of VM \"web\"",
	  "config.kernel and config.firmware: it boots one of them",
	  "firmware finds its kernel on a disk", NULL },
	{ "the firmware is not there", firmware_gone, MH_ENOENT,
	  "boot configuration of VM \"web\": firmware gone",
	  "cannot be opened: No such file or directory", "check the path and its permissions",
	  NULL },
	{ "the firmware is cut off", firmware_short, MH_EFORMAT,
	  "boot configuration of VM \"web\": firmware short",
	  "1 bytes are no BIOS image: those have 64 KiB to 16 MiB, in whole pages",
	  "name another file", NULL },
	{ "the firmware is UEFI", firmware_uefi, MH_EFORMAT,
	  "boot configuration of VM \"web\": firmware OVMF.fd",
	  "is UEFI firmware (OVMF), which needs more of a machine than there is",
	  "use a BIOS (SeaBIOS)", NULL },
	{ "the kernel is not there", boot_gone, MH_ENOENT,
	  "boot configuration of VM \"web\": kernel gone",
	  "cannot be opened: No such file or directory", "check the path and its permissions",
	  NULL },
	{ "no right to read the kernel", boot_forbidden, MH_EPERM,
	  "boot configuration of VM \"web\": kernel secret", "cannot be opened: Permission denied",
	  "check the path and its permissions", NULL },
	{ "the kernel is a text", boot_text, MH_EFORMAT,
	  "boot configuration of VM \"web\": kernel text",
	  "neither a bzImage (\"HdrS\" at 0x202) nor an ELF file",
	  "name a Linux bzImage or vmlinux for x86-64, or a PVH kernel", NULL },
	{ "the kernel's file is empty", boot_empty, MH_EFORMAT,
	  "boot configuration of VM \"web\": kernel empty", "is empty", "name another file", NULL },
	{ "the kernel is a folder", boot_folder, MH_EFORMAT,
	  "boot configuration of VM \"web\": kernel /", "is not a regular file", "name a file",
	  NULL },
	{ "the kernel is compressed", boot_packed, MH_EFORMAT,
	  "boot configuration of VM \"web\": kernel vmlinux.gz",
	  "is compressed as a whole with gzip", "decompress it", NULL },
	{ "the kernel's file is cut short", boot_cut, MH_EFORMAT,
	  "boot configuration of VM \"web\": kernel cut", "7 bytes are too few for an ELF header",
	  "the file is truncated: copy it again", NULL },
	{ "the kernel is for another CPU", boot_arm, MH_EFORMAT,
	  "boot configuration of VM \"web\": kernel elf",
	  "an ELF file of class 2, data 1, machine 183, not for x86-64 (2, 1, 62)",
	  "use an x86-64 kernel", NULL },
	{ "a VM without a machine", boot_bare, MH_EINVAL, "boot configuration of VM \"bare\"",
	  "it is a bare VM (MH_VM_BARE), without the machine that kernels need",
	  "write memory and registers instead", NULL },
};
ERROR_GROUP(boot_errors, "Booting", NEEDS_VM, boot_rows);

/* ---- devices ---- */

static int disk(const char *path, uint32_t flags, const char *serial)
{
	struct mh_disk_config config = MH_DISK_CONFIG_INIT;

	config.path = path;
	config.flags = flags;
	config.serial = serial;
	return mh_disk_attach(vm, &config, NULL);
}

static int disk_of_nothing(void)
{
	return disk(NULL, 0, NULL);
}

static int disk_gone(void)
{
	return disk("gone.qcow2", 0, NULL);
}

static int disk_serial(void)
{
	return disk(make_image("disk.qcow2"), 0, "a serial number of too many bytes");
}

static int disk_flags(void)
{
	return disk(make_image("disk.qcow2"), 1u << 31, NULL);
}

static int disk_locked(void)
{
	lock_elsewhere(make_image("locked.qcow2"));
	return disk("locked.qcow2", 0, NULL);
}

static int disk_twice(void)
{
	if (disk(make_image("disk.qcow2"), 0, NULL))
		die(mh_last_error(ctx));
	return disk("disk.qcow2", 0, NULL);
}

static int slot_taken(void)
{
	struct mh_rng_config config = MH_RNG_CONFIG_INIT;

	config.flags = MH_VIRTIO_SLOT(5);
	if (mh_rng_attach(vm, &config, NULL))
		die(mh_last_error(ctx));
	return mh_rng_attach(vm, &config, NULL);
}

static int slots_used_up(void)
{
	int rc = 0;

	for (int n = 0; n < 40 && !rc; n++)
		rc = mh_rng_attach(vm, NULL, NULL);
	return rc;
}

static int device_of_bare(void)
{
	return mh_rng_attach(bare_vm(1u << 20), NULL, NULL);
}

static int share(const char *path, const char *tag, uint32_t owners)
{
	struct mh_share_config config = MH_SHARE_CONFIG_INIT;

	config.path = path;
	config.tag = tag;
	config.owners = owners;
	return mh_share_attach(vm, &config, NULL);
}

static int share_gone(void)
{
	return share("gone", "host", MH_SHARE_SQUASH);
}

static int share_file(void)
{
	return share(make_file("file", "x", 1), "host", MH_SHARE_SQUASH);
}

static int share_tag(void)
{
	return share("/tmp", "", MH_SHARE_SQUASH);
}

static int share_fs_ops(void)
{
	static const struct mh_p9_ops ops = { .version = 1 };
	struct mh_share_config config = MH_SHARE_CONFIG_INIT;

	config.ops = &ops;
	config.tag = "host";
	config.flags = MH_SHARE_VIRTIOFS;
	return mh_share_attach(vm, &config, NULL);
}

static int share_owners(void)
{
	return share("/tmp", "host", 9);
}

static int vsock(const char *path, uint64_t cid, struct mh_dev **dev)
{
	struct mh_vsock_config config = MH_VSOCK_CONFIG_INIT;

	config.path = path;
	config.cid = cid;
	return mh_vsock_attach(vm, &config, dev);
}

static int vsock_cid(void)
{
	return vsock(NULL, 2, NULL);
}

static int vsock_path(void)
{
	return vsock(make_file("taken", "x", 1), 3, NULL);
}

static int vsock_folder(void)
{
	return vsock("gone/socket", 3, NULL);
}

static int vsock_early(void)
{
	struct mh_dev *dev;

	if (vsock(NULL, 3, &dev))
		die(mh_last_error(ctx));
	return mh_vsock_connect(dev, 22, MH_VSOCK_STREAM);
}

static int balloon_too_large(void)
{
	struct mh_balloon_config config = MH_BALLOON_CONFIG_INIT;

	config.bytes = 1ull << 40;
	return mh_balloon_attach(vm, &config, NULL);
}

static int no_balloon(void)
{
	struct mh_dev *dev;

	if (mh_rng_attach(vm, NULL, &dev))
		die(mh_last_error(ctx));
	return mh_balloon_set(dev, 0);
}

static int input_attach(uint32_t kinds, uint32_t flags)
{
	struct mh_input_config config = MH_INPUT_CONFIG_INIT;

	config.kinds = kinds;
	config.flags = flags;
	return mh_input_attach(vm, &config, NULL);
}

static int input_kinds(void)
{
	return input_attach(64, 0);
}

static int input_slot(void)
{
	return input_attach(MH_INPUT_KEYBOARD | MH_INPUT_TABLET, MH_VIRTIO_SLOT(5));
}

static int input_twice(void)
{
	if (input_attach(MH_INPUT_KEYBOARD, 0))
		die(mh_last_error(ctx));
	return input_attach(MH_INPUT_KEYBOARD, 0);
}

static int input_ps2_twice(void)
{
	if (input_attach(MH_INPUT_PS2, 0))
		die(mh_last_error(ctx));
	return input_attach(MH_INPUT_PS2, 0);
}

static int key_unknown(void)
{
	return mh_input_key(vm, 777, 1);
}

static int key_early(void)
{
	return mh_input_key(vm, 30, 1);
}

static int pointer_outside(void)
{
	return mh_input_pointer(vm, 800, 0, 800, 600);
}

static int console_ports(void)
{
	struct mh_console_config config = MH_CONSOLE_CONFIG_INIT;

	return mh_console_attach(vm, &config, NULL);
}

static int watchdog(uint32_t action, uint32_t flags)
{
	struct mh_watchdog_config config = MH_WATCHDOG_CONFIG_INIT;

	config.action = action;
	config.flags = flags;
	return mh_watchdog_attach(vm, &config, NULL);
}

static int watchdog_action(void)
{
	return watchdog(77, 0);
}

static int watchdog_split(void)
{
	return watchdog(0, MH_VIRTIO_SPLIT);
}

static int serial_port(void)
{
	return mh_serial_attach(vm, 9, NULL, NULL);
}

static const struct error_row device_rows[] = {
	{ "a disk of nothing", disk_of_nothing, MH_EINVAL, "disk of VM \"web\"",
	  "config.path and config.ops are both NULL", "set one of them", NULL },
	{ "its image is not there", disk_gone, MH_ENOENT, "disk of VM \"web\": open 'gone.qcow2'",
	  "No such file or directory", "correct the path, or create it", NULL },
	{ "its serial number is too long", disk_serial, MH_EINVAL, "disk of VM \"web\"",
	  "config.serial has more than 20 bytes", "shorten it", NULL },
	{ "it has unknown flags", disk_flags, MH_EINVAL, "disk of VM \"web\"",
	  "config.flags has unknown bits 0x80000000", "use those that go with this device", NULL },
	{ "another process writes the image", disk_locked, MH_EBUSY,
	  "disk of VM \"web\": open 'locked.qcow2' for writing", "process * (*) has it open",
	  "stop that first", NULL },
	{ "the VM has the image already", disk_twice, MH_EBUSY,
	  "disk of VM \"web\": open 'disk.qcow2' for writing", "this program itself has it open",
	  "stop that first", NULL },
	{ "two devices in one slot", slot_taken, MH_EEXIST, "random numbers of VM \"web\"",
	  "PCI slot 5 has another device", "choose another slot", NULL },
	{ "more devices than slots", slots_used_up, MH_ERANGE, "random numbers of VM \"web\"",
	  "no PCI slot, or no addresses, are left: at most 31 devices", "detach one", NULL },
	{ "a device for a VM without a machine", device_of_bare, MH_EINVAL,
	  "random numbers of VM \"bare\"", "a bare VM (MH_VM_BARE) has no place for it",
	  "create the VM without that flag", NULL },
	{ "the shared folder is not there", share_gone, MH_ENOENT,
	  "shared folder of VM \"web\": open the shared folder gone", "No such file or directory",
	  "correct the path, or make the folder", NULL },
	{ "the shared folder is a file", share_file, MH_EINVAL,
	  "shared folder of VM \"web\": open the shared folder file", "Not a directory",
	  "name a folder", NULL },
	{ "it has no name for the guest", share_tag, MH_EINVAL, "shared folder of VM \"web\"",
	  "the tag has 0 bytes, not 1 to 64", "set config.tag to a name for the guest's mount",
	  NULL },
	{ "a 9P server of the program's by virtio-fs", share_fs_ops, MH_EINVAL,
	  "shared folder of VM \"web\"",
	  "config.ops answers 9P, and config.flags has MH_SHARE_VIRTIOFS", "leave one of them out",
	  NULL },
	{ "unknown owners", share_owners, MH_EINVAL, "shared folder of VM \"web\"",
	  "config.owners is 9", "use one of MH_SHARE_*", NULL },
	{ "an address that is the host's", vsock_cid, MH_EINVAL, "vsock of VM \"web\"",
	  "config.cid is 2, not 3 to 4294967294", "choose a number from there", NULL },
	{ "the socket's path is a file", vsock_path, MH_EEXIST, "vsock of VM \"web\"",
	  "there is a file \"taken\" already", "remove it if no VM uses it", NULL },
	{ "the socket's folder is not there", vsock_folder, MH_ENOENT, "vsock of VM \"web\"",
	  "there is no folder for \"gone/socket\"", "make it, or choose another path", NULL },
	{ "connecting before the guest has a driver", vsock_early, MH_ESTATE,
	  "vsock of VM \"web\": connect to port 22", "the guest's driver is not there (yet)",
	  "try again when the guest has booted", NULL },
	{ "a balloon larger than the memory", balloon_too_large, MH_EINVAL, "balloon of VM \"web\"",
	  "config.bytes is 1099511627776",
	  "it must be a multiple of 4096, and no more than the VM's memory", NULL },
	{ "another device in a balloon's place", no_balloon, MH_EINVAL, "balloon of VM \"web\"",
	  "the device is no balloon", "pass what mh_balloon_attach gave", NULL },
	{ "an unknown kind of input", input_kinds, MH_EINVAL, "keyboard of VM \"web\"",
	  "config.kinds is 0x40", "make it of MH_INPUT_KEYBOARD and the other kinds", NULL },
	{ "a slot for two devices", input_slot, MH_EINVAL, "keyboard of VM \"web\"",
	  "config.flags has a slot, and config.kinds several devices",
	  "give a slot to one virtio device at a time", NULL },
	{ "a second keyboard", input_twice, MH_EEXIST, "keyboard of VM \"web\"",
	  "the VM has one already, and takes one of them", "detach that", NULL },
	{ "a second PS/2 keyboard", input_ps2_twice, MH_EEXIST,
	  "PS/2 keyboard and mouse of VM \"web\"", "the VM has a PS/2 keyboard and mouse already",
	  "it takes one of them", NULL },
	{ "a key that there is not", key_unknown, MH_EINVAL, "input of VM \"web\"",
	  "the key's code is 777", "choose one from 1 to 248", NULL },
	{ "a key while the VM does not run", key_early, MH_ESTATE, "input of VM \"web\": key",
	  "the VM is not running", "start or resume it", NULL },
	{ "a pointer outside", pointer_outside, MH_EINVAL, "input of VM \"web\"",
	  "position 800,0 is not in an area of 800 by 600", "give one that is", NULL },
	{ "a console without ports", console_ports, MH_EINVAL, "console of VM \"web\"",
	  "config.ports is 0, not 1 to 16, or config.port is NULL", "describe the ports there",
	  NULL },
	{ "a watchdog that does the unknown", watchdog_action, MH_EINVAL, "watchdog of VM \"web\"",
	  "config.action is 77, not 0 to 3", "choose a number from there", NULL },
	{ "a watchdog with a flag of virtio's", watchdog_split, MH_EINVAL, "watchdog of VM \"web\"",
	  "MH_VIRTIO_SPLIT is for virtio devices", "leave it out", NULL },
	{ "a serial port that is not there", serial_port, MH_EINVAL, "serial port of VM \"web\"",
	  "there is no port 9", "choose one from 0 to 3", NULL },
};
ERROR_GROUP(device_errors, "Devices", NEEDS_VM, device_rows);

/* ---- networks ---- */

static struct mh_net_config net;

static void start_over(void)
{
	net = (struct mh_net_config)MH_NET_CONFIG_INIT;
}

static int net_kind(void)
{
	start_over();
	net.kind = 77;
	return mh_net_attach(vm, &net, NULL);
}

static int net_mac(void)
{
	start_over();
	net.mac[0] = 1;
	return mh_net_attach(vm, &net, NULL);
}

static int net_port_used(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct mh_net_forward forward = { .host = "127.0.0.1", .guest_port = 80 };
	socklen_t bytes = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), rc;

	if (bind(fd, (struct sockaddr *)&a, bytes) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&a, &bytes))
		return CANNOT;
	start_over();
	forward.host_port = ntohs(a.sin_port);
	net.forward = &forward;
	net.forwards = 1;
	rc = mh_net_attach(vm, &net, NULL);
	close(fd);
	return rc;
}

static int net_forward(void)
{
	struct mh_net_forward forward = { .host = "localhost", .host_port = 1, .guest_port = 1 };

	start_over();
	net.forward = &forward;
	net.forwards = 1;
	return mh_net_attach(vm, &net, NULL);
}

static int tap(const char *name, bool drop)
{
	int rc;

	start_over();
	net.kind = MH_NET_TAP;
	net.name = name;
	drop_rights(drop);
	rc = mh_net_attach(vm, &net, NULL);
	drop_rights(false);
	return rc;
}

static int tap_nameless(void)
{
	return tap(NULL, false);
}

static int tap_name(void)
{
	return tap("a name of too many bytes", false);
}

static int tap_forbidden(void)
{
	return tap("mhtap9", true);
}

static int net_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), rc;

	start_over();
	net.kind = MH_NET_FD;
	net.fd = &fd;
	rc = mh_net_attach(vm, &net, NULL);
	close(fd);
	return rc;
}

static int net_stream(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), rc;

	start_over();
	net.kind = MH_NET_FD;
	net.fd = &fd;
	rc = mh_net_attach(vm, &net, NULL);
	close(fd);
	return rc;
}

static int net_pcap(void)
{
	start_over();
	net.pcap = "gone/frames.pcap";
	return mh_net_attach(vm, &net, NULL);
}

static int take(void *opaque, const struct iovec *iov, uint32_t count)
{
	return 1;
}

static int frames(size_t bytes, unsigned int many)
{
	static const struct mh_net_ops ops = { 1, take, NULL };
	static const char frame[1500];
	struct mh_dev *dev;
	int rc = 0;

	start_over();
	net.kind = MH_NET_OPS;
	net.ops = &ops;
	if (mh_net_attach(vm, &net, &dev))
		die(mh_last_error(ctx));
	while (many-- && !rc)
		rc = mh_net_input(dev, frame, bytes);
	return rc;
}

static int frame_short(void)
{
	return frames(4, 1);
}

static int frames_wait(void)
{
	return frames(1500, 2000);
}

static const struct error_row net_rows[] = {
	{ "an unknown kind", net_kind, MH_EINVAL, "network card of VM \"web\"", "config.kind is 77",
	  "use one of MH_NET_USER, _TAP, _FD, _OPS", NULL },
	{ "the address of a group", net_mac, MH_EINVAL, "network card of VM \"web\"",
	  "config.mac is the address of a group: its first byte is odd", "make it even", NULL },
	{ "a port of the host is in use", net_port_used, MH_EBUSY,
	  "network card of VM \"web\": port forward",
	  "cannot listen on tcp 127.0.0.1:*: Address already in use", "choose another port", NULL },
	{ "a forward from a name", net_forward, MH_EINVAL, "network card of VM \"web\"",
	  "config.forward\\[0\\] has no port, or an address that is not IPv4's",
	  "write ports from 1 on, and addresses in numbers", NULL },
	{ "TAP without a name", tap_nameless, MH_EINVAL, "network card of VM \"web\"",
	  "config.name is NULL", "a TAP interface needs it", NULL },
	{ "TAP with a name that none can have", tap_name, MH_EINVAL, "network card of VM \"web\"",
	  "'a name of too many bytes' is no name of an interface", "write 1 to 15 bytes", NULL },
	{ "no right to make a TAP interface", tap_forbidden, MH_EPERM,
	  "network card of VM \"web\": TAP interface mhtap9", "no permission",
	  "as root: ip tuntap add mode tap user NAME name mhtap9", NULL },
	{ "a descriptor of another kind", net_fd, MH_EINVAL, "network card of VM \"web\"",
	  "file descriptor * is no TAP interface's",
	  "pass one of a TAP interface (IFF_TAP, IFF_NO_PI), or a socket", NULL },
	{ "a socket that joins frames", net_stream, MH_EINVAL, "network card of VM \"web\"",
	  "socket * does not keep frames apart", "use SOCK_DGRAM or SOCK_SEQPACKET", NULL },
	{ "the folder for the frames' file is not there", net_pcap, MH_ENOENT,
	  "network card of VM \"web\"",
	  "cannot write frames to 'gone/frames.pcap': No such file or directory",
	  "correct the path, or make the folder", NULL },
	{ "a frame too short", frame_short, MH_EINVAL, "frame for VM \"web\"",
	  "its length is 4, not 14 to 65597 bytes", "pass whole Ethernet frames", NULL },
	{ "more frames than can wait", frames_wait, MH_ENOSPC, "frame for VM \"web\"",
	  "too many wait for the guest", "send it again when the guest has taken some", NULL },
};
ERROR_GROUP(net_errors, "Networks", NEEDS_VM, net_rows);
