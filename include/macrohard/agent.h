/* SPDX-License-Identifier: MIT */
/*
 * The agent in the guest: a program there that does for the host what only it can. It speaks by a
 * port of its own (docs/agent-protocol.md). The guest may run any program in its place: what comes
 * from there is checked and bounded, but what it says may be a lie.
 *
 * Functions with the tag [any] do their work on the thread of the context's devices and wait for
 * it: hold no lock that a callback of that thread takes. All callbacks are called on that thread,
 * one at a time, and must not wait; see struct mh_dev for what they may do. All functions of this
 * header are allowed in them, but those that say so.
 */
#ifndef MACROHARD_AGENT_H
#define MACROHARD_AGENT_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The host's end of an agent, whether one is connected or not. */
struct mh_agent;
struct mh_clip_policy; /* <macrohard/clipboard.h> */

/* What an agent can do. */
#define MH_AGENT_INFO (1u << 0)
#define MH_AGENT_POWER (1u << 1)
#define MH_AGENT_TIME (1u << 2)
#define MH_AGENT_EXEC (1u << 3)
#define MH_AGENT_FILES (1u << 4)
#define MH_AGENT_MOUNT (1u << 5)
#define MH_AGENT_CLIPBOARD (1u << 6)
#define MH_AGENT_PRIMARY (1u << 7) /* X11's second selection */
#define MH_AGENT_WINDOWS (1u << 8)
#define MH_AGENT_RESIZE (1u << 9)
#define MH_AGENT_INPUT (1u << 10)
#define MH_AGENT_ALL 0x7ffu

#define MH_AGENT_SYSTEM_BYTES 64 /* with the final zero; what is longer is cut */
#define MH_AGENT_NAME_BYTES 128

/* Is an agent connected, and which. */
struct mh_agent_status {
	size_t size;	    /* sizeof(struct mh_agent_status), by MH_AGENT_STATUS_INIT */
	uint32_t connected; /* 1: it has said hello; 0: the rest is 0 and "" */
	uint32_t features;  /* MH_AGENT_*: that it has, and config.features lets it */
	char system[MH_AGENT_SYSTEM_BYTES]; /* "linux", "windows" */
	char agent[MH_AGENT_NAME_BYTES];    /* its name and version */
};

#define MH_AGENT_STATUS_INIT                                   \
	{                                                      \
		sizeof(struct mh_agent_status), 0u, 0u, { 0 }, \
		{                                              \
			0                                      \
		}                                              \
	}

/* An agent is connected, or it is lost; one that starts anew is lost first. */
typedef void mh_agent_state_fn(void *opaque, const struct mh_agent_status *status);

/* By what the guest reaches this host. */
enum mh_agent_transport {
	/* a console device of its own with a port "org.macrohard.agent.0" */
	MH_AGENT_VIRTIO = 0,
	MH_AGENT_SERIAL /* COM2: slower, but Windows has its driver in the box */
};

/* struct mh_agent_config.flags, beside MH_VIRTIO_* */
#define MH_AGENT_NO_MOUNT (1u << 8) /* shared folders are not mounted by themselves */
#define MH_AGENT_NO_TIME (1u << 9) /* pauses and jumps of the host's clock do not set the guest's */

struct mh_agent_config {
	size_t size;	    /* sizeof(struct mh_agent_config), by MH_AGENT_CONFIG_INIT */
	uint32_t flags;	    /* MH_AGENT_NO_*, MH_VIRTIO_* */
	uint32_t transport; /* enum mh_agent_transport; of mh_agent_open: 0 */
	uint32_t features;  /* MH_AGENT_*: those that are to be used; 0: all */
	/* An absolute path in the guest: share TAG is mounted at mount/TAG. NULL: "/media" */
	const char *mount;
	/* What mh_clipboard_start may allow at most. NULL: MH_CLIP_POLICY_INIT. Copied. */
	const struct mh_clip_policy *clipboard;
	mh_agent_state_fn *state; /* NULL: not of interest */
	void *opaque;
};

#define MH_AGENT_CONFIG_INIT                                                       \
	{                                                                          \
		sizeof(struct mh_agent_config), 0u, 0u, 0u, NULL, NULL, NULL, NULL \
	}

