// SPDX-License-Identifier: MIT
/*
 * Runs a fuzz target without libFuzzer, the same way each time: on files, and on inputs made of
 * random bytes, of earlier inputs and by the target's own mutator.
 */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"
#include "rng.h"

#define POOL 64
#define MUTATIONS_MOST 12

size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);
/* A target may have one. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max,
						     unsigned int seed);

static struct rng rng;

size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max)
{
	size_t at = size ? rng_below(&rng, size) : 0, n;

	switch (rng_below(&rng, 4)) {
	case 0: /* one bit */
		if (size)
			data[at] ^= (u8)(1u << rng_below(&rng, 8));
		break;
	case 1: /* a byte that is often an edge */
		if (size)
			data[at] = (u8)(rng_below(&rng, 2) ? rng_next(&rng)
							   : 0xffu << rng_below(&rng, 9));
		break;
	case 2: /* less */
		n = rng_below(&rng, size - at + 1);
		memmove(data + at, data + at + n, size - at - n);
		size -= n;
		break;
	default: /* more at the end */
		for (n = rng_below(&rng, 64); n && size < max; n--)
			data[size++] = (u8)rng_next(&rng);
	}
	return size;
}

static size_t mutate(u8 *data, size_t size, size_t max)
{
	if (LLVMFuzzerCustomMutator)
		return LLVMFuzzerCustomMutator(data, size, max, (unsigned int)rng_next(&rng));
	return LLVMFuzzerMutate(data, size, max);
}

/* In memory that ends where the input ends. */
static void run(const u8 *data, size_t size)
{
	u8 *copy = malloc(size ? size : 1);

	if (!copy)
		fuzz_die("out of memory", "an input");
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_file(const char *path)
{
	static u8 data[1 << 16];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f)
		fuzz_die("cannot be opened", path);
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, size);
}

/* A file, or all files of a folder in order. */
static void run_path(const char *path)
{
	struct dirent **entry;
	int n = scandir(path, &entry, NULL, alphasort);
	char file[4096];

	if (n < 0)
		run_file(path);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name);
		if (entry[i]->d_name[0] != '.')
			run_file(file);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
}

static void run_random(unsigned long runs, size_t max)
{
	u8 *pool[POOL], *data = malloc(max);
	size_t size[POOL] = { 0 }, bytes;

	for (unsigned int i = 0; i < POOL; i++)
		pool[i] = malloc(max);
	while (runs--) {
		unsigned int pick = (unsigned int)rng_below(&rng, POOL);
		u64 n = rng_below(&rng, MUTATIONS_MOST);

		bytes = size[pick];
		memcpy(data, pool[pick], bytes);
		if (!rng_below(&rng, 3))
			for (bytes = 0; bytes < max && rng_below(&rng, max / 2);)
				data[bytes++] = (u8)rng_next(&rng);
		while (n--)
			bytes = mutate(data, bytes, max);
		run(data, bytes);
		memcpy(pool[pick], data, bytes);
		size[pick] = bytes;
	}
	for (unsigned int i = 0; i < POOL; i++)
		free(pool[i]);
	free(data);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: %s RUNS SEED LONGEST [FILE|FOLDER...]\n", argv[0]);
		return 2;
	}
	rng.s = strtoull(argv[2], NULL, 0) + 1;
	for (int i = 4; i < argc; i++)
		run_path(argv[i]);
	run_random(strtoul(argv[1], NULL, 0), strtoul(argv[3], NULL, 0));
	return 0;
}
