// SPDX-License-Identifier: MIT
/* A guest that stands still for GDB. */
#include "fake_gdb.h"

#include <string.h>

#define BASE 0x10000u

static int get(void *opaque, u32 cpu, u32 groups, struct mhk_state *s, u8 *fpu)
{
	struct fake_gdb *f = opaque;

	if (f->refuse || cpu >= FAKE_GDB_CPUS)
		return -1;
	*s = f->state[cpu];
	if (groups & MHK_G_FPU)
		memcpy(fpu, f->fpu[cpu], MHK_FPU_BYTES);
	f->last_cpu = cpu;
	return 0;
}

static int set(void *opaque, u32 cpu, u32 groups, const struct mhk_state *s, const u8 *fpu)
{
	struct fake_gdb *f = opaque;

	if (f->refuse || cpu >= FAKE_GDB_CPUS)
		return -1;
	f->state[cpu] = *s;
	if (groups & MHK_G_FPU)
		memcpy(f->fpu[cpu], fpu, MHK_FPU_BYTES);
	f->last_groups = groups;
	f->sets++;
	return 0;
}

static u8 *find(struct fake_gdb *f, bool physical, u64 at, u32 bytes)
{
	u64 offset = physical ? at : at - BASE;

	return offset <= FAKE_GDB_MEMORY && bytes <= FAKE_GDB_MEMORY - offset ? f->memory + offset
									      : NULL;
}

static int read_memory(void *opaque, u32 cpu, bool physical, u64 at, void *buf, u32 bytes)
{
	const u8 *there = find(opaque, physical, at, bytes);

	if (there)
		memcpy(buf, there, bytes);
	return there ? 0 : -1;
}

static int write_memory(void *opaque, u32 cpu, bool physical, u64 at, const void *buf, u32 bytes)
{
	u8 *there = find(opaque, physical, at, bytes);

	if (there)
		memcpy(there, buf, bytes);
	return there ? 0 : -1;
}

static int point(void *opaque, u32 cpu, bool insert, enum mhi_gdb_point kind, u64 at, u32 bytes)
{
	struct fake_gdb *f = opaque;

	f->points += insert ? 1 : -1u;
	return at == 0xbad ? -1 : 0;
}

static void resume(void *opaque, const u8 *action)
{
	struct fake_gdb *f = opaque;

	memcpy(f->action, action, sizeof(f->action));
	f->resumes++;
}

static void stop(void *opaque)
{
	((struct fake_gdb *)opaque)->stops++;
}

static void detach(void *opaque)
{
	((struct fake_gdb *)opaque)->detaches++;
}

static void kill_guest(void *opaque)
{
	((struct fake_gdb *)opaque)->kills++;
}

const struct mhi_gdb_target fake_gdb_target = {
	.get = get,
	.set = set,
	.read = read_memory,
	.write = write_memory,
	.point = point,
	.resume = resume,
	.stop = stop,
	.detach = detach,
	.kill = kill_guest,
};
