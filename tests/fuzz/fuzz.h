/* SPDX-License-Identifier: MIT */
/* What fuzz targets share: an input taken in pieces, and how a target says what is wrong. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/types.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

struct fuzz_input {
	const u8 *at, *end;
};

static inline bool fuzz_more(const struct fuzz_input *in)
{
	return in->at < in->end;
}

/* The next bytes as a number, the first one highest; zeroes behind the end. */
static inline u64 fuzz_take(struct fuzz_input *in, unsigned int bytes)
{
	u64 value = 0;

	while (bytes-- && fuzz_more(in))
		value = value << 8 | *in->at++;
	return value;
}

static inline void fuzz_fill(struct fuzz_input *in, void *buf, size_t bytes)
{
	for (u8 *p = buf; bytes--; p++)
		*p = (u8)fuzz_take(in, 1);
}

_Noreturn static inline void fuzz_die(const char *what, const char *detail)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, detail);
	abort();
}

#endif
