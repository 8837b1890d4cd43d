/* SPDX-License-Identifier: MIT */
/*
 * intrude THREAD CALL: makes a system call in a thread of another process, as whoever had got hold
 * of that could, and says what came of it. By ptrace: the thread's next system call is replaced.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_INSN 0x050f
#define RED_ZONE 1024

static pid_t tid;
static struct user_regs_struct saved;
static uint64_t scratch; /* below its stack */

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(const void *data, size_t bytes)
{
	struct iovec from = { (void *)data, bytes }, to = { (void *)scratch, bytes };

	if (process_vm_writev(tid, &from, 1, &to, 1, 0) != (ssize_t)bytes)
		die("writing to its stack");
}

/* It stops after a step; false: it has gone. */
static bool step(void)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL))
		die("stepping");
	if (waitpid(tid, &status, __WALL) != tid)
		die("waiting");
	return WIFSTOPPED(status);
}

/* By the instruction "syscall" that it waits in. */
static long call(long number, long a, long b, long c)
{
	struct user_regs_struct regs = saved;

	regs.rip = saved.rip - 2;
	regs.rax = (uint64_t)number;
	regs.orig_rax = (uint64_t)-1; /* nothing is restarted */
	regs.rdi = (uint64_t)a;
	regs.rsi = (uint64_t)b;
	regs.rdx = (uint64_t)c;
	regs.r10 = 0;
	if (ptrace(PTRACE_SETREGS, tid, NULL, &regs))
		die("setting registers");
	if (!step()) {
		printf("gone\n");
		exit(0);
	}
	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs))
		die("reading registers");
	return (long)regs.rax;
}

static const char *opened(long rc)
{
	if (rc < 0)
		return rc == -EPERM || rc == -EACCES ? "refused" : strerror((int)-rc);
	call(SYS_close, rc, 0, 0);
	return "opened";
}

static const char *try_open(void)
{
	static const char path[] = "/etc/passwd";

	put(path, sizeof(path));
	return opened(call(SYS_openat, AT_FDCWD, (long)scratch, O_RDONLY));
}

static const char *try_create(void)
{
	static const char path[] = "/tmp/intruder";

	put(path, sizeof(path));
	return opened(call(SYS_openat, AT_FDCWD, (long)scratch, O_WRONLY | O_CREAT));
}

/* To a port where nobody listens: what counts is whether it may ask. */
static const char *try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	long fd = call(SYS_socket, AF_INET, SOCK_STREAM, 0), rc;

	if (fd < 0)
		return opened(fd);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	put(&to, sizeof(to));
	rc = call(SYS_connect, fd, (long)scratch, sizeof(to));
	call(SYS_close, fd, 0, 0);
	return rc == -EPERM || rc == -EACCES ? "refused" : "connected";
}

/* What an X server listens at, and whatever else this user's session has. */
static const char *try_unix(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/tmp/.X11-unix/X1" };
	long fd = call(SYS_socket, AF_UNIX, SOCK_STREAM, 0), rc;

	if (fd < 0)
		return opened(fd);
	put(&to, sizeof(to));
	rc = call(SYS_connect, fd, (long)scratch, sizeof(to));
	call(SYS_close, fd, 0, 0);
	return rc == -EPERM || rc == -EACCES ? "refused" : "connected";
}

/* Its stack as code. */
static const char *try_code(void)
{
	long rc = call(SYS_mprotect, (long)(scratch & ~4095ull), 4096,
		       PROT_READ | PROT_WRITE | PROT_EXEC);

	return rc == -EPERM || rc == -EACCES ? "refused" : rc ? strerror((int)-rc) : "executable";
}

static const char *try_exec(void)
{
	static const char path[] = "/bin/busybox";

	put(path, sizeof(path));
	return call(SYS_execve, (long)scratch, 0, 0) == -EPERM ? "refused" : "executed";
}

/* Interrupts it where it waits in a system call. */
static void attach(void)
{
	long insn;
	int status;

	for (unsigned int n = 0; n < 1000; n++) {
		if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) ||
		    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
		    waitpid(tid, &status, __WALL) != tid)
			die("attaching");
		if (ptrace(PTRACE_GETREGS, tid, NULL, &saved))
			die("reading registers");
		errno = 0;
		insn = ptrace(PTRACE_PEEKTEXT, tid, (void *)(saved.rip - 2), NULL);
		if (!errno && (insn & 0xffff) == SYSCALL_INSN)
			return;
		ptrace(PTRACE_DETACH, tid, NULL, NULL);
		usleep(1000);
	}
	die("finding it in a system call");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const char *(*run)(void);
	} tries[] = { { "open", try_open }, { "create", try_create }, { "connect", try_connect },
		      { "unix", try_unix }, { "code", try_code },     { "exec", try_exec } };
	const char *said = "no such call";

	if (argc != 3)
		return 2;
	tid = (pid_t)strtol(argv[1], NULL, 10);
	attach();
	scratch = (saved.rsp - RED_ZONE) & ~15ull;
	for (size_t n = 0; n < sizeof(tries) / sizeof(tries[0]); n++)
		if (!strcmp(argv[2], tries[n].name))
			said = tries[n].run();
	printf("%s\n", said);
	/* As if nothing had been: the call that was interrupted is made again. */
	if (ptrace(PTRACE_SETREGS, tid, NULL, &saved) || ptrace(PTRACE_DETACH, tid, NULL, NULL))
		die("detaching");
	return 0;
}
