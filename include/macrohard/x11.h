/* SPDX-License-Identifier: MIT */
/*
 * Guests on an X server: a window with the whole display of a guest, or each of the guest's windows
 * as one of the server's, and the clipboard of both. This is a library of its own,
 * libmacrohard-x11, made of nothing but libmacrohard's public functions and XCB.
 */
#ifndef MACROHARD_X11_H
#define MACROHARD_X11_H

#include <macrohard/agent.h>
#include <macrohard/clipboard.h>
#include <macrohard/display.h>
#include <macrohard/input.h>
#include <macrohard/seamless.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a connection ---- */

/* A connection to an X server, with a thread of its own. */
struct mh_x11;

/*
 * What is told of a connection. The functions are called on its thread (tell: while connecting, on
 * the caller's), must not wait, and may not call mh_x11_disconnect. NULL: not of interest.
 */
struct mh_x11_ops {
	uint32_t version; /* 1 */
	/* A sentence with cause and cure for what went wrong; text is valid until it returns. */
	void (*tell)(void *opaque, int error, const char *text);
	/* The server is gone, and so is all that was on it; mh_x11_disconnect is still needed. */
	void (*lost)(void *opaque);
};

/*
 * A socket that an X server has accepted and over which nothing went yet, and what lets its user
 * in. It can be given to another process, one that cannot connect: the descriptor by SCM_RIGHTS,
 * the rest as it is.
 */
struct mh_x11_socket {
	size_t size;	     /* sizeof(struct mh_x11_socket), by MH_X11_SOCKET_INIT */
	int fd;		     /* close it when it has been used */
	uint32_t screen;     /* the server's, from 0 */
	char auth_name[32];  /* as "MIT-MAGIC-COOKIE-1"; "": the server is to let everybody in */
	uint32_t auth_bytes; /* of the next */
	uint8_t auth_data[64];
};

#define MH_X11_SOCKET_INIT                                     \
	{                                                      \
		sizeof(struct mh_x11_socket), -1, 0, { 0 }, 0, \
		{                                              \
			0                                      \
		}                                              \
	}

struct mh_x11_config {
	size_t size;		      /* sizeof(struct mh_x11_config), by MH_X11_CONFIG_INIT */
	const char *display;	      /* as in DISPLAY, which NULL means */
	const char *authority;	      /* a file as in XAUTHORITY; NULL: where Xlib would look */
	const struct mh_x11_ops *ops; /* copied; NULL: none */
	void *opaque;		      /* their first argument */
	/* Of mh_x11_dial: nothing is opened, and display is but a name. NULL: connect to display */
	const struct mh_x11_socket *socket;
};

#define MH_X11_CONFIG_INIT                                                 \
	{                                                                  \
		sizeof(struct mh_x11_config), NULL, NULL, NULL, NULL, NULL \
	}

/**
 * Make a socket for mh_x11_connect, here or in another process.
 * @config  display, authority and ops.tell count; NULL: defaults
 * @out     with its size set; the caller closes its descriptor
 * Thread: [any]
 * Returns 0; MH_EINVAL (config, out), MH_ENOENT (nobody answers there). config->ops->tell says
 * more.   Since: 1.0
 */
MH_API int mh_x11_dial(const struct mh_x11_config *config, struct mh_x11_socket *out);

/**
 * Connect to an X server.
 * @config  NULL: defaults; its texts are not kept, nor its socket, whose descriptor is duplicated
 * @out     for all functions below
 * A server that does not answer is given up after 10 seconds, one that XCB finds by display alone
 * (no authority, no socket) only once it has let this user in.
 * Ownership: it lives until mh_x11_disconnect.
 * Thread: [any]
 * Returns 0; MH_EINVAL (config; its socket is no stream socket), MH_ENOENT (nobody answers there,
 * or the server lets nobody in with that authority), MH_ENOTSUP (the server has no screen, no
 * 24-bit TrueColor, or another byte order), MH_ENOMEM. config->ops->tell says more.   Since: 1.0
 */
MH_API int mh_x11_connect(const struct mh_x11_config *config, struct mh_x11 **out);

/**
 * Close all that is on it, and the connection; NULL is a no-op. When it has returned nothing is
 * called any more. A server that does not answer is given up after 10 seconds, here and when
 * something on it is closed: then the connection is lost.
 * Thread: [any], but no callback.   Since: 1.0
 */
MH_API void mh_x11_disconnect(struct mh_x11 *x11);

/* ---- the whole display in one window ---- */

struct mh_x11_window;

