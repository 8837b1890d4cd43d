// SPDX-License-Identifier: MIT
/* The GDB stub of a VM: its sockets, who comes and goes, and what that does to the VM. */
#include "api_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/gdb.h"

#define CODE 0x1000u
#define VEC_BP 3u

static char path[64], address[80];
static struct mh_vm *vm;

static int connect_to(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sa.sun_path, path, strlen(path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* One packet to the stub, and its answer's body. */
static const char *reply(int fd)
{
	static char text[4096];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	for (;;) {
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		if (recv(fd, text + n, 1, 0) != 1)
			return "gone";
		if (n == 0 && text[0] != '$')
			continue;
		n++;
		if (n > 3 && text[n - 3] == '#') {
			text[n - 3] = '\0';
			return text + 1;
		}
	}
}

static void send_packet(int fd, const char *body)
{
	char packet[256];
	unsigned int sum = 0;
	const char *c;

	for (c = body; *c; c++)
		sum += (unsigned char)*c;
	snprintf(packet, sizeof(packet), "$%s#%02x", body, sum & 0xff);
	ck_assert_int_eq(send(fd, packet, strlen(packet), MSG_NOSIGNAL), (int)strlen(packet));
}

static const char *ask(int fd, const char *body)
{
	send_packet(fd, body);
	return reply(fd);
}

static void wait_state(enum mh_vm_state state)
{
	int i;

	for (i = 0; i < 5000 && mh_vm_state(vm) != state; i++)
		usleep(1000);
	ck_assert_int_eq(mh_vm_state(vm), state);
}

/* vCPU 0 stops at CODE as at an INT3 once it is debugged; others halt. */
static int script(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	if (v->apic_id || !v->debug.on)
		return fake_exit_halt(v, page);
	page->state.rip = CODE;
	page->state.seg[MHK_CS].base = 0;
	page->exit.u.eoi.vector = VEC_BP;
	if (v->passed > 2)
		return fake_exit_halt(v, page);
	return fake_exit(page, MHK_EXIT_DEBUG);
}

static void set_up(void)
{
	api_set_up();
	snprintf(path, sizeof(path), "/tmp/gdb_stub.%d", (int)getpid());
	snprintf(address, sizeof(address), "unix:%s", path);
	unlink(path);
	vm = api_vm(2, MH_VM_BARE, 1 << 20);
	fake_engine.script = script;
}

static void tear_down(void)
{
	mh_vm_destroy(vm);
	ck_assert_int_ne(access(path, F_OK), 0);
	api_tear_down();
}

START_TEST(addresses)
{
	static const char *const bad[] = { "",
					   "unix:",
					   "tcp:",
					   "tcp:x",
					   "tcp:65536",
					   "tcp:192.0.2.1:1",
					   "tcp:0.0.0.0:0",
					   "tcp:[::]:0",
					   "tcp:127.0.0.1:",
					   "udp:1",
					   "unix:/nowhere/at/all" };
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(mh_gdb_listen(vm, bad[i], 0) == MH_EINVAL, "%s", bad[i]);
	ck_assert_int_eq(mh_gdb_listen(vm, NULL, 0), MH_EINVAL);
	ck_assert_int_eq(mh_gdb_listen(vm, address, 8), MH_EINVAL);
	ck_assert_int_eq(mh_gdb_unlisten(vm), MH_ENOENT);
	ck_assert_int_eq(mh_gdb_port(vm), MH_ENOENT);
	ck_assert_int_eq(mh_gdb_listen(vm, address, 0), 0);
	ck_assert(!stat(path, &st) && (st.st_mode & 0777) == 0600);
	ck_assert_int_eq(mh_gdb_listen(vm, "tcp:0", 0), MH_EEXIST);
	ck_assert_int_eq(mh_gdb_unlisten(vm), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(mh_gdb_listen(vm, "tcp:0", 0), 0);
	ck_assert_int_gt(mh_gdb_port(vm), 0);
	ck_assert_int_eq(mh_gdb_unlisten(vm), 0);
	/* What is in the way stays. */
	fclose(fopen(path, "w"));
	ck_assert_int_eq(mh_gdb_listen(vm, address, 0), MH_EBUSY);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(breakpoint)
{
	u8 code = 0x90, now;
	int fd;

	ck_assert_int_eq(mh_vm_mem_write(vm, CODE, &code, 1), 0);
	ck_assert_int_eq(mh_gdb_listen(vm, address, 0), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	fd = connect_to();
	ask(fd, "qSupported:swbreak+");
	ck_assert_str_eq(ask(fd, "?"), "T05thread:01;");
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_PAUSED);
	ck_assert_str_eq(ask(fd, "m1000,1"), "90");
	ck_assert_str_eq(ask(fd, "Z0,1000,1"), "OK");
	ck_assert_int_eq(mh_vm_mem_read(vm, CODE, &now, 1), 0);
	ck_assert_uint_eq(now, 0xcc);
	ck_assert_str_eq(ask(fd, "vCont;c"), "T05thread:01;swbreak:;");
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_PAUSED);
	/* Four registers, and what is wider than that is refused. */
	ck_assert_str_eq(ask(fd, "Z2,1003,8"), "OK");
	ck_assert_str_eq(ask(fd, "Z1,2000,1"), "E16");
	ck_assert_str_eq(ask(fd, "z2,1003,8"), "OK");
	ck_assert_str_eq(ask(fd, "Z1,2000,1"), "OK");
	/* Who goes takes it all away, and the guest goes on. */
	ck_assert_str_eq(ask(fd, "D"), "OK");
	ck_assert_str_eq(reply(fd), "gone");
	close(fd);
	wait_state(MH_VM_RUNNING);
	ck_assert_int_eq(mh_vm_mem_read(vm, CODE, &now, 1), 0);
	ck_assert_uint_eq(now, 0x90);
	ck_assert(!fake_engine.vcpu[0]->debug.on);
}
END_TEST

/* An INT3 of the guest's own goes to the guest. */
START_TEST(not_ours)
{
	int fd;

	ck_assert_int_eq(mh_gdb_listen(vm, address, 0), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	fd = connect_to();
	ask(fd, "?");
	send_packet(fd, "vCont;c");
	wait_state(MH_VM_RUNNING);
	while (__atomic_load_n(&fake_engine.vcpu[0]->passed, __ATOMIC_RELAXED) < 3)
		usleep(1000);
	/* Ctrl-C, and a pause that others make. */
	ck_assert_int_eq(send(fd, "\x03", 1, 0), 1);
	ck_assert_str_eq(reply(fd), "T02thread:01;");
	send_packet(fd, "vCont;c");
	wait_state(MH_VM_RUNNING);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_str_eq(reply(fd), "T02thread:01;");
	/* The end of the guest is told. */
	send_packet(fd, "vCont;c");
	wait_state(MH_VM_RUNNING);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	ck_assert_str_eq(reply(fd), "W00");
	close(fd);
}
END_TEST

START_TEST(waits)
{
	int fd;

	ck_assert_int_eq(mh_gdb_listen(vm, address, MH_GDB_WAIT), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_PAUSED);
	ck_assert_uint_eq(fake_engine.vcpu[0]->step, 0);
	fd = connect_to();
	ck_assert_str_eq(ask(fd, "p10"), "f0ff000000000000");
	ck_assert_str_eq(ask(fd, "P10=3412000000000000"), "OK");
	ck_assert_str_eq(ask(fd, "p10"), "3412000000000000");
	/* The peer is lost: as if it had left. */
	close(fd);
	wait_state(MH_VM_RUNNING);
	fd = connect_to();
	ck_assert_str_eq(ask(fd, "?"), "T05thread:01;");
	send_packet(fd, "k");
	ck_assert_str_eq(reply(fd), "gone");
	close(fd);
	wait_state(MH_VM_STOPPED);
}
END_TEST

/* With a debugger who is there, and does not read. */
START_TEST(ends_meanwhile)
{
	int fd, i;

	ck_assert_int_eq(mh_gdb_listen(vm, address, 0), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	fd = connect_to();
	for (i = 0; i < 2000; i++)
		if (send(fd, "$g#67$g#67$g#67$g#67", 20, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	ck_assert_int_eq(mh_gdb_unlisten(vm), 0);
	close(fd);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_RUNNING);
	ck_assert_int_eq(mh_gdb_listen(vm, address, 0), 0);
}
END_TEST

/*
 * Between reading a register and writing it, somebody resets the VM, and the engine's vCPU is
 * another one: the FPU's image was still that of the one that is gone.
 */
START_TEST(reset_meanwhile)
{
	const struct mhi_gdb_target *target = &mhi_gdb_vm_target;
	struct mhi_gdb_stub g = { .vm = vm };
	u8 fpu[MHK_FPU_BYTES];
	struct mhk_state s;

	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	fake_engine.vcpu[0]->fpu[100] = 7;
	ck_assert_int_eq(target->get(&g, 0, MHK_G_FPU, &s, fpu), 0);
	ck_assert_int_eq(mh_vm_reset(vm), 0);
	ck_assert_uint_eq(fake_engine.vcpu[0]->fpu[100], 0);
	ck_assert_uint_eq(fpu[100], 7);
	ck_assert_int_eq(target->set(&g, 0, MHK_G_FPU, &s, fpu), 0);
	ck_assert_uint_eq(fake_engine.vcpu[0]->fpu[100], 7);
	/* Whoever asks for other registers has no image. */
	ck_assert_int_eq(target->get(&g, 0, MHK_G_RIP, &s, NULL), 0);
	ck_assert_int_eq(target->set(&g, 0, MHK_G_RIP, &s, NULL), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, addresses);
	tcase_add_test(tcase, breakpoint);
	tcase_add_test(tcase, not_ours);
	tcase_add_test(tcase, waits);
	tcase_add_test(tcase, ends_meanwhile);
	tcase_add_test(tcase, reset_meanwhile);
}

UNIT_MAIN("gdb_stub", add_tests)
