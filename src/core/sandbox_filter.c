/* SPDX-License-Identifier: MIT */
/*
 * Filters of system calls, by libseccomp: what each kind of thread may call, and what nobody may.
 * All but the last list what is let pass; the rest fails with EPERM, as no file of libc or libslirp
 * can be trusted to need nothing else ever. What only an attacker calls kills the process.
 */
#include "core/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "macrohard/error.h"

#define NAMES_MAX 64

#define CALL(name) SCMP_SYS(name)

/* Calls with any arguments; 0 ends them, as read(2) is in another place. */
struct calls {
	u32 kinds; /* 1 << enum mhi_box_kind */
	int call[NAMES_MAX];
};

#define KIND(name) (1u << MHI_BOX_##name)
#define KIND_EACH (KIND(ALL) - 1)
#define KIND_SOCKETS (KIND(LOOP) | KIND(SERVER) | KIND(CALLER))
#define KIND_FILES (KIND(DISK) | KIND(SHARE) | KIND(CALLER) | KIND(LOOP))

static const struct calls passes[] = {
	/* Threads, memory, time, and what is open already. */
	{ KIND_EACH,
	  { CALL(write),
	    CALL(futex),
	    CALL(close),
	    CALL(readv),
	    CALL(writev),
	    CALL(pread64),
	    CALL(pwrite64),
	    CALL(lseek),
	    CALL(fstat),
	    CALL(newfstatat),
	    CALL(stat),
	    CALL(munmap),
	    CALL(mremap),
	    CALL(madvise),
	    CALL(brk),
	    CALL(rt_sigprocmask),
	    CALL(rt_sigreturn),
	    CALL(rt_sigaction),
	    CALL(rt_sigpending),
	    CALL(rt_sigtimedwait),
	    CALL(sigaltstack),
	    CALL(restart_syscall),
	    CALL(clock_gettime),
	    CALL(clock_getres),
	    CALL(clock_nanosleep),
	    CALL(nanosleep),
	    CALL(gettimeofday),
	    CALL(time),
	    CALL(getpid),
	    CALL(gettid),
	    CALL(exit),
	    CALL(exit_group),
	    CALL(sched_yield),
	    CALL(set_robust_list),
	    CALL(rseq),
	    CALL(getrandom),
	    CALL(poll),
	    CALL(ppoll),
	    CALL(epoll_wait),
	    CALL(epoll_pwait),
	    CALL(epoll_ctl),
	    CALL(epoll_create1),
	    CALL(eventfd2),
	    CALL(membarrier),
	    CALL(uname),
	    CALL(sysinfo),
	    CALL(get_robust_list),
	    CALL(dup),
	    CALL(sched_getaffinity) } },
	{ KIND_SOCKETS,
	  { CALL(accept), CALL(accept4), CALL(recvfrom), CALL(recvmsg), CALL(sendmsg),
	    CALL(shutdown), CALL(getsockopt), CALL(setsockopt), CALL(getsockname),
	    CALL(getpeername), CALL(recvmmsg), CALL(sendmmsg) } },
	{ KIND_FILES,
	  { CALL(preadv), CALL(pwritev), CALL(preadv2), CALL(pwritev2), CALL(fsync),
	    CALL(fdatasync), CALL(fallocate), CALL(ftruncate), CALL(sync_file_range) } },
	{ KIND(SHARE), { CALL(statx),	     CALL(chmod),     CALL(truncate),	CALL(mkdirat),
			 CALL(mknodat),	     CALL(symlinkat), CALL(linkat),	CALL(renameat),
			 CALL(renameat2),    CALL(unlinkat),  CALL(readlinkat), CALL(utimensat),
			 CALL(fchmod),	     CALL(fchmodat),  CALL(fchown),	CALL(fchownat),
			 CALL(getdents64),   CALL(getxattr),  CALL(setxattr),	CALL(listxattr),
			 CALL(removexattr),  CALL(fgetxattr), CALL(fsetxattr),	CALL(flistxattr),
			 CALL(fremovexattr), CALL(statfs),    CALL(fstatfs),	CALL(umask),
			 CALL(flock),	     CALL(getuid),    CALL(geteuid),	CALL(getgid),
			 CALL(getegid),	     CALL(getgroups), CALL(faccessat),	CALL(openat),
			 CALL(openat2),	     CALL(access) } },
	/* The host's clock may jump, of which agents' guests are told. */
	{ KIND(LOOP) | KIND(CALLER), { CALL(timerfd_create), CALL(timerfd_settime) } },
	{ KIND(CALLER),
	  { CALL(dup2),	  CALL(dup3),	      CALL(pipe2),     CALL(select),	CALL(pselect6),
	    CALL(getuid), CALL(geteuid),      CALL(getgid),    CALL(getegid),	CALL(getppid),
	    CALL(umask),  CALL(memfd_create), CALL(signalfd4), CALL(wait4),	CALL(waitid),
	    CALL(getcwd), CALL(fstatfs),      CALL(fchmod),    CALL(getrusage), CALL(times),
	    CALL(alarm),  CALL(pause),	      CALL(statx) } },
};

