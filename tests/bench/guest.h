/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks in guests share: time is the time-stamp counter, which counts instructions
 * in the hosts they are made for: the guest's, the VMM's and the host's share together. One line a
 * figure: "BENCH NAME COUNT".
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline uint64_t bench_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static inline void bench_fatal(const char *what)
{
	printf("BENCH failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* What one of so many took. */
static inline void bench_report(const char *name, uint64_t begin, uint64_t count)
{
	printf("BENCH %s %llu\n", name, (unsigned long long)((bench_tsc() - begin) / count));
}

/* Pseudo-random, the same each time. */
static inline uint64_t bench_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

#endif
