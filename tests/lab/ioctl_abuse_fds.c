// SPDX-License-Identifier: MIT
/* File descriptors in wrong hands: duplicates, children, other processes, after exec. */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * What a process that is not the owner gets: it may kick and send interrupts, nothing else. Returns
 * the line of what went wrong, 0 for nothing.
 */
static int as_stranger(int vm, int vcpu)
{
	struct mhk_mem mem = { .size = sizeof(mem), .bytes = 4096 };
	struct mhk_tsc tsc = { .size = sizeof(tsc) };
	struct mhk_vcpu_create create = { .size = sizeof(create), .apic_id = 1 };
	struct mhk_doorbell bell = { .size = sizeof(bell) };
	struct mhk_get get = { .size = sizeof(get) };
	struct mhk_cpuid cpuid = { .size = sizeof(cpuid) };
	struct mhk_lapic lapic = { .size = sizeof(lapic), .offset = 0x20 };
	struct mhk_stats stats = { .size = sizeof(stats) };
	struct mhk_msi msi = { .size = sizeof(msi), .addr = 0xfee00000, .data = 0x31 };
	unsigned int before = failures;

	FAILS(EPERM, ioctl(vm, MHK_MEM, &mem));
	FAILS(EPERM, ioctl(vm, MHK_TSC, &tsc));
	FAILS(EPERM, ioctl(vm, MHK_VCPU_CREATE, &create));
	FAILS(EPERM, ioctl(vm, MHK_DOORBELL, &bell));
	FAILS(EPERM, ioctl(vcpu, MHK_RUN));
	FAILS(EPERM, lseek(vcpu, 0, SEEK_SET));
	FAILS(EPERM, ioctl(vcpu, MHK_GET, &get));
	FAILS(EPERM, ioctl(vcpu, MHK_CPUID, &cpuid));
	FAILS(EPERM, ioctl(vcpu, MHK_LAPIC, &lapic));
	FAILS(EPERM, ioctl(vcpu, MHK_STATS, &stats));
	/* Neither pointers nor sizes matter before that. */
	FAILS(EPERM, ioctl(vm, MHK_MEM, NULL));
	FAILS(EPERM, ioctl(vcpu, MHK_GET, NULL));
	WORKS(ioctl(vcpu, MHK_KICK));
	WORKS(ioctl(vm, MHK_MSI, &msi));
	fflush(stdout);
	return failures != before;
}

static void child_well(pid_t child)
{
	int status = 0;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK_VAL(WIFEXITED(status) && WEXITSTATUS(status) == 0, status);
}

/* ---- by a socket ---- */

static void send_fds(int to, int a, int b)
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} u = { .room = { 0 } };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = u.room,
			      .msg_controllen = sizeof(u.room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fds[2] = { a, b };

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	WORKS(sendmsg(to, &msg, 0));
}

static bool receive_fds(int from, int fds[2])
{
	char room[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8)));
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };

	if (recvmsg(from, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return false;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 2 * sizeof(int));
	return true;
}

/* Forked before there was a VM, so that it has nothing but what it is sent. */
static void receiver(int from)
{
	int fds[2], bad;
	char byte = 0;

	failures = 0;
	if (!receive_fds(from, fds))
		_exit(2);
	bad = as_stranger(fds[0], fds[1]);
	if (write(from, &byte, 1) != 1)
		_exit(3);
	/* The owner is gone when this read ends: the VM, without memory, is kept by us alone. */
	if (read(from, &byte, 1) != 0 || vms_alive() != 1)
		_exit(4);
	bad |= as_stranger(fds[0], fds[1]);
	close(fds[0]);
	if (vms_alive() != 1)
		_exit(5);
	close(fds[1]);
	if (vms_alive() != 0)
		_exit(6);
	_exit(bad);
}

/* A process that owns a VM, sends it away and dies in the midst of running it. */
static void owner(int to)
{
	struct runner r;
	struct box b;
	char byte;

	failures = 0;
	box_make(&b, &guest_count);
	runner_start(&r, &b);
	if (!box_progress(&b))
		_exit(2);
	send_fds(to, b.vm, b.vcpu);
	if (read(to, &byte, 1) != 1 || !box_progress(&b))
		_exit(3);
	_exit(failures != 0);
}

