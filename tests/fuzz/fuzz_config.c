// SPDX-License-Identifier: MIT
/*
 * Fuzzes the reader of VM documents (libFuzzer). Whatever the bytes are: a document is refused with
 * a sentence, or what it became keeps the rules.
 */
#include <string.h>

#include "api/config.h"
#include "fuzz.h"

static struct mhi_err error;

/* Instead of src/api/ctx.c, which needs all of the library. */
struct mhi_err *mhi_ctx_err(struct mh_ctx *ctx);
struct mhi_err *mhi_ctx_err(struct mh_ctx *ctx)
{
	return &error;
}

/* Pieces that make a document out of few bytes: the input's bytes from 0x80 on choose them. */
static const char *const words[] = {
	"{\"schema\":\"macrohard.vm/1\",\"name\":\"n\",\"memory\":\"1G\",",
	"\"cpus\":",
	"\"boot\":{\"kernel\":\"k\",",
	"\"devices\":{",
	"\"disks\":[{\"path\":",
	"\"nets\":[{\"kind\":\"user\",",
	"\"forwards\":[{\"host_port\":80,\"guest_port\":80",
	"\"fds\":[1,2]",
	"\"shares\":[{\"path\":\"p\",\"tag\":\"t\"",
	"\"vsock\":{\"cid\":3",
	"\"balloon\":{\"bytes\":",
	"\"rng\":{\"slot\":",
	"\"watchdog\":{\"action\":\"pause\"}",
	"\"input\":{\"ps2\":false",
	"\"mac\":\"02:00:00:00:00:01\"",
	"\"tap\":\"t0\"",
	"\"slot\":5",
	"\"readonly\":true",
	"\"serial\":\"s\"",
	"18446744073709551616",
	"1e999",
	"\"0x100000\"",
	"\\u0000",
	"\\ud800",
	"\xc3\xa4",
	"}]}",
	"}}",
	"},{",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static size_t expand(const u8 *data, size_t size, char *text, size_t most)
{
	size_t used = 0;

	for (size_t n = 0; n < size; n++) {
		const char *word = data[n] >= 0x80 ? words[(data[n] - 0x80) % WORDS] : NULL;
		size_t bytes = word ? strlen(word) : 1;

		if (used + bytes > most)
			break;
		memcpy(text + used, word ? word : (const char *)&data[n], bytes);
		used += bytes;
	}
	return used;
}

static void check_config(const struct mh_config *config)
{
	if (config->vm.memory_bytes < 1 << 20 || config->vm.memory_bytes % MH_PAGE_SIZE)
		fuzz_die("accepted", "memory");
	if (config->vm.cpus < 1 || config->vm.cpus > 64)
		fuzz_die("accepted", "cpus");
	if (!config->vm.name || !config->vm.name[0])
		fuzz_die("accepted", "name");
	for (u32 n = 0; n < config->devices.disks.count; n++) {
		const struct mhi_cfg_disk *disk = config->devices.disks.items;

		if (!disk[n].c.path || disk[n].place.slot > 31)
			fuzz_die("accepted", "disk");
	}
}

static void check(const char *text, size_t bytes)
{
	struct mh_config *config = NULL;
	int rc = mh_config_parse((struct mh_ctx *)&error, text, bytes, NULL, "/folder", &config);

	if (!rc)
		check_config(config);
	else if (rc != MH_EFORMAT || config || strncmp(error.text, "document: ", 10))
		fuzz_die("refused without a reason", error.text);
	mh_config_free(config);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static char text[1 << 16];
	size_t bytes = expand(data, size, text, sizeof(text));

	check((const char *)data, size);
	check(text, bytes);
	return 0;
}
