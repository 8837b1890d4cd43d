/* SPDX-License-Identifier: MIT */
/* What the parts of the Windows agent's scenario share; each part ends the program if it fails. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include "peer.h"

extern struct peer peer;
extern const char *poke; /* the path of poke.exe, as Windows has it */

/* Run poke WHAT A B (NULL: not there) with input (NULL: none); ended by call_end. */
struct call *run(const char *what, const char *a, const char *b, const struct bytes *input);
/* The same, with status 0. */
void must(const char *what, const char *a, const char *b, const struct bytes *input);
/* The same, again and again until it says what is expected. */
void must_say(const char *what, const char *a, const char *expected);

/* Start a program and let it run, and wait for its end by a signal, or none. */
struct call *start(const char *program, const char *a);
void wait_exit(struct call *call, uint32_t signal);

void seamless(uint32_t on);
void act(uint64_t id, uint32_t action);
/* Offer content of one kind, or nothing by 0. */
void offer(uint32_t kind, const void *data, size_t bytes);

void part_info(void);
void part_notepad(void);
void part_windows(void);
void part_input(void);
void part_clipboard(void);
void part_formats(void);
void part_picture(void);

#endif
