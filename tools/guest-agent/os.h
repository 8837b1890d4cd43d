/* SPDX-License-Identifier: MIT */
/*
 * What an operating system supplies to the agent's core: one function for each message that the
 * host may send. A function that is NULL is a message that is refused as unsupported.
 */
#ifndef GUEST_AGENT_OS_H
#define GUEST_AGENT_OS_H

#include "session.h"

/*
 * Handle msg, whose texts and rests are valid until the function returns. The request is to be
 * ended once by ga_end, now or later. It is NULL, and that call does nothing, where the host wants
 * no answer.
 */
typedef void ga_handler(void *os, struct ga_request *request, const struct mhi_agent_msg *msg);

struct ga_os {
	const char *system; /* of HELLO: "linux", "windows" */
	const char *agent;  /* of HELLO: program and version */

	/* What the host and the agent agree on is now this; 0: the host is gone. */
	void (*agreed)(void *os, uint32_t features);
	/* Events may be told again, after ga_has_room was false. */
	void (*room)(void *os);
	/*
	 * The first look at a message that belongs to no request of this session; true: it was
	 * taken. For an agent that hands messages on to another process.
	 */
	bool (*relay)(void *os, const struct mhi_agent_msg *msg);

	ga_handler *get_info; /* MHI_AGENT_F_INFO */
	ga_handler *shutdown; /* MHI_AGENT_F_POWER */
	ga_handler *set_time; /* MHI_AGENT_F_TIME */
	ga_handler *exec;     /* MHI_AGENT_F_EXEC: see exec.h for its strings */
	ga_handler *file_put,
		*file_get;	     /* MHI_AGENT_F_FILES: ga_file_put, ga_file_get of files.h */
	ga_handler *mount, *unmount; /* MHI_AGENT_F_MOUNT */

	/* MHI_AGENT_F_CLIPBOARD, MHI_AGENT_F_PRIMARY */
	ga_handler *clip_offer, *clip_request;

	ga_handler *seamless, *work_area;	    /* MHI_AGENT_F_WINDOWS */
	ga_handler *window_move, *window_act;	    /* MHI_AGENT_F_WINDOWS */
	ga_handler *resize;			    /* MHI_AGENT_F_RESIZE */
	ga_handler *key, *pointer, *button, *wheel; /* MHI_AGENT_F_INPUT */
};

#endif
