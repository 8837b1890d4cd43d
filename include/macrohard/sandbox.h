/* SPDX-License-Identifier: MIT */
/*
 * The sandbox: a process that has made its VMs gives up what they do not need, before their guests
 * run. The kernel then refuses it to whoever gets hold of the process. docs/security.md has the
 * table of what is left by configuration.
 */
#ifndef MACROHARD_SANDBOX_H
#define MACROHARD_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <macrohard/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mh_config;
struct mh_vm;

enum mh_sandbox_level {
	/* Nothing. */
	MH_SANDBOX_NONE = 0,
	/*
	 * The library's own threads: each may make the system calls that its work needs, open files
	 * below shared folders only, and has no capabilities. Callbacks that they make are under
	 * the same rules. Other threads of the process are as before.
	 */
	MH_SANDBOX_DEVICES = 1,
	/*
	 * The whole process, too: no thread runs another program, traces, mounts or loads modules;
	 * the caller's thread, and those that it makes later, can neither open files nor make
	 * connections, unless config.allow lets them; the process is not dumpable.
	 */
	MH_SANDBOX_PROCESS = 2
};

/* What the sandbox is made of; the bits of mh_sandbox_config.required and mh_sandbox_info. */
#define MH_SANDBOX_SECCOMP (1u << 0)	  /* system calls by kind of thread; needs libseccomp */
#define MH_SANDBOX_LANDLOCK (1u << 1)	  /* files: Linux 5.13 with Landlock switched on */
#define MH_SANDBOX_CAPABILITIES (1u << 2) /* none are left, but for shares with MH_SHARE_HOST */

/* What the caller's thread may do in MH_SANDBOX_PROCESS all the same. */
#define MH_SANDBOX_ALLOW_OPEN (1u << 0)	   /* open files */
#define MH_SANDBOX_ALLOW_CONNECT (1u << 1) /* make sockets and connections */
#define MH_SANDBOX_ALLOW_CODE (1u << 2)	   /* map files as code: dlopen */

struct mh_sandbox_config {
	size_t size;	   /* sizeof(struct mh_sandbox_config), by MH_SANDBOX_CONFIG_INIT */
	uint32_t level;	   /* enum mh_sandbox_level, but MH_SANDBOX_NONE */
	uint32_t allow;	   /* MH_SANDBOX_ALLOW_*; MH_SANDBOX_PROCESS only */
	uint32_t required; /* parts without which it fails; the others are done if the host can */
};

#define MH_SANDBOX_CONFIG_INIT                                                              \
	{                                                                                   \
		sizeof(struct mh_sandbox_config), MH_SANDBOX_PROCESS, 0, MH_SANDBOX_SECCOMP \
	}

/* Namespaces that a process has for itself. */
#define MH_SANDBOX_NS_NETWORK (1u << 0) /* no interface but its own loopback; abstract sockets */
#define MH_SANDBOX_NS_IPC (1u << 1)	/* System V IPC, POSIX message queues */
#define MH_SANDBOX_NS_UTS (1u << 2)	/* the host's name */
#define MH_SANDBOX_NS_USER (1u << 3)	/* users: to be allowed to have the others */

/**
 * Move the process into namespaces of its own, as far as the host permits it and a VM of @config
 * can do with that: with a user network, a tap interface or a debugger by TCP it stays in the
 * host's network; with shares it stays among the host's users, whom guests see as owners. Sockets
 * that have paths work as before. Call it first of all, before mh_ctx_create: a process of several
 * threads can have no user namespace. Children that are not to be moved are older.
 * @out  MH_SANDBOX_NS_*: what it has now; 0: nothing was permitted, and all is as before
 * Thread: the process's only one
 * Returns 0; MH_EINVAL (an argument is NULL), MH_EIO (it is moved, but its user is not: end it).
 * Spec: unshare(2), user_namespaces(7).   Since: 1.0
 */
MH_API int mh_sandbox_namespaces(const struct mh_config *config, uint32_t *out);

/**
 * Confine the process, for good, to what the devices need that the context's VMs have now: what is
 * attached later has to do with that. Files of disks, folders of shares, sockets that listen and
 * the module are open by then; threads that exist and that start later are confined alike. The
 * library's sockets are not removed from their folders at the end: nobody may. The VMs' threads are
 * started, if they are not there yet, and wait for mh_vm_start.
 * @config  level, exceptions, and what must not be missing
 * Thread: [any], but no callback; with MH_LOOP_FOREIGN the loop's, which gets the rules of devices
 * Returns 0; MH_EINVAL (an argument is NULL, size, level, allow, required; not the foreign loop's
 * thread), MH_ESTATE (it was called before; a guest runs; from a callback), MH_ENOTSUP (a required
 * part is missing: built without libseccomp, or the kernel's; nothing has happened), MH_ENOMEM,
 * MH_EIO (a thread could not be confined; the others are).   Since: 1.0
 */
MH_API int mh_sandbox_enter(struct mh_ctx *ctx, const struct mh_sandbox_config *config);

/* What a process that is confined reaches beyond what it had open. */
#define MH_SANDBOX_REACH_SHARES (1u << 0) /* files below shared folders */
#define MH_SANDBOX_REACH_INET (1u << 1)	  /* connections by TCP and UDP: --net user */
#define MH_SANDBOX_REACH_UNIX (1u << 2)	  /* connections to UNIX sockets: vsock with a path */
#define MH_SANDBOX_REACH_CALLER (1u << 3) /* what config.allow let the caller have */

struct mh_sandbox_info {
	size_t size;	    /* sizeof(struct mh_sandbox_info), by MH_SANDBOX_INFO_INIT */
	uint32_t level;	    /* MH_SANDBOX_NONE: mh_sandbox_enter has not been called */
	uint32_t active;    /* parts that are in force on all threads of the level */
	uint32_t missing;   /* parts that are not, though the level has them */
	uint32_t reach;	    /* MH_SANDBOX_REACH_* */
	uint32_t landlock;  /* the ABI of the kernel's Landlock; 0: it has none */
	const char *reason; /* why parts are missing, with a cure; "": none is. The context's */
};

#define MH_SANDBOX_INFO_INIT                                        \
	{                                                           \
		sizeof(struct mh_sandbox_info), 0, 0, 0, 0, 0, NULL \
	}

/**
 * What is in force.
 * Thread: [any]   Returns 0; MH_EINVAL (an argument is NULL, size).   Since: 1.0
 */
MH_API int mh_sandbox_info(struct mh_ctx *ctx, struct mh_sandbox_info *info);

/**
 * Confine the calling thread, one of the embedder's, as the library's own that serve sockets: it
 * can neither open files nor make connections. For threads that are older than mh_sandbox_enter;
 * those made later by its caller have his rules.
 * Thread: the one it is about
 * Returns 0; MH_EINVAL (vm is NULL), MH_ESTATE (mh_sandbox_enter has not been called), MH_EIO.
 * Since: 1.0
 */
MH_API int mh_sandbox_thread(struct mh_vm *vm);

#ifdef __cplusplus
}
#endif
#endif