/**
 * Give the guest a port for its agent. When an agent says hello, the VM's shared folders are
 * mounted there; after mh_vm_resume its clock is set.
 * @config  NULL: defaults; copied
 * @out     the agent; it lives until mh_agent_close or the end of the VM. NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_EEXIST (the VM has one; COM2 is in use;
 * PCI slot), MH_ERANGE (PCI slot), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_agent_attach(struct mh_vm *vm, const struct mh_agent_config *config,
			   struct mh_agent **out);

/**
 * The agent of a VM. Thread: [any]. Returns it; NULL: none was attached. Since: 1.0
 */
MH_API struct mh_agent *mh_vm_agent(struct mh_vm *vm);

/**
 * Speak with an agent over a socket, without a VM: it runs on this host, or somebody else's guest.
 * When the other end closes it, or breaks the protocol, the agent is lost for good.
 * @fd      a connected stream socket; the library's when the call succeeds
 * @config  NULL: defaults; copied
 * @out     the agent; close it with mh_agent_close before the context is destroyed
 * Thread: [any]
 * Returns 0; MH_EINVAL (config, fd), MH_EIO (it cannot be watched), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_agent_open(struct mh_ctx *ctx, int fd, const struct mh_agent_config *config,
			 struct mh_agent **out);

/**
 * End it, with all that was asked of it: callbacks that wait are called with MH_ESTATE before it
 * returns, and nothing is called afterwards. NULL is a no-op. mh_vm_destroy does it, too.
 * Thread: [setup] of a VM's; else [any]. Not from its own callbacks.
 * Returns 0; MH_ESTATE (the VM runs; from a callback: nothing happens).   Since: 1.0
 */
MH_API int mh_agent_close(struct mh_agent *agent);

/**
 * Thread: [any]   Returns 0; MH_EINVAL (status->size).   Since: 1.0
 */
MH_API int mh_agent_status(struct mh_agent *agent, struct mh_agent_status *status);

/* ---- requests ---- */

/*
 * A request is over. rc 0: done; MH_EINVAL, MH_ENOTSUP, MH_EPERM, MH_ENOENT, MH_EBUSY, MH_ERANGE,
 * MH_EIO: the guest's answer, MH_ETIMEDOUT: it does not answer, MH_ESTATE: the agent is lost. text:
 * UTF-8, the guest's explanation, or ""; valid until the callback returns.
 */
typedef void mh_agent_done_fn(void *opaque, int rc, const char *text);

/*
 * All requests: @fn may be NULL, and is called once if 0 was returned, never else. At most 64 at a
 * time, transfers and contents of the clipboard included. Each waits 30 seconds, in which the VM
 * runs, for the guest to do something.
 * Thread: [any]
 * Return 0; MH_EINVAL (arguments), MH_ESTATE (no agent is connected), MH_ENOTSUP (it cannot),
 * MH_EBUSY (too many), MH_ERANGE (a text is too long), MH_ENOMEM.
 */

struct mh_agent_address {
	const char *interface; /* "eth0" */
	const char *mac;       /* "52:54:00:12:34:56"; "": none */
	const char *address;   /* IPv4 or IPv6, as text */
	uint32_t prefix;       /* bits of the network's part */
};

struct mh_agent_user {
	const char *name;
	const char *terminal; /* "tty1"; "": unknown */
	uint64_t since;	      /* seconds since 1970; 0: unknown */
};

#define MH_AGENT_ADDRESSES_MAX 64
#define MH_AGENT_USERS_MAX 64

/* Texts are UTF-8, the guest's, and valid until the callback returns. */
struct mh_agent_info {
	size_t size; /* of what the library fills in */
	const char *host_name;
	const char *os_name;	/* "Debian GNU/Linux" */
	const char *os_version; /* "12" */
	const char *kernel;
	uint64_t uptime_ms;
	uint32_t addresses, users;		/* at most MH_AGENT_ADDRESSES_MAX, _USERS_MAX */
	const struct mh_agent_address *address; /* [addresses] */
	const struct mh_agent_user *user;	/* [users] who are logged in */
};

/* rc as of mh_agent_done_fn; but for 0, info is NULL. */
typedef void mh_agent_info_fn(void *opaque, int rc, const struct mh_agent_info *info);

