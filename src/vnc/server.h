/* SPDX-License-Identifier: MIT */
/* A VNC server: its display, its socket, its thread. */
#ifndef MHV_SERVER_H
#define MHV_SERVER_H

#include <pthread.h>

#include <macrohard/vnc.h>

#include "vnc/rfb.h"

/* What the display has told, on the devices' thread, until the server's takes it. */
struct mhv_news {
	bool surface, cursor; /* there is another */
	struct rfb_dirt dirt[RFB_TILES];
};

struct mh_vnc {
	struct mh_vm *vm;	   /* constant */
	char *path;		   /* constant */
	int listen, wake;	   /* constant */
	int spare;		   /* to do without, to turn a client away; -1: gone */
	uint32_t most;		   /* constant */
	struct rfb_client *client; /* the thread's [most] */
	struct rfb_picture shown;  /* the thread's */
	struct rfb_cursor pointer; /* the thread's */
	struct mh_display_listener *listener;
	pthread_t thread;
	/* Protects the rest; nothing is taken inside it. */
	pthread_mutex_t lock;
	bool quit;
	bool confine; /* the thread is to go into the sandbox */
	int confined; /* what came of it */
	pthread_cond_t obeyed;
	struct mhv_news news;
	struct mh_surface surface;
	struct rfb_cursor cursor;
	void *memory; /* the display's, mapped when it is first told; NULL: not yet */
	size_t memory_bytes;
};

/* view.c: as mh_display_listen and mh_display_unlisten. */
int mhv_view_begin(struct mh_vnc *vnc);
void mhv_view_end(struct mh_vnc *vnc);
/* On the server's thread: pass on what has been told. */
void mhv_view_take(struct mh_vnc *vnc);

/* thread.c */
void *mhv_serve(void *vnc);
void mhv_wake(struct mh_vnc *vnc);

#endif
