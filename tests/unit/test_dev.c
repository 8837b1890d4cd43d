// SPDX-License-Identifier: MIT
/* Devices by the public interface: attaching, what is refused, quiet while the VM does not run. */
#include "api_fixture.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/pci_dev.h"
#include "fake_image.h"

START_TEST(attach)
{
	struct mh_rng_config config = MH_RNG_CONFIG_INIT;
	struct mh_dev *dev = NULL, *other = NULL;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, NULL), 0);
	config.flags = MH_VIRTIO_SPLIT;
	ck_assert_int_eq(mh_rng_attach(vm, &config, &dev), 0);
	ck_assert_ptr_nonnull(dev);
	ck_assert_uint_eq(fake_machine.dev_count, 2);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1044);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_uint_eq(fake_machine.dev_count, 1);
	ck_assert_int_eq(mh_dev_detach(NULL), 0);
	/* Others of the machine's own. */
	config.size--;
	ck_assert_int_eq(mh_rng_attach(vm, &config, &other), MH_EINVAL);
	ck_error_has("config.size");
	config.size++;
	config.flags = 1u << 31;
	ck_assert_int_eq(mh_rng_attach(vm, &config, &other), MH_EINVAL);
	ck_error_has("0x80000000");
	fake_machine.add_error = MH_ERANGE;
	ck_assert_int_eq(mh_rng_attach(vm, NULL, &other), MH_ERANGE);
	ck_error_has("no slot");
	ck_error_has("random numbers of VM");
	ck_assert_ptr_null(other);
	ck_assert_int_eq(mh_rng_attach(NULL, NULL, &other), MH_EINVAL);
	/* Chosen slots. */
	fake_machine.add_error = 0;
	config.flags = MH_VIRTIO_SLOT(7);
	ck_assert_int_eq(mh_rng_attach(vm, &config, NULL), 0);
	ck_assert_uint_eq(fake_machine.devs[1]->want_slot, 7);
	ck_assert_int_eq(mh_rng_attach(vm, &config, NULL), MH_EEXIST);
	ck_error_has("slot 7");
	/* What is still attached goes with the VM. */
	mh_vm_destroy(vm);
	ck_assert_uint_eq(fake_machine.dev_count, 0);
	vm = api_vm(1, MH_VM_BARE, 1 << 20);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, NULL), MH_EINVAL);
	ck_error_has("bare");
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