/** What runs in the guest, its addresses and users: a request. Since: 1.0 */
MH_API int mh_agent_info(struct mh_agent *agent, mh_agent_info_fn *fn, void *opaque);

enum mh_agent_power { MH_AGENT_OFF = 0, MH_AGENT_REBOOT };

/**
 * Shut the guest down in order: a request. It is done when the guest has begun to.
 * @how  enum mh_agent_power
 * Since: 1.0
 */
MH_API int mh_agent_shutdown(struct mh_agent *agent, uint32_t how, mh_agent_done_fn *fn,
			     void *opaque);

/**
 * Set the guest's clock: a request.
 * @unix_ns  nanoseconds since 1970, UTC; 0: what this host's clock shows
 * Since: 1.0
 */
MH_API int mh_agent_set_time(struct mh_agent *agent, uint64_t unix_ns, mh_agent_done_fn *fn,
			     void *opaque);

#define MH_AGENT_READONLY (1u << 0)
#define MH_AGENT_VIRTIOFS (1u << 1) /* it has MH_SHARE_VIRTIOFS */

/**
 * Mount a shared folder in the guest: a request. The place is made if it is not there. In Windows
 * the path is not used: the share of virtio-fs has a drive of its own.
 * @tag    the share's name, as of mh_share_attach
 * @path   absolute, in the guest
 * @flags  MH_AGENT_READONLY, MH_AGENT_VIRTIOFS
 * Since: 1.0
 */
MH_API int mh_agent_mount(struct mh_agent *agent, const char *tag, const char *path, uint32_t flags,
			  mh_agent_done_fn *fn, void *opaque);

/** Take it away there: a request. Since: 1.0 */
MH_API int mh_agent_unmount(struct mh_agent *agent, const char *tag, const char *path,
			    mh_agent_done_fn *fn, void *opaque);

/**
 * Change the size of the guest's desktop: a request. mh_display_resize is the better way where the
 * display's driver follows it.
 * @width, @height  pixels, 64 to 16384
 * Since: 1.0
 */
MH_API int mh_agent_resize(struct mh_agent *agent, uint32_t width, uint32_t height,
			   mh_agent_done_fn *fn, void *opaque);

/* ---- transfers: programs and files ---- */

/* How a transfer ended. */
struct mh_agent_end {
	size_t size;	  /* of what the library fills in */
	const char *text; /* as of mh_agent_done_fn */
	int32_t status;	  /* a program's exit status, when rc is 0 */
	uint32_t signal;  /* the signal that ended it; 0: none */
};

/* What comes of a transfer. NULL: not of interest. */
struct mh_agent_transfer_ops {
	uint32_t version; /* 1 */
	/* Bytes of a program's output (stream 1), its errors (2), or a file (0). */
	void (*output)(void *opaque, uint32_t stream, const void *data, size_t bytes);
	/* mh_agent_write will take so many bytes, after it took less than it was given. */
	void (*room)(void *opaque, size_t bytes);
	/* Of mh_agent_get, before the first output: permission bits, and the size, of now. */
	void (*file)(void *opaque, uint32_t mode, uint64_t bytes);
	/* It is over, and its id means nothing any more. rc as of mh_agent_done_fn. */
	void (*done)(void *opaque, int rc, const struct mh_agent_end *end);
};

/* struct mh_agent_exec_config.flags */
#define MH_AGENT_EXEC_INPUT (1u << 0) /* there will be input; else its input is empty */

struct mh_agent_exec_config {
	size_t size;		 /* by MH_AGENT_EXEC_CONFIG_INIT */
	uint32_t flags;		 /* MH_AGENT_EXEC_INPUT */
	const char *const *argv; /* NULL-terminated; a program of PATH, or a path of one */
	const char *const *env;	 /* NULL-terminated, "NAME=VALUE", beside the agent's. NULL: none */
	const char *directory;	 /* where it starts; NULL: the agent's */
	const char *user;	 /* who it runs as; NULL: the agent's */
};

#define MH_AGENT_EXEC_CONFIG_INIT                                               \
	{                                                                       \
		sizeof(struct mh_agent_exec_config), 0u, NULL, NULL, NULL, NULL \
	}

