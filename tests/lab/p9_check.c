// SPDX-License-Identifier: MIT
/*
 * What a program may expect of a folder, asked of a mounted share: names, data compared with the
 * served folder itself, attributes, locks, files without a name. It runs in guests, too.
 * usage: p9_check [-d DIVISOR] MOUNTED SERVED [TEST...]
 *   -d  repeat less often: a slow machine
 */
#include "p9_check.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int served, divisor = 1;
static const char *test;
static int failures;

void check_failed(int line, const char *fmt, ...)
{
	va_list args;

	printf("FAIL: %s, line %d: ", test, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" (%s)\n", strerror(errno));
	failures++;
}

double check_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int check_make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		check_failed(__LINE__, "cannot make %s", name);
	return fd;
}

bool check_contains(int dir, const char *name, const char *text)
{
	char buf[256];
	int fd = openat(dir, name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

/* ---- all ---- */

static const struct {
	const char *name;
	void (*run)(void);
	bool named; /* only when it is asked for */
} tests[] = {
	{ "storm", check_storm, false },
	{ "big", check_big, false },
	{ "renames", check_renames, false },
	{ "links", check_links, false },
	{ "long-names", check_long_names, false },
	{ "specials", check_specials, false },
	{ "many", check_many, false },
	{ "unlinked", check_unlinked, false },
	{ "append", check_append, false },
	{ "attributes", check_attributes, false },
	{ "xattrs", check_xattrs, true },
	{ "locks", check_locks, true },
	{ "mapped", check_mapped, true },
	{ "full", check_full, true },
	{ "readonly", check_readonly, true },
};

static bool wanted(size_t i, int argc, char **argv)
{
	for (int a = 2; a < argc; a++)
		if (!strcmp(argv[a], tests[i].name) ||
		    (!strcmp(argv[a], "usual") && !tests[i].named))
			return true;
	return argc == 2 && !tests[i].named;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "d:")) != -1) {
		divisor = option == 'd' ? (int)strtol(optarg, NULL, 10) : 0;
		if (divisor < 1)
			return 2;
	}
	argc -= optind;
	argv += optind;
	if (argc < 2)
		return 2;
	served = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (served < 0 || chdir(argv[0])) {
		perror("p9_check");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		int before = failures;

		if (!wanted(i, argc, argv))
			continue;
		test = tests[i].name;
		tests[i].run();
		printf("%s: %s\n", failures == before ? "ok" : "FAILED", test);
	}
	return failures ? 1 : 0;
}