START_TEST(networks)
{
	struct mh_net_config c = MH_NET_CONFIG_INIT;
	struct mh_dev *dev = NULL;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	ck_assert_int_eq(mh_net_attach(vm, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_net_attach(vm, &c, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1041);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

/* A link by descriptor: those of ours stay ours. */
START_TEST(network_links)
{
	struct mh_net_config c = MH_NET_CONFIG_INIT;
	struct mh_dev *dev = NULL;
	struct mh_vm *vm;
	int fd[2];

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	c.kind = MH_NET_FD;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	ck_error_has("config.fd");
	c.fd = fd;
	c.queues = 2;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	c.queues = 1;
	c.pcap = "/nowhere/at/all";
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_ENOENT);
	ck_error_has("network card of VM");
	c.pcap = NULL;
	ck_assert_int_eq(mh_net_attach(vm, &c, &dev), 0);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_int_eq(close(fd[0]), 0);
	ck_assert_int_eq(close(fd[1]), 0);
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

START_TEST(networks_that_cannot_be)
{
	const struct mh_net_forward forward = { 0, 1, 1, "127.0.0.1", NULL };
	struct mh_net_forward bad = forward;
	struct mh_net_config c = MH_NET_CONFIG_INIT;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	c.mac[0] = 1;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	ck_error_has("config.mac");
	c.mac[0] = 2;
	c.mtu = 67;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	c.mtu = 0;
	c.queues = 2;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	c.queues = 0;
	c.flags = 1u << 31;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	c.flags = 0;
	c.kind = MH_NET_TAP;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	c.name = "x";
	c.flags = MH_NET_RESTRICT;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	c.kind = MH_NET_USER;
	c.forwards = 1;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	c.forward = &bad;
	bad.guest = "10.0.2";
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	ck_error_has("config.forward[0]");
	bad = forward;
	bad.guest_port = 0;
	ck_assert_int_eq(mh_net_attach(vm, &c, NULL), MH_EINVAL);
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

START_TEST(shares)
{
	struct mh_share_config config = MH_SHARE_CONFIG_INIT;
	struct mh_dev *dev = NULL;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	config.path = "/tmp";
	config.tag = "tag";
	ck_assert_int_eq(mh_share_attach(vm, &config, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1049);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_int_eq(mh_share_attach(vm, NULL, NULL), MH_EINVAL);
	config.path = "/nowhere/at/all";
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_ENOENT);
	ck_error_has("/nowhere/at/all");
	config.path = "/etc/passwd";
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_EINVAL);
	config.path = NULL;
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_EINVAL);
	config.path = "/tmp";
	config.tag = "";
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("tag");
	config.tag = "tag";
	config.owners = MH_SHARE_HOST + 1;
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("config.owners");
	config.owners = MH_SHARE_HOST;
	config.readonly = 2;
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_EINVAL);
	config.readonly = 1;
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), 0);
	config.flags = MH_SHARE_VIRTIOFS;
	ck_assert_int_eq(mh_share_attach(vm, &config, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[1]->device, 0x105a);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	config.tag = "a-name-of-thirty-seven-bytes-it-is-37";
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("37 bytes, not 1 to 36");
	config.flags = 0;
	config.size--;
	ck_assert_int_eq(mh_share_attach(vm, &config, NULL), MH_EINVAL);
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

START_TEST(states)
{
	struct mh_dev *dev;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, &dev), 0);
	ck_assert(!fake_machine.running);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert(fake_machine.running);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, NULL), MH_ESTATE);
	ck_assert_int_eq(mh_dev_detach(dev), MH_ESTATE);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert(!fake_machine.running);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	ck_assert(fake_machine.running);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	ck_assert(!fake_machine.running);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

