/* SPDX-License-Identifier: MIT */
/*
 * A VM's process: one VM, its console, the signals, and, if the VM has a folder, its control
 * socket. "run" is such a process in the foreground, for a VM that has none.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "output.h"
#include "relay.h"
#include "steward.h"

#include <signal.h>
#include <macrohard/x11.h>

/* What is typed and the guest's port did not take yet. */
struct input {
	unsigned char data[512];
	size_t bytes;
};

#define CLIENTS_MAX 16
/* Of them so many may stay for the console, events or transfers: others are served, too. */
#define STREAMS_MAX 12

/* Somebody at the control socket. */
struct client {
	int fd; /* -1: nobody */
	char line[8192];
	size_t line_bytes;
	char *out; /* what it has not read yet */
	size_t out_bytes, out_room;
	bool events;  /* it wants to know them */
	bool console; /* its bytes are the console's from now on */
	bool gone;    /* it has closed the console; what it typed is still to be taken */
	uint64_t at;  /* of the output, up to where it has it */
	struct input input;
	struct relay *relay; /* what it asks of the guest's agent; NULL: nothing */
	uint64_t heard;	     /* when it said something last, in turns of the server */
	int given;	     /* a descriptor that came along, for a method that wants one; or -1 */
};

struct server {
	int listen; /* -1: there is no socket */
	int spare;  /* a descriptor to do without, to turn somebody away; -1: gone */
	uint64_t turn;
	struct client client[CLIENTS_MAX];
};

struct mh_vnc;
struct mh_vnc_config;

/* The library is loaded when a VNC server is wanted: vnc.c. */
struct vnc {
	void *library; /* NULL: it is not */
	struct mh_vnc *server;
	int (*start)(struct mh_vm *vm, const struct mh_vnc_config *config, struct mh_vnc **out);
	int (*sandbox)(struct mh_vnc *server);
	void (*stop)(struct mh_vnc *server);
};

struct process {
	/* (c), from the caller */
	const struct store_vm *store; /* NULL: none */
	const struct mh_config *config;
	bool foreground; /* standard input and output are the console */
	int escape;	 /* the key that ends it, or -1 */
	uint32_t grace_s;
	bool verbose, stats;
	bool no_sandbox;
	int ready; /* a pipe that hears '\0' when the VM runs; -1: none */

	struct mh_config_info info; /* (c) */
	struct mh_ctx *ctx;
	struct mh_vm *vm;
	struct mh_config_parts parts;
	struct terminal terminal;
	struct output output;
	struct input input; /* of the foreground */
	bool input_open;
	int signals, events; /* descriptors */
	sigset_t old_mask;   /* signals that were blocked before */
	int64_t deadline_ms; /* of CLOCK_MONOTONIC, when the grace is over; 0: no SIGTERM yet */
	int64_t started_s;   /* of CLOCK_REALTIME */
	int64_t started_ms;  /* of CLOCK_BOOTTIME, which nobody sets */
	struct server server;
	struct steward steward;
	struct desk *desk; /* NULL: there is nothing to show */
	char why[512];	   /* of a failed method: in place of the library's sentence; "": none */
	struct vnc vnc;
	int *strange; /* descriptors to be closed when the VM is there */
	size_t strangers;
};

/* Runs the VM to its end; returns the CLI's status. */
int process_run(struct process *p);

/* Milliseconds of CLOCK_BOOTTIME: they go on while the host sleeps. */
int64_t process_boot_ms(void);

/* Ask the guest to switch itself off: by its agent, or else its power button. */
int process_shut_down(struct process *p);

/* Types what waits into the guest's port, as far as it takes it. */
void input_type(struct process *p, struct input *in);

/* ---- vnc.c ---- */

/* If the document has one, for the VM that is there; a status after a message. */
int vnc_begin(struct process *p);
/* Before the VM is destroyed. */
void vnc_end(struct process *p);

/* ---- confine.c ---- */

/* Before anything is opened: descriptors that whoever started us left open. 0 or -1 with errno. */
int confine_note_strangers(struct process *p);
/* Before there are threads, with the steward outside; CLI_OK, or a status after a message. */
int confine_apart(struct process *p);
/* Before the VM starts; CLI_OK, or a status after a message. */
int confine(struct process *p);
/* In the log: what is not as it should be. */
void confine_tell(struct process *p);
/* "on", "partial" or "off" */
const char *confine_state(struct process *p);

/* ---- server.c ---- */

#define SERVER_FDS (1 + CLIENTS_MAX)

struct pollfd;

/* 0 or -1 with errno. */
int server_init(struct process *p);
void server_fini(struct process *p);
/* fds: [SERVER_FDS] */
void server_fill(struct process *p, struct pollfd *fds);
void server_serve(struct process *p, const struct pollfd *fds);
/* Is there input that the guest did not take yet? */
bool server_typing(const struct process *p);
/* To everybody who wants to know events. */
void server_tell(struct process *p, const struct mh_event *event);
/* Append to what a client is to read. It is dropped if it does not read. */
void client_send(struct client *c, const char *text, size_t bytes);
void client_send_document(struct client *c, const cJSON *document);
void client_drop(struct client *c);
/* May this one stay for more than an answer? */
bool server_may_stream(const struct process *p, const struct client *c);

/* ---- desk.c ---- */

enum desk_part { DESK_WINDOW, DESK_SEAMLESS, DESK_CLIPBOARD };

/* An X server, as whoever asks for it has reached it. */
struct desk_place {
	const char *display;	     /* its name */
	struct mh_x11_socket socket; /* fd -1: none came */
};

/* For a VM that may have something to show, before it is confined: the library for it. */
void desk_init(struct process *p);
/* Returns 0, or an error, of which p->why says more. */
int desk_show(struct process *p, enum desk_part part, const struct desk_place *place);
int desk_hide(struct process *p, enum desk_part part);
/* Before the VM is destroyed. */
void desk_fini(struct process *p);

/* ---- control.c ---- */

/* Answers one line of a client. */
void control_line(struct process *p, struct client *c, const char *line, size_t bytes);
const char *control_state(enum mh_vm_state state);
/*
 * What a vCPU has done: entries, exits that reached the library, page faults, halts, interrupts,
 * doorbells. False: there is no such vCPU.
 */
#define CONTROL_NUMBERS 6
bool control_numbers(struct process *p, uint32_t index, uint64_t number[CONTROL_NUMBERS]);
const char *control_reason(enum mh_stop_reason reason);
cJSON *control_event(const struct mh_event *event);

#endif
