/* SPDX-License-Identifier: MIT */
/* Draws the progress bar, and ends long work by Ctrl-C without leaving half of it behind. */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 40
#define REDRAW_MS 100
/* Work that is over sooner needs no bar. */
#define PATIENCE_MS 300

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = 1;
}

static long ms_between(const struct timespec *a, const struct timespec *b)
{
	return (b->tv_sec - a->tv_sec) * 1000 + (b->tv_nsec - a->tv_nsec) / 1000000;
}

void progress_init(struct progress *p, const char *what, bool quiet)
{
	const char *term = getenv("TERM");
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	memset(p, 0, sizeof(*p));
	p->what = what;
	p->shown = !quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
	clock_gettime(CLOCK_MONOTONIC, &p->begin);
	p->last = p->begin;
	/* A second Ctrl-C ends the program at once. */
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

static void draw(struct progress *p, uint64_t done, uint64_t total, long ms)
{
	unsigned int percent = total ? (unsigned int)((double)done * 100 / (double)total) : 100;
	unsigned int bars = percent * WIDTH / 100, i;
	char bar[WIDTH + 1];

	for (i = 0; i < WIDTH; i++)
		bar[i] = i < bars ? '#' : '.';
	bar[WIDTH] = '\0';
	fprintf(stderr, "\r%s [%s] %3u%%", p->what, bar, percent);
	if (percent > 2 && ms > 1000)
		fprintf(stderr, "  %ld s left ", ms / percent * (100 - percent) / 1000);
	fputs("\033[K", stderr);
	fflush(stderr);
	p->drawn = true;
}

int progress_step(void *opaque, uint64_t done, uint64_t total)
{
	struct progress *p = opaque;
	struct timespec now;

	if (interrupted)
		return 1;
	if (!p->shown)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (ms_between(&p->begin, &now) < PATIENCE_MS || ms_between(&p->last, &now) < REDRAW_MS)
		return 0;
	p->last = now;
	draw(p, done, total, ms_between(&p->begin, &now));
	return 0;
}

void progress_fini(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
}