static const int opens[] = { CALL(open),       CALL(openat),	CALL(openat2),	  CALL(creat),
			     CALL(access),     CALL(faccessat), CALL(faccessat2), CALL(readlink),
			     CALL(readlinkat), CALL(lstat),	CALL(getdents64), CALL(unlink),
			     CALL(unlinkat),   CALL(rename),	CALL(renameat),	  CALL(renameat2),
			     CALL(mkdir),      CALL(mkdirat),	CALL(chmod),	  CALL(fchmodat),
			     CALL(rmdir),      CALL(link),	CALL(linkat) };
static const int connects[] = { CALL(socket), CALL(connect), CALL(bind),
				CALL(listen), CALL(sendto),  CALL(socketpair) };

/* Nobody's, ever; these kill. */
static const int kills[] = {
	CALL(execve),	    CALL(execveat),	 CALL(process_vm_readv), CALL(process_vm_writev),
	CALL(bpf),	    CALL(kexec_load),	 CALL(kexec_file_load),	 CALL(init_module),
	CALL(finit_module), CALL(delete_module), CALL(reboot),		 CALL(pidfd_getfd)
};
/* Nobody's either; programs try them at times. */
static const int refuses[] = { CALL(mount),
			       CALL(umount2),
			       CALL(pivot_root),
			       CALL(chroot),
			       CALL(open_tree),
			       CALL(move_mount),
			       CALL(fsopen),
			       CALL(fsconfig),
			       CALL(fsmount),
			       CALL(fspick),
			       CALL(mount_setattr),
			       CALL(add_key),
			       CALL(request_key),
			       CALL(keyctl),
			       CALL(userfaultfd),
			       CALL(io_uring_setup),
			       CALL(io_uring_enter),
			       CALL(io_uring_register),
			       CALL(perf_event_open),
			       CALL(setns),
			       CALL(unshare),
			       CALL(personality),
			       CALL(open_by_handle_at),
			       CALL(kcmp),
			       CALL(fanotify_init),
			       CALL(iopl),
			       CALL(ioperm),
			       CALL(modify_ldt),
			       CALL(swapon),
			       CALL(swapoff),
			       CALL(acct),
			       CALL(quotactl),
			       CALL(syslog),
			       CALL(settimeofday),
			       CALL(clock_settime),
			       CALL(clock_adjtime),
			       CALL(adjtimex),
			       CALL(sethostname),
			       CALL(setdomainname),
			       CALL(vhangup),
			       CALL(nfsservctl),
			       CALL(move_pages),
			       CALL(migrate_pages),
			       CALL(setuid),
			       CALL(setgid),
			       CALL(setreuid),
			       CALL(setregid),
			       CALL(setresuid),
			       CALL(setresgid),
			       CALL(setgroups),
			       CALL(fork),
			       CALL(vfork) };

/* Requests of ioctl(2) whose second byte is one of these are the module's, or KVM's. */
static const unsigned int engines[] = { 'm', 0xae };

/* Single requests: what blocks, tap interfaces, sockets and terminals have. */
static const struct {
	u32 kinds;
	unsigned int request;
} requests[] = {
	{ KIND(DISK) | KIND(LOOP), 0x1277 /* BLKDISCARD */ },
	{ KIND(DISK) | KIND(LOOP), 0x127f /* BLKZEROOUT */ },
	{ KIND(LOOP), 0x400454d0 /* TUNSETOFFLOAD */ },
	{ KIND(LOOP), 0x400454d9 /* TUNSETQUEUE */ },
	{ KIND_SOCKETS, 0x5421 /* FIONBIO */ },
	{ KIND_SOCKETS, 0x541b /* FIONREAD */ },
	{ KIND(CALLER), 0x5401 /* TCGETS */ },
	{ KIND(CALLER), 0x5402 /* TCSETS */ },
	{ KIND(CALLER), 0x5403 /* TCSETSW */ },
	{ KIND(CALLER), 0x5404 /* TCSETSF */ },
	{ KIND(CALLER), 0x5413 /* TIOCGWINSZ */ },
};

