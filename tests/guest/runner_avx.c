/* SPDX-License-Identifier: MIT */
/* Host threads that keep values in the vector registers and look whether somebody changed them. */
#include "runner.h"

#include <string.h>

#define THREADS 2
#define REGISTERS 8

static struct {
	pthread_t thread[THREADS];
	unsigned int started;
	uint32_t stop;	 /* (a) */
	uint64_t wrong;	 /* (a) */
	uint64_t rounds; /* (a) */
} avx;

/* One round: fill, linger, compare. Returns the number of bytes that changed. */
typedef size_t round_fn(const uint8_t *pattern);

#define FOR_REGISTERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LINGER "mov $2000, %%ecx\n1: pause\n dec %%ecx\n jnz 1b\n"

__attribute__((target("avx"))) static size_t round_avx(const uint8_t *pattern)
{
	uint8_t found[REGISTERS][32];

#define LOAD(n) "vmovdqu " #n "*32(%0), %%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*32(%1)\n"
	__asm__ volatile(FOR_REGISTERS(LOAD) LINGER FOR_REGISTERS(STORE) "vzeroupper"
			 :
			 : "r"(pattern), "r"(found)
			 : "memory", "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7");
#undef LOAD
#undef STORE
	return memcmp(found, pattern, sizeof(found)) != 0;
}

static size_t round_sse(const uint8_t *pattern)
{
	uint8_t found[REGISTERS][16];

#define LOAD(n) "movdqu " #n "*16(%0), %%xmm" #n "\n"
#define STORE(n) "movdqu %%xmm" #n ", " #n "*16(%1)\n"
	__asm__ volatile(FOR_REGISTERS(LOAD) LINGER FOR_REGISTERS(STORE)
			 :
			 : "r"(pattern), "r"(found)
			 : "memory", "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7");
#undef LOAD
#undef STORE
	return memcmp(found, pattern, sizeof(found)) != 0;
}

static void *avx_main(void *opaque)
{
	round_fn *round = __builtin_cpu_supports("avx") ? round_avx : round_sse;
	uint8_t pattern[REGISTERS * 32];
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + 0xa5 + (uintptr_t)opaque);
	while (!__atomic_load_n(&avx.stop, __ATOMIC_ACQUIRE)) {
		__atomic_add_fetch(&avx.wrong, round(pattern), __ATOMIC_RELAXED);
		__atomic_add_fetch(&avx.rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

void avx_start(void)
{
	uintptr_t i;

	avx.stop = 0;
	avx.wrong = 0;
	avx.rounds = 0;
	for (i = 0; i < THREADS; i++)
		if (!pthread_create(&avx.thread[i], NULL, avx_main, (void *)i))
			avx.started++;
}

uint64_t avx_stop(uint64_t *rounds)
{
	__atomic_store_n(&avx.stop, 1, __ATOMIC_RELEASE);
	while (avx.started)
		pthread_join(avx.thread[--avx.started], NULL);
	*rounds = avx.rounds;
	return avx.wrong;
}
