/* SPDX-License-Identifier: MIT */
/*
 * The context: log sink, engine choice, last error, preflight (probe). Root of all other objects.
 */
#ifndef MACROHARD_CTX_H
#define MACROHARD_CTX_H

#include <stddef.h>
#include <stdint.h>
#include <macrohard/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mh_ctx;

enum mh_log_level { MH_LOG_ERROR = 0, MH_LOG_WARN, MH_LOG_INFO, MH_LOG_DEBUG };

/*
 * Called from any thread of the library, one call at a time per context; text has no newline and is
 * gone on return. It must not wait for anything of the library.
 */
typedef void mh_log_fn(void *opaque, enum mh_log_level level, const char *text);

/*
 * What executes guests. The shim is our kernel module; KVM is for hosts that may not load it. With
 * KVM the library sends the signal SIGRTMAX - 2 to its vCPUs' threads, and to threads while they
 * write a vCPU's registers. It blocks it there and takes it back: leave that signal alone.
 */
enum mh_engine_kind { MH_ENGINE_SHIM = 0, MH_ENGINE_KVM = 1 };

/* On whose thread devices work. */
enum mh_loop_kind {
	MH_LOOP_THREAD = 0, /* one of the library's own, which starts with the first device */
	/*
	 * The one that made the context: the embedder's loop polls mh_ctx_loop_fd, and calls
	 * mh_ctx_loop_dispatch. Callbacks of devices are made from there, with SIGPIPE blocked.
	 * Guests' disks and shared folders go on as long as it does not; all else of theirs waits.
	 * On this thread all functions may be called but from callbacks, as ever. Other threads
	 * that attach or detach devices or destroy a VM wait until it dispatches: so it must not
	 * wait for them.
	 */
	MH_LOOP_FOREIGN = 1
};

struct mh_ctx_config {
	size_t size;		    /* sizeof(struct mh_ctx_config), by MH_CTX_CONFIG_INIT */
	enum mh_engine_kind engine; /* default: MH_ENGINE_SHIM */
	mh_log_fn *log;		    /* NULL: silent */
	void *log_opaque;
	enum mh_log_level log_level; /* messages above this level are not produced */
	const char *device;	     /* NULL: /dev/macrohard or /dev/kvm; copied */
	enum mh_loop_kind loop;
};

#define MH_CTX_CONFIG_INIT                                                                   \
	{                                                                                    \
		sizeof(struct mh_ctx_config), MH_ENGINE_SHIM, NULL, NULL, MH_LOG_WARN, NULL, \
			MH_LOOP_THREAD                                                       \
	}

/**
 * Make a context. It opens no device: that happens with the first VM, so a context is always to be
 * had.
 * @config  NULL: all defaults
 * @out     the context; destroy it with mh_ctx_destroy
 * Thread: [any]
 * Returns 0; MH_EINVAL (size; engine, log_level or loop unknown), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_ctx_create(const struct mh_ctx_config *config, struct mh_ctx **out);

/**
 * Free a context. All its VMs must have been destroyed; NULL is a no-op.
 * Thread: [any]; of a foreign loop: its own. Not from a callback.
 * Returns 0; MH_ESTATE (VMs are alive; agents of mh_agent_open are open; not the loop's thread;
 * nothing happens then).   Since: 1.0
 */
MH_API int mh_ctx_destroy(struct mh_ctx *ctx);

/* ---- MH_LOOP_FOREIGN ---- */

/**
 * The descriptor to poll for POLLIN (or to put into an epoll set): it is readable when there is
 * something for mh_ctx_loop_dispatch.
 * Ownership: the context's; do not read, write or close it. It stays the same.
 * Thread: [any]   Returns the descriptor; MH_EINVAL (ctx is NULL, or has no such loop). Since: 1.0
 */
MH_API int mh_ctx_loop_fd(struct mh_ctx *ctx);

/**
 * For how long the thread may sleep on the descriptor at most before it dispatches. Ask after each
 * mh_ctx_loop_dispatch.
 * @ms  milliseconds; -1: for ever
 * Thread: the loop's   Returns 0; MH_EINVAL (ctx or ms is NULL; ctx has no such loop). Since: 1.0
 */
MH_API int mh_ctx_loop_timeout(struct mh_ctx *ctx, int *ms);

/**
 * Let devices do what there is to do, without waiting.
 * Thread: the loop's, not from a callback
 * Returns 0; MH_EINVAL (ctx is NULL, or has no such loop), MH_ESTATE (another thread; a callback).
 * Since: 1.0
 */
MH_API int mh_ctx_loop_dispatch(struct mh_ctx *ctx);

/**
 * The sentence that goes with the calling thread's last failed call on this context or its objects:
 * object, field, cause and cure.
 * Thread: [any]   Returns a string owned by the calling thread, valid until its next failing call;
 * "" when there was none.   Since: 1.0
 */
MH_API const char *mh_last_error(struct mh_ctx *ctx);

/* ---- preflight ---- */

enum mh_probe_level { MH_PROBE_REQUIRED = 0, MH_PROBE_RECOMMENDED, MH_PROBE_OPTIONAL };
enum mh_probe_state { MH_PROBE_YES = 0, MH_PROBE_NO, MH_PROBE_UNKNOWN };

struct mh_probe_item {
	const char *id;	    /* stable, for programs: "vmx", "ept", "npt", "module", ... */
	const char *name;   /* for people: "EPT (extended page tables)" */
	const char *source; /* where it is read: "CPUID.1:ECX[5]" */
	enum mh_probe_level level;
	enum mh_probe_state state;
	const char *detail; /* what was found; "" if there is nothing to say */
	/* what to do when state is not YES; "" if nothing can be done or need be */
	const char *cure;
};

struct mh_probe; /* a finished report */

/**
 * Examine this machine: the CPU's features, firmware locks, the module, permissions, kernel
 * lockdown, who holds VMX or SVM now, the IOMMU. Reads only; needs no privilege (what needs it is
 * reported UNKNOWN).
 * @out   the report; free it with mh_probe_free
 * Thread: [any]
 * Returns 0; MH_EINVAL (ctx or out is NULL), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_probe_create(struct mh_ctx *ctx, struct mh_probe **out);
MH_API void mh_probe_free(struct mh_probe *probe);

/**
 * The report's items, in a fixed order.
 * @items  [n], which belong to the report; or NULL
 * Thread: [any]   Returns the number of items; 0 of NULL, and *items is NULL then.   Since: 1.0
 */
MH_API size_t mh_probe_items(const struct mh_probe *probe, const struct mh_probe_item **items);

/**
 * Can a VM be started here with the shim?
 * Thread: [any]
 * Returns 0 when it can, else the error that mh_vm_create would give; MH_EINVAL (probe is NULL).
 * Since: 1.0
 */
MH_API int mh_probe_verdict(const struct mh_probe *probe);

/**
 * The report as a JSON document, schema "macrohard.probe/1".
 * Ownership: belongs to the report.   Thread: [any]   Returns NULL when out of memory, and of NULL.
 * Since: 1.0
 */
MH_API const char *mh_probe_json(struct mh_probe *probe);

/** Version of the library, "1.0.0". Thread: [any]. Since: 1.0 */
MH_API const char *mh_version(void);

#ifdef __cplusplus
}
#endif
#endif
