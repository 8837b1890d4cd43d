/* SPDX-License-Identifier: MIT */
/* The public preflight: mh_probe_*, on the machine that this process runs on. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/impl.h"
#include "api/probe.h"

static void real_cpuid(void *opaque, u32 leaf, u32 subleaf, u32 regs[4])
{
	__cpuid_count(leaf, subleaf, regs[0], regs[1], regs[2], regs[3]);
}

/* By the kernel's MSR driver, for root. */
static int real_msr(void *opaque, u32 index, u64 *value)
{
	int fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (pread(fd, value, sizeof(*value), index) != (ssize_t)sizeof(*value))
		error = -EIO;
	close(fd);
	return error;
}

/* Always the shim's: the KVM engine needs no preflight of ours. */
static int real_info(void *opaque, struct mhk_info *out, struct mhi_err *err)
{
	struct mhi_engine *engine;
	int error = mhi_engine_shim.open(opaque, &engine, err);

	if (error)
		return error;
	*out = *mhi_engine_shim.info(engine);
	mhi_engine_shim.close(engine);
	return 0;
}

int mh_probe_create(struct mh_ctx *ctx, struct mh_probe **out)
{
	struct mhi_probe_env env = {
		.root = "", .cpuid = real_cpuid, .msr = real_msr, .info = real_info
	};
	struct mh_probe *p;

	if (!ctx)
		return MH_EINVAL;
	if (!out)
		return mhi_err_set(mhi_ctx_err(ctx), MH_EINVAL,
				   "examine this machine: out is NULL; pass where the report goes");
	p = calloc(1, sizeof(*p));
	if (!p)
		return mhi_err_set(mhi_ctx_err(ctx), MH_ENOMEM,
				   "examine this machine: " MHI_NO_MEMORY);
	if (ctx->ops == &mhi_engine_shim)
		env.opaque = ctx->device;
	mhi_probe_fill(p, &env);
	*out = p;
	return 0;
}

void mh_probe_free(struct mh_probe *probe)
{
	if (probe)
		free(probe->json);
	free(probe);
}

size_t mh_probe_items(const struct mh_probe *probe, const struct mh_probe_item **items)
{
	if (items)
		*items = probe ? probe->items : NULL;
	return probe ? probe->count : 0;
}

int mh_probe_verdict(const struct mh_probe *probe)
{
	return probe ? probe->verdict : MH_EINVAL;
}

const char *mh_probe_json(struct mh_probe *probe)
{
	if (!probe)
		return NULL;
	if (!probe->json)
		probe->json = mhi_probe_to_json(probe);
	return probe->json;
}
