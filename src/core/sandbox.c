/* SPDX-License-Identifier: MIT */
/* How threads give up capabilities, files and system calls. */
#include "core/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "macrohard/error.h"
#include "macrohard/sandbox.h"

/* landlock(7): of ABIs behind the one of Debian 12's headers, which is 2. */
#define FS_TRUNCATE (1ull << 14) /* 3 */
#define NET_BIND_TCP (1ull << 0) /* 4 */
#define NET_CONNECT_TCP (1ull << 1)
#define FS_IOCTL_DEV (1ull << 15)	/* 5 */
#define SCOPE_ABSTRACT_UNIX (1ull << 0) /* 6 */

#define FS_FIRST (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1) /* ABI 1: the bits up to that one */
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* As its manual page has it for all ABIs; the kernel takes a shorter one, too. */
struct ruleset {
	u64 fs, net, scoped;
};

#define RESOLVER "/etc/resolv.conf"
#define CAPABILITIES_MAX 64

/* ---- files ---- */

static u64 handled_files(u32 abi)
{
	u64 fs = FS_FIRST;

	if (abi >= 2)
		fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		fs |= FS_TRUNCATE;
	if (abi >= 5)
		fs |= FS_IOCTL_DEV;
	return fs;
}

static bool allow(int ruleset, const char *path, u64 access)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	long rc;

	if (rule.parent_fd < 0)
		return false;
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return !rc;
}

/*
 * Where the link leads: a name server's programs put a new file there, in a folder of its own. A
 * file in /etc that is replaced is the old one for us; the rest of /etc is nobody's business.
 */
static void allow_resolver(int ruleset)
{
	char *path = realpath(RESOLVER, NULL), *slash = path ? strrchr(path, '/') : NULL;

	if (slash && strncmp(path, "/etc/", 5)) {
		*slash = '\0';
		allow(ruleset, path, LANDLOCK_ACCESS_FS_READ_FILE);
	} else if (slash) {
		allow(ruleset, path, LANDLOCK_ACCESS_FS_READ_FILE);
	}
	free(path);
}

static void make_ruleset(struct mhi_box *box)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset rules = { .net = 0 };
	size_t bytes = sizeof(rules.fs);

	if (abi <= 0)
		return;
	box->landlock = (u32)abi;
	rules.fs = handled_files(box->landlock);
	if (abi >= 4) {
		bytes = 2 * sizeof(u64);
		if (!box->needs.inet && !box->needs.caller_connects)
			rules.net = NET_BIND_TCP | NET_CONNECT_TCP;
	}
	if (abi >= 6) {
		bytes = sizeof(rules);
		if (!box->needs.caller_connects)
			rules.scoped = SCOPE_ABSTRACT_UNIX;
	}
	box->ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, bytes, 0);
	if (box->ruleset >= 0 && box->needs.inet)
		allow_resolver(box->ruleset);
}

int mhi_box_folder(struct mhi_box *box, const struct mhi_box_folder *folder)
{
	const u64 never = LANDLOCK_ACCESS_FS_EXECUTE | FS_IOCTL_DEV;
	u64 access = folder->readonly ? FS_READ : handled_files(box->landlock) & ~never;

	if (box->ruleset < 0)
		return 0;
	return allow(box->ruleset, folder->path, access) ? 0 : MH_EIO;
}

static bool restrict_files(struct mhi_box *box, enum mhi_box_kind kind)
{
	if (box->ruleset < 0 || (kind == MHI_BOX_CALLER && box->needs.caller_opens))
		return true;
	return !syscall(SYS_landlock_restrict_self, box->ruleset, 0);
}

/* ---- capabilities ---- */

/* With owners of the host's, files below the folder are made and changed for others. */
static u64 kept(const struct mhi_box *box)
{
	if (!box->needs.host_ids)
		return 0;
	return 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER |
	       1ull << CAP_FSETID | 1ull << CAP_MKNOD;
}

static bool drop_capabilities(const struct mhi_box *box)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const u64 keep = kept(box);

	if (syscall(SYS_capget, &header, data))
		return false;
	/* Who may not do that gains none either: no new privileges. */
	for (unsigned long n = 0; n < CAPABILITIES_MAX; n++)
		if (!(keep >> n & 1))
			prctl(PR_CAPBSET_DROP, n, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned int n = 0; n < _LINUX_CAPABILITY_U32S_3; n++) {
		data[n].permitted &= (u32)(keep >> 32 * n);
		data[n].effective &= (u32)(keep >> 32 * n);
		data[n].inheritable = 0;
	}
	return !syscall(SYS_capset, &header, data);
}

/* ---- system calls ---- */

static bool load(const struct mhi_box_filter *filter, unsigned int flags)
{
	const struct {
		u16 count;
		void *insns;
	} program = { filter->count, filter->insns }; /* struct sock_fprog */

	return !filter->insns || !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void make_filters(struct mhi_box *box, int *rc)
{
	for (unsigned int kind = 0; kind < MHI_BOX_KINDS && !*rc; kind++)
		*rc = mhi_box_filter_make((enum mhi_box_kind)kind, &box->needs, &box->filter[kind]);
	if (*rc == MH_ENOTSUP)
		*rc = 0;
}

/* ---- all of it ---- */

int mhi_box_init(struct mhi_box *box, const struct mhi_box_needs *needs)
{
	unsigned int action = SECCOMP_RET_KILL_PROCESS;
	int rc = 0;

	*box = (struct mhi_box){ .needs = *needs, .ruleset = -1 };
	make_ruleset(box);
	/* A kernel that does not know that action has no filters, or too old ones. */
	if (!syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		make_filters(box, &rc);
	if (rc)
		mhi_box_fini(box);
	return rc;
}

void mhi_box_fini(struct mhi_box *box)
{
	if (box->ruleset >= 0)
		close(box->ruleset);
	for (unsigned int kind = 0; kind < MHI_BOX_KINDS; kind++)
		free(box->filter[kind].insns);
	*box = (struct mhi_box){ .ruleset = -1 };
}

int mhi_box_process(struct mhi_box *box)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;

	/* What it may not have more of than now; sizes of files are those of disks that grow. */
	setrlimit(RLIMIT_CORE, &none);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_max = files.rlim_cur;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return MH_EIO;
	return load(&box->filter[MHI_BOX_ALL], SECCOMP_FILTER_FLAG_TSYNC) ? 0 : MH_EIO;
}

int mhi_box_thread(struct mhi_box *box, enum mhi_box_kind kind)
{
	u32 failed = 0;

	if (!drop_capabilities(box))
		failed |= MH_SANDBOX_CAPABILITIES;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || !restrict_files(box, kind))
		failed |= MH_SANDBOX_LANDLOCK;
	if (!load(&box->filter[kind], 0))
		failed |= MH_SANDBOX_SECCOMP;
	__atomic_or_fetch(&box->failed, failed, __ATOMIC_RELAXED);
	return failed ? MH_EIO : 0;
}