/**
 * Run a program in the guest. It waits for its end as long as that takes. argv, env and the rest
 * are at most 60 KiB.
 * @ops  copied; without output the program's output is dropped in the guest
 * @id   of the transfer, for the functions below; NULL: not needed
 * Thread, errors: as of requests   Since: 1.0
 */
MH_API int mh_agent_exec(struct mh_agent *agent, const struct mh_agent_exec_config *config,
			 const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id);

#define MH_AGENT_UNKNOWN_BYTES 0xffffffffffffffffu

struct mh_agent_file {
	size_t size;	  /* sizeof(struct mh_agent_file), by MH_AGENT_FILE_INIT */
	const char *path; /* absolute, in the guest */
	uint32_t mode;	  /* permission bits; 0x1a4, rw-r--r--, by the INIT macro */
	uint64_t bytes;	  /* that will come; the guest refuses others. MH_AGENT_UNKNOWN_BYTES */
};

#define MH_AGENT_FILE_INIT                                                         \
	{                                                                          \
		sizeof(struct mh_agent_file), NULL, 0x1a4u, MH_AGENT_UNKNOWN_BYTES \
	}

/**
 * Write a file in the guest, by mh_agent_write; it is there, whole, when it is done: until then a
 * file of the same name is what it was.
 * Thread, errors: as of requests   Since: 1.0
 */
MH_API int mh_agent_put(struct mh_agent *agent, const struct mh_agent_file *file,
			const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id);

/**
 * Read a file of the guest.
 * Thread, errors: as of requests   Since: 1.0
 */
MH_API int mh_agent_get(struct mh_agent *agent, const char *path,
			const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id);

/**
 * Input of a program or of mh_agent_put; it takes what fits, for the guest says how much it will
 * have. When it took less, there will be a room callback.
 * @bytes  0: that was all
 * Thread: [any]
 * Returns the number of bytes taken (0 .. bytes); MH_EINVAL (data), MH_ENOENT (it is over),
 * MH_ESTATE (it takes no input, or that was all); with 0 bytes also MH_EBUSY (the agent does not
 * read), MH_ERANGE, MH_ENOMEM: say it again then.   Since: 1.0
 */
MH_API int mh_agent_write(struct mh_agent *agent, uint64_t id, const void *data, size_t bytes);

/* Bytes of output that may still come when a transfer is held. */
#define MH_AGENT_WINDOW 262144

/**
 * Hold a transfer's output up: at most MH_AGENT_WINDOW bytes still come until it is let go.
 * @held  1; 0: let it go
 * Thread: [any]   Returns 0; MH_ENOENT (it is over).   Since: 1.0
 */
MH_API int mh_agent_hold(struct mh_agent *agent, uint64_t id, uint32_t held);

/**
 * Send a signal to a program; Windows ends it, whatever the signal.
 * @signal  a number of Linux': 15 is SIGTERM
 * Thread: [any]   Returns 0; MH_ENOENT (it is over), MH_EINVAL (no program; signal not 1 to 64),
 * MH_EBUSY (the guest takes nothing), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_agent_kill(struct mh_agent *agent, uint64_t id, uint32_t signal);

/**
 * End a transfer: a program is killed, a file that was written is removed. Nothing is called for it
 * any more, not even done.
 * Thread: [any]   Returns 0; MH_ENOENT (it is over).   Since: 1.0
 */
MH_API int mh_agent_cancel(struct mh_agent *agent, uint64_t id);

/* ---- input by the agent, for guests without input devices of ours ---- */

/*
 * Codes are Linux' (KEY_*, BTN_*); positions are pixels of the guest's display; the wheel turns in
 * 1/120 of a detent, up and right positive.
 * Thread: [any]   Return 0; MH_EINVAL (code), MH_ESTATE (no agent is connected), MH_ENOTSUP (it
 * cannot), MH_EBUSY (the guest takes nothing).   Since: 1.0
 */
MH_API int mh_agent_key(struct mh_agent *agent, uint32_t code, uint32_t down);
MH_API int mh_agent_pointer(struct mh_agent *agent, int32_t x, int32_t y);
MH_API int mh_agent_button(struct mh_agent *agent, uint32_t code, uint32_t down);
MH_API int mh_agent_wheel(struct mh_agent *agent, int32_t vertical, int32_t horizontal);

#ifdef __cplusplus
}
#endif
#endif
