// SPDX-License-Identifier: MIT
/* Finds the reports of faults in a stream of kernel messages; a part of relay.c. */
#ifndef LAB_SCAN_H
#define LAB_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define REPORT_LINES 60

/* One stream of kernel messages, searched line by line. */
struct scan {
	char line[1024];
	size_t used;
	char *report[REPORT_LINES]; /* offending lines and what follows them */
	int reports;
	int follow; /* lines still to be recorded after the last offender */
	bool panic, fatal;
	bool oom; /* the next trace is that of an allocation that failed, no fault */
};

static bool has(const char *line, const char *word)
{
	return strstr(line, word) != NULL;
}

/* Reports that end the host's credibility at once. */
static bool is_fatal(const char *s)
{
	return has(s, "Kernel panic") || has(s, "kernel BUG at") || has(s, "Oops") ||
	       has(s, "BUG: unable to handle") || has(s, "BUG: kernel NULL") ||
	       has(s, "BUG: soft lockup") || has(s, "BUG: scheduling while atomic") ||
	       has(s, "general protection fault, ") || has(s, "general protection fault: ") ||
	       has(s, "double fault: ") || has(s, "PANIC: ");
}

static bool is_report(const char *s)
{
	/* "WARNING: See <address>": the kernel's word on the emulated CPU's mitigations. */
	bool warning = has(s, "WARNING: ") && !has(s, "WARNING: See ");
	/* At time 0: kmemleak=off. Later it has given up. */
	bool off = has(s, " 0.000000] kmemleak: Kernel memory leak detector disabled");
	bool leak = (has(s, "kmemleak: ") && !has(s, " detector initialized") && !off) ||
		    has(s, "unreferenced object ");

	return is_fatal(s) || warning || leak || has(s, "BUG: ") || has(s, "UBSAN: ") ||
	       has(s, "KASAN: ") || has(s, "KFENCE: ") || has(s, "KCSAN: ") ||
	       has(s, "unchecked MSR access error") || has(s, "ODEBUG: ") ||
	       has(s, "possible circular locking") || has(s, "possible recursive locking") ||
	       has(s, "inconsistent lock state") || has(s, "suspicious RCU usage") ||
	       has(s, "sleeping function called") || has(s, "blocked for more than") ||
	       has(s, "detected stall") || has(s, "self-detected stall") ||
	       has(s, "detected expedited stalls") || has(s, "rcu: INFO:") ||
	       has(s, "Call Trace:") || has(s, "refcount_t: ") || has(s, "list_add ") ||
	       has(s, "list_del corruption") || has(s, "Bad page state") ||
	       has(s, "Out of memory: ") || has(s, "scheduling while atomic") ||
	       has(s, "NMI watchdog: Watchdog detected");
}

static void scan_line(struct scan *s)
{
	s->line[s->used] = 0;
	s->used = 0;
	s->oom |= has(s->line, "invoked oom-killer");
	if (s->oom && has(s->line, "Call Trace:")) {
		s->oom = false;
	} else if (is_report(s->line)) {
		s->follow = 24;
		s->fatal |= is_fatal(s->line);
		s->panic |= has(s->line, "Kernel panic");
	}
	if (s->follow > 0 && s->reports < REPORT_LINES) {
		s->follow--;
		s->report[s->reports++] = strdup(s->line);
	}
}

static void scan_feed(struct scan *s, const char *text, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++) {
		if (text[i] == '\n')
			scan_line(s);
		else if (text[i] != '\r' && s->used < sizeof(s->line) - 1)
			s->line[s->used++] = text[i];
	}
}

static void show_report(const struct scan *s)
{
	int i;

	for (i = 0; i < s->reports; i++)
		fprintf(stderr, "  %s\n", s->report[i]);
	if (s->reports == REPORT_LINES)
		fprintf(stderr, "  ...\n");
}

#endif
