/* SPDX-License-Identifier: MIT */
/*
 * What threads give up: capabilities, files (Landlock), system calls (seccomp). A sandbox is made
 * once for a process; each thread then confines itself.
 */
#ifndef MHI_CORE_SANDBOX_H
#define MHI_CORE_SANDBOX_H

#include "base/types.h"
#include "core/err.h"

/* Whose system calls a filter lets pass. */
enum mhi_box_kind {
	MHI_BOX_VCPU,	/* runs a guest */
	MHI_BOX_LOOP,	/* devices that do not block */
	MHI_BOX_DISK,	/* reads and writes images */
	MHI_BOX_SHARE,	/* serves a folder */
	MHI_BOX_SERVER, /* serves sockets that listen already, or callbacks */
	MHI_BOX_CALLER, /* the process's own thread */
	MHI_BOX_ALL,	/* any thread: what nobody may */
	MHI_BOX_KINDS
};

/* What the process needs. */
struct mhi_box_needs {
	bool shares;	   /* there are folders */
	bool host_ids;	   /* of which one keeps its owners */
	bool inet;	   /* connections by IP, and the host's resolv.conf */
	bool unix_sockets; /* connections to UNIX sockets */
	bool caller_opens; /* the caller's thread: files */
	bool caller_connects;
	bool caller_codes;
};

/* A folder of the process's. */
struct mhi_box_folder {
	const char *path;
	bool readonly;
};

/* A seccomp filter, as seccomp(2) takes it. */
struct mhi_box_filter {
	u16 count;
	void *insns; /* NULL: none */
};

struct mhi_box {
	struct mhi_box_needs needs;		     /* (c) */
	struct mhi_box_filter filter[MHI_BOX_KINDS]; /* (c) */
	int ruleset;				     /* (c) Landlock's; -1: none */
	u32 landlock;				     /* (c) its ABI; 0: none */
	u32 failed; /* (a) MH_SANDBOX_* that a thread did not get */
};

/* ---- sandbox.c ---- */

/*
 * What can be made beforehand. What the host has not is NULL in the filters, and -1 as ruleset.
 * 0; MH_ENOMEM.
 */
int mhi_box_init(struct mhi_box *box, const struct mhi_box_needs *needs);
/* Lets the process reach what is below the folder. 0; MH_EIO. */
int mhi_box_folder(struct mhi_box *box, const struct mhi_box_folder *folder);
void mhi_box_fini(struct mhi_box *box);

/* No thread of the process can do what MHI_BOX_ALL forbids, nor can anybody look into it. */
int mhi_box_process(struct mhi_box *box);
/* The calling thread, for good. 0; MH_EIO: it is not, or not wholly. */
int mhi_box_thread(struct mhi_box *box, enum mhi_box_kind kind);

/* ---- sandbox_filter.c, or sandbox_filter_none.c ---- */

/* Was the library built with libseccomp? */
bool mhi_box_can_filter(void);
/* 0; MH_ENOMEM; MH_ENOTSUP: it was not. */
int mhi_box_filter_make(enum mhi_box_kind kind, const struct mhi_box_needs *needs,
			struct mhi_box_filter *out);

/* ---- sandbox_extra.c, or sandbox_extra_checked.c ---- */

/*
 * System calls that threads of a kind may make besides, because of how the program was built.
 * [*count]
 */
const int *mhi_box_extra_calls(enum mhi_box_kind kind, size_t *count);
/* May threads make processes, and trace? */
bool mhi_box_extra_trace(void);

#endif