/* fcntl(2): no signals to others (F_SETOWN), no leases. */
static const int controls[] = {
	F_GETFD,	 F_SETFD,     F_GETFL,	   F_SETFL,	F_DUPFD,
	F_DUPFD_CLOEXEC, F_OFD_SETLK, F_OFD_GETLK, F_ADD_SEALS, F_GET_SEALS
};

/* ---- rules: 0, or a negative errno ---- */

/* Those that x86-64 has not have negative numbers. */
static int list(scmp_filter_ctx ctx, u32 action, const int *call, size_t count)
{
	int rc = 0;

	for (size_t n = 0; n < count && !rc; n++)
		if (call[n] >= 0)
			rc = seccomp_rule_add(ctx, action, call[n], 0);
	return rc;
}

/* A call whose argument, as far as the mask has bits, is value. */
static int masked(scmp_filter_ctx ctx, u32 action, int call, unsigned int arg, u64 mask, u64 value)
{
	const struct scmp_arg_cmp cmp = SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value);

	return seccomp_rule_add_array(ctx, action, call, 1, &cmp);
}

static int pass_lists(scmp_filter_ctx ctx, enum mhi_box_kind kind)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(read), 0);

	for (size_t n = 0; n < MHI_COUNT(passes) && !rc; n++) {
		size_t count = 0;

		while (count < NAMES_MAX && passes[n].call[count])
			count++;
		if (passes[n].kinds & 1u << kind)
			rc = list(ctx, SCMP_ACT_ALLOW, passes[n].call, count);
	}
	return rc;
}

static int pass_requests(scmp_filter_ctx ctx, enum mhi_box_kind kind)
{
	int rc = 0;

	for (size_t n = 0; n < MHI_COUNT(engines) && !rc; n++)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1, 0xff00, engines[n] << 8);
	for (size_t n = 0; n < MHI_COUNT(requests) && !rc; n++)
		if (requests[n].kinds & 1u << kind)
			rc = masked(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1, UINT_MAX,
				    requests[n].request);
	for (size_t n = 0; n < MHI_COUNT(controls) && !rc; n++)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(fcntl), 1, UINT_MAX,
			    (unsigned int)controls[n]);
	return rc;
}

/* Memory that is written is never executed; new threads are, new processes are not. */
static int pass_memory(scmp_filter_ctx ctx, bool code)
{
	const u64 exec = code ? 0 : PROT_EXEC;
	int rc = masked(ctx, SCMP_ACT_ALLOW, CALL(mmap), 2, exec, 0);

	if (!rc)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(mprotect), 2, exec, 0);
	if (!rc)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(clone), 0, CLONE_THREAD, CLONE_THREAD);
	/* Its flags are in memory: the C library then uses clone. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
	if (!rc)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(prctl), 0, UINT_MAX, PR_SET_NAME);
	/* Anonymous memory is named by newer C libraries. */
	if (!rc)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(prctl), 0, UINT_MAX, 0x53564d41);
	/* Signals within the process. */
	return rc ? rc
		  : masked(ctx, SCMP_ACT_ALLOW, CALL(tgkill), 0, UINT_MAX, (unsigned int)getpid());
}

/* sendto and socketpair can name a receiver, if nothing is said of it. */
static int pass_sockets(scmp_filter_ctx ctx)
{
	int rc = masked(ctx, SCMP_ACT_ALLOW, CALL(sendto), 4, UINT64_MAX, 0);

	if (!rc)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(socketpair), 1, 0xf, SOCK_STREAM);
	return rc ? rc : masked(ctx, SCMP_ACT_ALLOW, CALL(socketpair), 1, 0xf, SOCK_SEQPACKET);
}

/* The user network: its connections, and its look at the host's resolv.conf. */
static int pass_inet(scmp_filter_ctx ctx)
{
	static const int calls[] = { CALL(connect), CALL(bind), CALL(listen), CALL(sendto) };
	static const int families[] = { AF_INET, AF_INET6 };
	int rc = 0;

	for (size_t n = 0; n < MHI_COUNT(families) && !rc; n++)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(socket), 0, UINT_MAX,
			    (unsigned int)families[n]);
	if (!rc)
		rc = list(ctx, SCMP_ACT_ALLOW, calls, MHI_COUNT(calls));
	return rc ? rc
		  : masked(ctx, SCMP_ACT_ALLOW, CALL(openat), 2,
			   O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_DIRECTORY, O_RDONLY);
}

static int pass_unix(scmp_filter_ctx ctx)
{
	int rc = masked(ctx, SCMP_ACT_ALLOW, CALL(socket), 0, UINT_MAX, AF_UNIX);

	return rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(connect), 0);
}