void test_passed_fds(void)
{
	pid_t child, parent;
	int pair[2];

	WORKS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(pair[0]);
		receiver(pair[1]);
	}
	close(pair[1]);
	parent = fork();
	if (parent == 0)
		owner(pair[0]);
	close(pair[0]);
	child_well(parent);
	child_well(child);
}

/* ---- dup, fork, exec ---- */

static void duplicates(void)
{
	struct runner r;
	struct box b;
	int vcpu, vm;

	box_make(&b, &guest_count);
	vcpu = dup(b.vcpu);
	vm = dup2(b.vm, 200);
	close(b.vcpu);
	close(b.vm);
	b.vcpu = vcpu;
	b.vm = vm;
	runner_start(&r, &b);
	CHECK(box_progress(&b));
	/* The last fd of the VM is closed in mid-run by somebody else: run ends by our kick. */
	close(vm);
	CHECK(box_progress(&b));
	runner_stop(&r);
	b.vm = -1;
	box_free(&b);
}

/* The number of a vCPU's fd means another vCPU by the time that it is used. */
static void reused_number(void)
{
	struct box a, b;

	box_make(&a, &guest_out);
	box_make(&b, &guest_count);
	WORKS(dup2(a.vcpu, b.vcpu));
	munmap(b.page, MHK_RUN_BYTES);
	b.page = mmap(NULL, MHK_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b.vcpu, 0);
	WORKS(-(errno = box_run(&b)));
	CHECK_VAL(a.page->exit.reason == MHK_EXIT_IO, a.page->exit.reason);
	box_free(&a);
	box_free(&b);
}

static void forks(void)
{
	struct runner r;
	struct box b;
	pid_t child;
	int i;

	box_make(&b, &guest_count);
	runner_start(&r, &b);
	for (i = 0; i < (quick ? 3 : 10); i++) {
		CHECK(box_progress(&b));
		fflush(stdout);
		child = fork();
		if (child == 0) {
			failures = 0;
			_exit(as_stranger(b.vm, b.vcpu));
		}
		CHECK(box_progress(&b));
		child_well(child);
	}
	runner_stop(&r);
	CHECK_VAL(r.error == 0, r.error);
	box_free(&b);
}

/* The parent goes away, the child stays with fds that it cannot use. */
static void orphan(void)
{
	pid_t child = fork();
	int pipe_fd[2];
	char byte = 1;

	if (child) {
		child_well(child);
		return;
	}
	failures = 0;
	if (pipe(pipe_fd))
		_exit(2);
	if (fork() == 0) {
		struct box b;

		box_make(&b, &guest_count);
		if (fork() == 0) {
			nap_ms(20); /* its parent has ended, or ends meanwhile */
			byte = (char)as_stranger(b.vm, b.vcpu);
			_exit(write(pipe_fd[1], &byte, 1) != 1);
		}
		_exit(0);
	}
	close(pipe_fd[1]);
	_exit(read(pipe_fd[0], &byte, 1) != 1 || byte);
}

int exec_child(int vm, int vcpu)
{
	return as_stranger(vm, vcpu);
}

/* A new program in the owner's process: its memory is another, so it is the owner no more. */
static void exec_with(bool keep)
{
	char vm[16], vcpu[16];
	struct box b;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child) {
		child_well(child);
		return;
	}
	box_make(&b, &guest_count);
	if (keep) {
		fcntl(b.vm, F_SETFD, 0);
		fcntl(b.vcpu, F_SETFD, 0);
	}
	snprintf(vm, sizeof(vm), "%d", b.vm);
	snprintf(vcpu, sizeof(vcpu), "%d", b.vcpu);
	if (keep)
		execl("/proc/self/exe", self, "exec-child", vm, vcpu, (char *)NULL);
	else
		execl("/bin/sh", "sh", "-c",
		      "test ! -e /proc/self/fd/$0 && test ! -e /proc/self/fd/$1", vm, vcpu,
		      (char *)NULL);
	_exit(99);
}

void test_fork_exec(void)
{
	duplicates();
	reused_number();
	forks();
	orphan();
	exec_with(true);
	exec_with(false);
}
