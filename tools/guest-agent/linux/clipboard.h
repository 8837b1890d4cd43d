/* SPDX-License-Identifier: MIT */
/* Selections of X11 (ICCCM 2.0, 2: peer-to-peer communication) and what is under way of them. */
#ifndef GUEST_AGENT_CLIPBOARD_H
#define GUEST_AGENT_CLIPBOARD_H

#include "../content.h"
#include "x11.h"

#define CLIP_SELECTIONS 2u /* enum mhi_agent_selection */
#define CLIP_KINDS 4u	   /* MHI_AGENT_CLIP_*, by their bits */
#define CLIP_SERVED 32u	   /* who paste at a time */
/* More than that goes over in pieces of that. */
#define CLIP_PIECE 262144u
/* Who is silent for so long has forgotten it. */
#define CLIP_PATIENCE_MS 20000u

/* What the host wants of a selection that somebody here owns. */
struct clip_reading {
	struct ga_request *request; /* NULL: nothing */
	uint32_t kind;
	bool pieces; /* it comes by INCR */
	uint8_t *data;
	size_t bytes;
	uint64_t until_ms;
};

struct clip_selection {
	uint32_t number;	      /* enum mhi_agent_selection */
	xcb_atom_t name;	      /* (c) */
	xcb_atom_t property;	      /* (c) of ours, where content comes */
	xcb_atom_t targets;	      /* (c) where the list of its kinds comes */
	uint32_t offer, types;	      /* what the host was told last */
	xcb_atom_t kinds[CLIP_KINDS]; /* how the owner calls them; 0: it has none of it */
	bool ours;		      /* we own it, for the host */
	xcb_timestamp_t since;
	uint32_t host_offer, host_types;
	struct clip_reading reading;
};

/* Somebody who pastes what the host has. */
struct clip_served {
	struct clipboard *clipboard; /* NULL: a free place */
	xcb_selection_request_event_t asked;
	uint32_t kind;
	struct ga_content *content; /* the host was asked; NULL: it has answered */
	uint8_t *data;
	size_t bytes, sent;
	uint64_t until_ms;
};

struct clipboard {
	struct desktop *d;
	uint32_t features;
	struct clip_selection selections[CLIP_SELECTIONS];
	struct clip_served served[CLIP_SERVED];
};

/* The bit's place of a kind; CLIP_KINDS: it is none. */
uint32_t clip_index(uint32_t kind);

/* ---- clip_read.c: what others own ---- */
void clip_read_targets(struct clipboard *c, struct clip_selection *s);
void clip_read_notify(struct clipboard *c, const xcb_selection_notify_event_t *event);
void clip_read_property(struct clipboard *c, const xcb_property_notify_event_t *event);
void clip_read_step(struct clipboard *c, uint64_t now_ms);
/* Nothing is offered any more. */
void clip_read_gone(struct clipboard *c, struct clip_selection *s);

/* ---- clip_serve.c: what the host owns ---- */
void clip_serve_request(struct clipboard *c, const xcb_selection_request_event_t *event);
void clip_serve_property(struct clipboard *c, const xcb_property_notify_event_t *event);
void clip_serve_step(struct clipboard *c, uint64_t now_ms);
void clip_serve_end(struct clipboard *c);

/*
 * ---- clip_text.c: contents as the wire has them ----
 * Each takes data [bytes], which was allocated, and returns the same or another one, allocated and
 * with a zero behind it, with *bytes; NULL: it is none, or no memory.
 */
uint8_t *clip_from_guest(uint32_t kind, uint8_t *data, size_t *bytes);
uint8_t *clip_to_guest(uint32_t kind, uint8_t *data, size_t *bytes);

#endif