START_TEST(disks)
{
	struct mh_disk_config config = MH_DISK_CONFIG_INIT;
	struct mh_dev *dev;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(3, 0, 1 << 20);
	ck_assert_int_eq(mh_disk_attach(vm, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_disk_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("config.path");
	config.path = "image";
	config.queues = 17;
	ck_assert_int_eq(mh_disk_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("config.queues is 17");
	config.queues = 0;
	config.serial = "a serial number too long";
	ck_assert_int_eq(mh_disk_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("config.serial");
	config.serial = "exactly twenty bytes";
	config.flags = 1u << 5;
	ck_assert_int_eq(mh_disk_attach(vm, &config, NULL), MH_EINVAL);
	config.flags = MH_DISK_READONLY | MH_VIRTIO_SPLIT;
	fake_image.error = MH_EBUSY;
	ck_assert_int_eq(mh_disk_attach(vm, &config, NULL), MH_EBUSY);
	ck_error_has("disk of VM");
	ck_error_has("no image image");
	fake_image.error = 0;
	ck_assert_uint_eq(fake_image.open, 0);
	ck_assert_int_eq(mh_disk_attach(vm, &config, &dev), 0);
	ck_assert_uint_eq(fake_image.open, 1);
	ck_assert_uint_eq(fake_image.flags, 1);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1042);
	/* One for each vCPU, and one for changes of the configuration. */
	ck_assert_uint_eq(fake_machine.devs[0]->msix_vectors, 4);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_uint_eq(fake_image.open, 0);
	/* The image is closed when there is no slot. */
	fake_machine.add_error = MH_ERANGE;
	ck_assert_int_eq(mh_disk_attach(vm, &config, &dev), MH_ERANGE);
	ck_assert_uint_eq(fake_image.open, 0);
	fake_machine.add_error = 0;
	ck_assert_int_eq(mh_disk_attach(vm, &config, NULL), 0);
	mh_vm_destroy(vm);
	ck_assert_uint_eq(fake_image.open, 0);
	api_tear_down();
}
END_TEST

START_TEST(balloons)
{
	struct mh_balloon_config config = MH_BALLOON_CONFIG_INIT;
	struct mh_balloon_stats stats = MH_BALLOON_STATS_INIT;
	struct mh_dev *dev, *rng;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	ck_assert_int_eq(mh_balloon_attach(NULL, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_balloon_attach(vm, NULL, NULL), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1045);
	config.bytes = 2 << 20;
	ck_assert_int_eq(mh_balloon_attach(vm, &config, &dev), MH_EINVAL);
	ck_error_has("config.bytes is 2097152");
	config.bytes = 65536;
	config.flags = 1u << 31;
	ck_assert_int_eq(mh_balloon_attach(vm, &config, &dev), MH_EINVAL);
	config.flags = MH_VIRTIO_SPLIT;
	ck_assert_int_eq(mh_balloon_attach(vm, &config, &dev), 0);
	ck_assert_int_eq(mh_balloon_stats(dev, &stats), 0);
	ck_assert_uint_eq(stats.size, sizeof(stats));
	ck_assert_uint_eq(stats.target_bytes, 65536);
	ck_assert_uint_eq(stats.actual_bytes, 0);
	ck_assert_uint_eq(stats.free_bytes, UINT64_MAX);
	ck_assert_int_eq(mh_balloon_set(dev, 1 << 20), 0);
	ck_assert_int_eq(mh_balloon_set(dev, 4097), MH_EINVAL);
	ck_error_has("bytes is 4097");
	ck_assert_int_eq(mh_balloon_stats(dev, &stats), 0);
	ck_assert_uint_eq(stats.target_bytes, 1 << 20);
	stats.size = 8;
	ck_assert_int_eq(mh_balloon_stats(dev, &stats), MH_EINVAL);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, &rng), 0);
	ck_assert_int_eq(mh_balloon_set(rng, 0), MH_EINVAL);
	ck_error_has("no balloon");
	ck_assert_int_eq(mh_balloon_set(NULL, 0), MH_EINVAL);
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

START_TEST(vsocks)
{
	struct mh_vsock_config config = MH_VSOCK_CONFIG_INIT;
	struct mh_dev *dev, *rng;
	struct mh_vm *vm;
	char path[64];

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	snprintf(path, sizeof(path), "/tmp/dev-vsock-%d", (int)getpid());
	ck_assert_int_eq(mh_vsock_attach(vm, NULL, NULL), MH_EINVAL);
	config.path = path;
	ck_assert_int_eq(mh_vsock_attach(vm, &config, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1053);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(mh_vsock_attach(vm, &config, NULL), MH_EEXIST);
	ck_error_has("vsock of VM");
	ck_error_has(path);
	config.path = "/nowhere/at/all";
	ck_assert_int_eq(mh_vsock_attach(vm, &config, NULL), MH_ENOENT);
	config.path = "";
	ck_assert_int_eq(mh_vsock_attach(vm, &config, NULL), MH_EINVAL);
	config.path = NULL;
	config.cid = 2;
	ck_assert_int_eq(mh_vsock_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("config.cid is 2");
	config.cid = 1ull << 32;
	ck_assert_int_eq(mh_vsock_attach(vm, &config, NULL), MH_EINVAL);
	config.cid = 3;
	config.connections = 65537;
	ck_assert_int_eq(mh_vsock_attach(vm, &config, NULL), MH_EINVAL);
	/* There is no driver yet. */
	ck_assert_int_eq(mh_vsock_connect(dev, 1, MH_VSOCK_STREAM), MH_ESTATE);
	ck_error_has("connect to port 1");
	ck_assert_int_eq(mh_vsock_connect(dev, 1, 3), MH_EINVAL);
	ck_assert_int_eq(mh_vsock_cut(dev, 0), 0);
	ck_assert_int_eq(mh_vsock_cut(dev, 1), MH_EINVAL);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, &rng), 0);
	ck_assert_int_eq(mh_vsock_connect(rng, 1, MH_VSOCK_STREAM), MH_EINVAL);
	ck_error_has("no vsock");
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, attach);
	tcase_add_test(tcase, networks);
	tcase_add_test(tcase, network_links);
	tcase_add_test(tcase, networks_that_cannot_be);
	tcase_add_test(tcase, shares);
	tcase_add_test(tcase, states);
	tcase_add_test(tcase, disks);
	tcase_add_test(tcase, balloons);
	tcase_add_test(tcase, vsocks);
}

UNIT_MAIN("dev", add_tests)