struct mh_x11_window_config {
	size_t size;	   /* sizeof(struct mh_x11_window_config), by MH_X11_WINDOW_CONFIG_INIT */
	struct mh_vm *vm;  /* with a display; it outlives the window */
	const char *title; /* UTF-8; NULL: "macrohard" */
	/* Its user wants it closed. NULL: the guest's power button is pressed. On its thread. */
	void (*close)(void *opaque);
	void *opaque;
};

#define MH_X11_WINDOW_CONFIG_INIT                                           \
	{                                                                   \
		sizeof(struct mh_x11_window_config), NULL, NULL, NULL, NULL \
	}

/**
 * Show a guest's display in a window, and give the guest its keyboard and pointer. Pixels are not
 * scaled: when the window gets another size the guest is asked for that one, and until it follows
 * its picture is in the middle. Ctrl+Alt+Enter makes it full screen, and a window again.
 * @out  for mh_x11_window_close
 * Thread: [any], but no callback
 * Returns 0; MH_EINVAL (config), MH_ENOENT (the VM has no display), MH_ESTATE (the server is gone),
 * MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_x11_window_open(struct mh_x11 *x11, const struct mh_x11_window_config *config,
			      struct mh_x11_window **out);

/**
 * Close it; NULL is a no-op. When it has returned nothing is called any more.
 * Thread: [any], but no callback.   Since: 1.0
 */
MH_API void mh_x11_window_close(struct mh_x11_window *window);

/* ---- the guest's windows, each as a window of the server ---- */

struct mh_x11_seamless;

struct mh_x11_seamless_config {
	size_t size; /* sizeof(struct mh_x11_seamless_config), by MH_X11_SEAMLESS_CONFIG_INIT */
	struct mh_agent *agent; /* it outlives the windows, as does the VM */
	struct mh_vm *vm;	/* whose display the pixels are on; NULL: the next two */
	/*
	 * For an agent that runs elsewhere: the pixels of its display, which are looked at again
	 * poll_ms after they were shown (0: 40); the descriptor is duplicated.
	 */
	const struct mh_surface *surface;
	uint32_t poll_ms;
};

#define MH_X11_SEAMLESS_CONFIG_INIT                                         \
	{                                                                   \
		sizeof(struct mh_x11_seamless_config), NULL, NULL, NULL, 0u \
	}

/**
 * Show each window of the guest as a window of the server, with its title, icon, size limits,
 * parent, state and place; what is done to one is done to the other. A window of the guest is a
 * rectangle of its display: where another one of the guest covers it, that is what is to be seen
 * there. The guest's windows are kept in the order of the server's, so that this shows only where
 * the server has it so, too. Its display is asked to be as large as the server's screen. Keys and
 * pointer go to the VM's input devices; where there are none, to the agent.
 *
 * The guest is not trusted: its titles lose control characters, windows without a frame (menus,
 * tooltips) are those of others, and cover no more than half of the screen each.
 * Thread: [any], but no callback
 * Returns 0; MH_EINVAL (config), MH_ENOENT (the VM has no display), MH_EBUSY (the agent's windows
 * are shown already), MH_ESTATE (the server is gone), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_x11_seamless_start(struct mh_x11 *x11, const struct mh_x11_seamless_config *config,
				 struct mh_x11_seamless **out);

/**
 * Take the windows off the server: the guest keeps them. NULL is a no-op. When it has returned
 * nothing is called any more.
 * Thread: [any], but no callback.   Since: 1.0
 */
MH_API void mh_x11_seamless_stop(struct mh_x11_seamless *seamless);

/* ---- the clipboard ---- */

struct mh_x11_clipboard;

/**
 * Share the server's selections CLIPBOARD and PRIMARY with a guest: text, HTML, PNG images and
 * lists of files, as far as the policy lets them; content goes over when somebody pastes.
 * @policy  as in mh_clipboard_start
 * Thread: [any], but no callback
 * Returns 0; MH_EINVAL (agent, policy), MH_EBUSY (somebody shares the agent's clipboard already),
 * MH_ENOTSUP (the server has no XFIXES), MH_ESTATE (the server is gone), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_x11_clipboard_start(struct mh_x11 *x11, struct mh_agent *agent,
				  const struct mh_clip_policy *policy,
				  struct mh_x11_clipboard **out);

/**
 * End that; NULL is a no-op. When it has returned nothing is called any more.
 * Thread: [any], but no callback.   Since: 1.0
 */
MH_API void mh_x11_clipboard_stop(struct mh_x11_clipboard *clipboard);

#ifdef __cplusplus
}
#endif
#endif
