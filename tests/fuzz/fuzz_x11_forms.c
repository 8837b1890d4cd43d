// SPDX-License-Identifier: MIT
/*
 * Fuzzes what the X11 library reads of other programs (libFuzzer): contents of the clipboard, and
 * lists of what is damaged. Paths that went out come back; nothing grows beyond its limit.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "x11/clip.h"

#define MOST 4096u

static struct mhi_x_bytes copy(const u8 *data, size_t size)
{
	struct mhi_x_bytes b = { NULL, 0, 0 };

	if (!mhi_x_bytes_add(&b, data, size, UINT32_MAX))
		fuzz_die("no memory", "");
	return b;
}

/* Lines of paths, each of them with a "/" before it and no byte that ends it early. */
static void check_paths(const struct mhi_x_bytes *b)
{
	const char *at = (const char *)b->data, *end = at + b->bytes, *next;

	for (; at < end; at = next + 1) {
		next = memchr(at, '\n', (size_t)(end - at));
		if (!next || *at != '/' || memchr(at, 0, (size_t)(next - at)))
			fuzz_die("paths", "a line is none");
	}
}

static void files(const u8 *data, size_t size)
{
	struct mhi_x_bytes first = copy(data, size), again;

	mhi_x_from_uris(&first);
	if (first.bytes > size)
		fuzz_die("paths", "longer than their URIs");
	check_paths(&first);
	again = copy(first.data, first.bytes);
	if (!mhi_x_to_uris(&again, UINT32_MAX) || !mhi_x_from_uris(&again))
		fuzz_die("paths", "not taken");
	if (again.bytes != first.bytes ||
	    (first.bytes && memcmp(again.data, first.data, first.bytes)))
		fuzz_die("paths", "others came back");
	mhi_x_bytes_free(&again);
	again = copy(data, size);
	if (mhi_x_to_uris(&again, MOST) && again.bytes > MOST)
		fuzz_die("URIs", "more than the limit");
	mhi_x_bytes_free(&again);
	mhi_x_bytes_free(&first);
}

static void latin1(const u8 *data, size_t size)
{
	struct mhi_x_bytes b = copy(data, size);

	if (!mhi_x_from_latin1(&b, UINT32_MAX) || !mhi_x_to_latin1(&b))
		fuzz_die("Latin-1", "not taken");
	if (b.bytes != size || (size && memcmp(b.data, data, size)))
		fuzz_die("Latin-1", "another text came back");
	mhi_x_to_latin1(&b);
	mhi_x_bytes_free(&b);
}

/* Everything that was damaged is in the list. */
static void damage(const u8 *data, size_t size)
{
	struct mhi_x_damage d = { .count = 0 };
	struct mh_rect r, part, last = { 0, 0, 0, 0 };
	bool found = false;

	for (; size >= sizeof(r); data += sizeof(r), size -= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		r.width &= 0x7fffffff;
		r.height &= 0x7fffffff;
		mhi_x_damage_add(&d, &r);
		last = r;
	}
	if (d.count > MHI_X_DAMAGE_MAX)
		fuzz_die("damage", "too many");
	for (u32 n = 0; n < d.count; n++)
		found |= mhi_x_common(&d.rect[n], &last, &part) && mhi_x_same(&part, &last);
	if (last.width && last.height && !found)
		fuzz_die("damage", "lost");
}

static void title(const u8 *data, size_t size)
{
	struct mhi_x_bytes b = copy(data, size);
	char once[64], twice[64];
	size_t bytes;

	if (!mhi_x_bytes_add(&b, "", 1, UINT32_MAX))
		fuzz_die("no memory", "");
	bytes = mhi_x_clean(once, sizeof(once), (const char *)b.data);
	if (bytes >= sizeof(once) || bytes != strlen(once))
		fuzz_die("title", "its size");
	for (size_t n = 0; n < bytes; n++) {
		if ((u8)once[n] < 0x20 || once[n] == 0x7f)
			fuzz_die("title", "a control character");
	}
	if (mhi_x_clean(twice, sizeof(twice), once) != bytes || strcmp(once, twice))
		fuzz_die("title", "it was not clean");
	mhi_x_bytes_free(&b);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	files(data, size);
	latin1(data, size);
	damage(data, size);
	title(data, size);
	return 0;
}
