// SPDX-License-Identifier: MIT
/*
 * Keeps a pattern of its own in the vector registers of each CPU for a while and checks it: one
 * thread per CPU, with AVX where the CPU has it, else SSE. Run in the guest and in its host at
 * once, it finds registers that leak or get lost. usage: simd [SEED [SECONDS [NICENESS]]]
 */
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 2000 /* between two looks at the clock */

struct worker {
	pthread_t thread;
	int cpu;
	uint32_t seed;
	double seconds;
	int avx;
	unsigned long checks;
	int wrong;
};

/*
 * Loads eight registers, waits so that switches fall in between, stores them: 1 when they are as
 * loaded.
 */
static int round_avx(const uint8_t in[256], uint8_t out[256])
{
	__asm__ volatile("vmovdqu (%0), %%ymm0\n\tvmovdqu 32(%0), %%ymm1\n\t"
			 "vmovdqu 64(%0), %%ymm2\n\tvmovdqu 96(%0), %%ymm3\n\t"
			 "vmovdqu 128(%0), %%ymm4\n\tvmovdqu 160(%0), %%ymm5\n\t"
			 "vmovdqu 192(%0), %%ymm6\n\tvmovdqu 224(%0), %%ymm15\n\t"
			 "mov $200, %%ecx\n1:\tdec %%ecx\n\tjnz 1b\n\t"
			 "vmovdqu %%ymm0, (%1)\n\tvmovdqu %%ymm1, 32(%1)\n\t"
			 "vmovdqu %%ymm2, 64(%1)\n\tvmovdqu %%ymm3, 96(%1)\n\t"
			 "vmovdqu %%ymm4, 128(%1)\n\tvmovdqu %%ymm5, 160(%1)\n\t"
			 "vmovdqu %%ymm6, 192(%1)\n\tvmovdqu %%ymm15, 224(%1)"
			 :
			 : "r"(in), "r"(out)
			 : "ecx", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			   "xmm15");
	return !memcmp(in, out, 256);
}

static int round_sse(const uint8_t in[256], uint8_t out[256])
{
	__asm__ volatile("movdqu (%0), %%xmm0\n\tmovdqu 16(%0), %%xmm1\n\t"
			 "movdqu 32(%0), %%xmm2\n\tmovdqu 48(%0), %%xmm15\n\t"
			 "mov $200, %%ecx\n1:\tdec %%ecx\n\tjnz 1b\n\t"
			 "movdqu %%xmm0, (%1)\n\tmovdqu %%xmm1, 16(%1)\n\t"
			 "movdqu %%xmm2, 32(%1)\n\tmovdqu %%xmm15, 48(%1)"
			 :
			 : "r"(in), "r"(out)
			 : "ecx", "memory", "xmm0", "xmm1", "xmm2", "xmm15");
	return !memcmp(in, out, 64);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *work(void *opaque)
{
	struct worker *w = opaque;
	double end = now() + w->seconds;
	uint8_t in[256], out[256];
	uint32_t x = w->seed * 2654435761u + (uint32_t)w->cpu + 1;
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (i = 0; i < (int)sizeof(in); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		in[i] = (uint8_t)x;
	}
	do {
		for (i = 0; i < ROUNDS && !w->wrong; i++, w->checks++)
			w->wrong = !(w->avx ? round_avx(in, out) : round_sse(in, out));
	} while (!w->wrong && now() < end);
	return NULL;
}

/*
 * AVX, and an operating system that switches its registers: SDM 1 14.3 "Detection of Intel AVX
 * Instructions".
 */
static int has_avx(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & 0x18000000u) != 0x18000000u)
		return 0;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & 6) == 6;
}

int main(int argc, char **argv)
{
	uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 0.5;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), i;
	struct worker *w = calloc((size_t)cpus, sizeof(*w));
	int avx = has_avx(), status = 0;

	if (!w || (argc > 3 && setpriority(PRIO_PROCESS, 0, (int)strtol(argv[3], NULL, 0))))
		return 2;
	for (i = 0; i < cpus; i++) {
		w[i] = (struct worker){
			.cpu = (int)i, .seed = seed, .seconds = seconds, .avx = avx
		};
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			return 2;
	}
	for (i = 0; i < cpus; i++) {
		pthread_join(w[i].thread, NULL);
		printf("  CPU %ld: %s registers %s\n", i, avx ? "AVX" : "SSE",
		       w[i].wrong ? "CHANGED" : "are kept");
		status |= w[i].wrong;
	}
	free(w);
	return status;
}
