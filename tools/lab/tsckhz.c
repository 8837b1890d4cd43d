// SPDX-License-Identifier: MIT
/* Prints the frequency of this machine's TSC in kHz: by CLOCK_MONOTONIC_RAW, right to 0.01 %. */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define MEASURE_NS 50000000

struct moment {
	unsigned long long ns, tsc;
};

/* Both clocks at one moment: of several tries the one that was disturbed least. */
static struct moment look(void)
{
	unsigned long long before, after, best = ~0ull;
	struct moment m = { 0 };
	struct timespec t;

	for (int i = 0; i < 50; i++) {
		before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &t);
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		m.tsc = before + best / 2;
		m.ns = (unsigned long long)t.tv_sec * 1000000000 + (unsigned long long)t.tv_nsec;
	}
	return m;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = MEASURE_NS };
	struct moment from = look(), to;

	nanosleep(&pause, NULL);
	to = look();
	printf("%llu\n", (to.tsc - from.tsc) * 1000000 / (to.ns - from.ns));
	return 0;
}
