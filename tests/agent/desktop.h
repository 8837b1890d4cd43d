/* SPDX-License-Identifier: MIT */
/* A desktop on an X server of the test's own, and what an agent tells its host of it. */
#ifndef TESTS_AGENT_DESKTOP_H
#define TESTS_AGENT_DESKTOP_H

#include "fake_host.h"

/* A window as the host knows it. */
struct seen {
	uint64_t id, parent;
	uint32_t flags;
	int32_t x, y;
	uint32_t width, height, min_width;
	char title[MHI_AGENT_TITLE_MAX], application[MHI_AGENT_TITLE_MAX];
	uint32_t icon; /* its width */
	uint32_t rects;
	unsigned int damages;
};

struct desktop {
	pid_t server, manager;
	char folder[64];
	struct host *host;
	struct seen windows[64];
	size_t count;
	uint64_t stack[64];
	size_t stacked;
	uint32_t pointer;
	struct mhi_msg_clip_offer offers[2];
};

/* A program that is needed and is not there; NULL: all are. */
const char *desktop_lacks(void);

/* An X server with a window manager; DISPLAY and HOME are set for all programs. */
void desktop_start(struct desktop *desktop);
void desktop_stop(struct desktop *desktop);

/* Take the next message, at most ms later. Returns its type; 0: none came. */
uint32_t desktop_pump(struct desktop *desktop, int ms);

/* Whether something is so. */
typedef bool desktop_fn(struct desktop *desktop, void *opaque);

/* Take messages until it is so. After a long time the test fails, and says what it waited for. */
void desktop_await(struct desktop *desktop, desktop_fn *fn, void *opaque, const char *what);

/* The window of this title; it is waited for. */
struct seen *desktop_window(struct desktop *desktop, const char *title);
struct seen *desktop_find(struct desktop *desktop, uint64_t id);

/* Take messages until there is no window with that id. */
void desktop_gone(struct desktop *desktop, uint64_t id);

/* Where the X server has the window of this title. */
struct seen desktop_truth(const char *title);

/* What a shell command prints; fails the test if it fails. */
const char *shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
