/* SPDX-License-Identifier: MIT */
/*
 * Namespaces of a VM's process, by the public interface: which ones are new for which VM, as root
 * and as somebody else. Each case is a process of its own, as there is no way back.
 */
#include "api_fixture.h"

#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "macrohard/sandbox.h"

#define NOBODY 65534
#define FAILED 64

enum { NETWORK = 1, IPC = 2, UTS = 4, USER = 8 };

static const char *const names[] = { "net", "ipc", "uts", "user" };

static void where_i_am(ino_t out[MHI_COUNT(names)])
{
	char path[32];
	struct stat st;

	for (size_t n = 0; n < MHI_COUNT(names); n++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[n]);
		out[n] = stat(path, &st) ? 0 : st.st_ino;
	}
}

/* In a process of its own: which namespaces are others afterwards; FAILED: it does not say so. */
static int moved(const char *devices, uid_t uid)
{
	ino_t before[MHI_COUNT(names)], after[MHI_COUNT(names)];
	struct mh_config *config;
	struct mh_ctx *parser;
	char text[512];
	u32 told = ~0u;
	int bits = 0;

	snprintf(text, sizeof(text),
		 "{\"schema\":\"macrohard.vm/1\",\"name\":\"v\",\"memory\":\"16M\","
		 "\"boot\":{\"firmware\":\"/bios\"}%s}",
		 devices);
	if (mh_ctx_create(NULL, &parser) ||
	    mh_config_parse(parser, text, strlen(text), "test", NULL, &config))
		return FAILED;
	mh_ctx_destroy(parser);
	if (uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid)))
		return FAILED;
	/* As he had been that from the beginning. */
	if (prctl(PR_SET_DUMPABLE, 1))
		return FAILED;
	where_i_am(before);
	if (mh_sandbox_namespaces(config, &told))
		return FAILED;
	where_i_am(after);
	for (size_t n = 0; n < MHI_COUNT(names); n++)
		bits |= before[n] != after[n] ? 1 << n : 0;
	if (told != (u32)bits || geteuid() != uid || getegid() != uid)
		return FAILED;
	mh_config_free(config);
	return bits;
}

static int moves(const char *devices, uid_t uid)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		_exit(moved(devices, uid));
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Whether the host lets him. */
static bool may(uid_t uid, int flags)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		_exit((uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid))) ||
		      unshare(flags));
	waitpid(pid, &status, 0);
	return status == 0;
}

#define ALL (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define NETS(net) ",\"devices\":{\"nets\":[" net "]}"
#define GDB(address) ",\"gdb\":{\"address\":\"" address "\"}"

static const struct {
	const char *devices;
	int root, other;
} cases[] = {
	{ "", NETWORK | IPC | UTS, NETWORK | IPC | UTS | USER },
	{ NETS("{\"kind\":\"user\"}"), IPC | UTS, IPC | UTS | USER },
	{ NETS("{\"kind\":\"tap\",\"tap\":\"tap0\"}"), IPC | UTS, IPC | UTS | USER },
	{ NETS("{\"kind\":\"fd\",\"fds\":[5]}"), NETWORK | IPC | UTS, NETWORK | IPC | UTS | USER },
	{ NETS("{\"kind\":\"fd\",\"fds\":[5]},{\"kind\":\"user\"}"), IPC | UTS, IPC | UTS | USER },
	{ GDB("tcp:1234"), IPC | UTS, IPC | UTS | USER },
	{ GDB("unix:/gdb"), NETWORK | IPC | UTS, NETWORK | IPC | UTS | USER },
	{ ",\"devices\":{\"shares\":[{\"path\":\"/\",\"tag\":\"t\"}]}", NETWORK | IPC | UTS, 0 },
};

START_TEST(root)
{
	for (size_t n = 0; n < MHI_COUNT(cases); n++)
		ck_assert_int_eq(moves(cases[n].devices, 0), may(0, ALL) ? cases[n].root : 0);
}
END_TEST

START_TEST(somebody)
{
	const bool may_have_them = may(NOBODY, ALL | CLONE_NEWUSER);

	for (size_t n = 0; n < MHI_COUNT(cases); n++)
		ck_assert_int_eq(moves(cases[n].devices, NOBODY),
				 may_have_them ? cases[n].other : 0);
}
END_TEST

START_TEST(wrong)
{
	u32 bits;

	ck_assert_int_eq(mh_sandbox_namespaces(NULL, &bits), MH_EINVAL);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, wrong);
	if (getuid()) {
		fprintf(stderr, "SKIP: it takes root to be root and somebody else\n");
		return;
	}
	tcase_add_test(tcase, root);
	tcase_add_test(tcase, somebody);
}

UNIT_MAIN("namespaces", add_tests)