/* Its new threads give up more. */
static int pass_confining(scmp_filter_ctx ctx)
{
	static const int calls[] = { CALL(seccomp), CALL(landlock_restrict_self), CALL(capget),
				     CALL(capset) };
	static const int options[] = { PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_CAP_AMBIENT };
	int rc = list(ctx, SCMP_ACT_ALLOW, calls, MHI_COUNT(calls));

	for (size_t n = 0; n < MHI_COUNT(options) && !rc; n++)
		rc = masked(ctx, SCMP_ACT_ALLOW, CALL(prctl), 0, UINT_MAX,
			    (unsigned int)options[n]);
	return rc;
}

static int add_needs(scmp_filter_ctx ctx, enum mhi_box_kind kind, const struct mhi_box_needs *needs)
{
	int rc = kind == MHI_BOX_CALLER ? pass_confining(ctx) : 0;

	if (!rc && kind == MHI_BOX_LOOP && needs->inet)
		rc = pass_inet(ctx);
	if (!rc && kind == MHI_BOX_LOOP && needs->unix_sockets)
		rc = pass_unix(ctx);
	if (!rc && kind == MHI_BOX_CALLER && needs->caller_opens)
		rc = list(ctx, SCMP_ACT_ALLOW, opens, MHI_COUNT(opens));
	if (!rc && kind == MHI_BOX_CALLER && needs->caller_connects)
		rc = list(ctx, SCMP_ACT_ALLOW, connects, MHI_COUNT(connects));
	return rc;
}

static int add_passes(scmp_filter_ctx ctx, enum mhi_box_kind kind,
		      const struct mhi_box_needs *needs)
{
	size_t count;
	const int *extra = mhi_box_extra_calls(kind, &count);
	int rc = pass_lists(ctx, kind);

	if (!rc)
		rc = pass_requests(ctx, kind);
	if (!rc)
		rc = pass_memory(ctx, kind == MHI_BOX_CALLER && needs->caller_codes);
	if (!rc && KIND_SOCKETS & 1u << kind)
		rc = pass_sockets(ctx);
	if (!rc)
		rc = add_needs(ctx, kind, needs);
	return rc ? rc : list(ctx, SCMP_ACT_ALLOW, extra, count);
}

static int add_refusals(scmp_filter_ctx ctx, enum mhi_box_kind kind)
{
	int rc = list(ctx, SCMP_ACT_KILL_PROCESS, kills, MHI_COUNT(kills));

	if (!rc && !mhi_box_extra_trace())
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, CALL(ptrace), 0);
	if (rc || kind != MHI_BOX_ALL)
		return rc;
	rc = list(ctx, SCMP_ACT_ERRNO(EPERM), refuses, MHI_COUNT(refuses));
	if (rc || mhi_box_extra_trace())
		return rc;
	rc = masked(ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone), 0, CLONE_THREAD, 0);
	return rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

/* ---- programs ---- */

/* libseccomp writes it to a descriptor. */
static int export(scmp_filter_ctx ctx, struct mhi_box_filter *out)
{
	const size_t insn = 8; /* struct sock_filter */
	int fd = memfd_create("filter", MFD_CLOEXEC), rc = MH_ENOMEM;
	struct stat st;

	if (fd < 0)
		return rc;
	if (seccomp_export_bpf(ctx, fd) || fstat(fd, &st) || !st.st_size ||
	    (u64)st.st_size / insn > UINT16_MAX)
		goto done;
	out->insns = malloc((size_t)st.st_size);
	if (!out->insns)
		goto done;
	out->count = (u16)((u64)st.st_size / insn);
	rc = pread(fd, out->insns, (size_t)st.st_size, 0) == st.st_size ? 0 : MH_ENOMEM;
done:
	close(fd);
	return rc;
}

bool mhi_box_can_filter(void)
{
	return true;
}

int mhi_box_filter_make(enum mhi_box_kind kind, const struct mhi_box_needs *needs,
			struct mhi_box_filter *out)
{
	const bool all = kind == MHI_BOX_ALL;
	scmp_filter_ctx ctx = seccomp_init(all ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!ctx)
		return MH_ENOMEM;
	/* Calls of 32-bit programs, which are numbered otherwise. */
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary search: the filter runs at each exit that the kernel does not answer. */
	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!rc)
		rc = add_refusals(ctx, kind);
	if (!rc && !all)
		rc = add_passes(ctx, kind, needs);
	rc = rc ? MH_ENOMEM : export(ctx, out);
	seccomp_release(ctx);
	return rc;
}
