// SPDX-License-Identifier: MIT
/*
 * Fuzzes hypercalls: any registers at any privilege, over memory with a read-only page and a hole.
 * Read-only memory does not change, and the result is one that is documented.
 */
#include "fuzz.h"
#include "guest_ram.h"
#include "integration/hypercall.h"
#include "macrohard/error.h"

#define RAM_BYTES (64ull << 10)
#define ROM 0x20000ull
#define WORST MHG_ENOENT

static struct guest_ram ram;
static u8 rom[MHI_PAGE_SIZE] __attribute__((aligned(4096)));
static u32 armed;

static void tell_time(void *opaque, struct mhg_time *out)
{
	memset(out, 0xee, sizeof(*out));
}

static int timer_arm(void *opaque, u32 vcpu, u64 us, u8 vector)
{
	if (us >> 32 || vector < 32)
		fuzz_die("a timer", "out of range");
	armed++;
	return 0;
}

static bool timer_cancel(void *opaque, u32 vcpu)
{
	return armed != 0;
}

/* Reads and writes all that it may, and answers as the first byte says. */
static int listen(void *opaque, struct mh_hypercall *msg)
{
	const u8 *in = msg->in;
	u32 sum = 0, i;

	for (i = 0; i < msg->in_bytes; i++)
		sum += in[i];
	memset(msg->out, (int)sum, msg->out_room);
	msg->out_bytes = msg->in_bytes ? in[0] * 7u : msg->out_room;
	return msg->in_bytes && in[0] > 200 ? -(int)(in[0] - 200) : 0;
}

/* Often near an edge of memory. */
static u64 take_value(struct fuzz_input *in)
{
	static const u64 near[] = { 0,		RAM_BYTES,	ROM, ROM + MHI_PAGE_SIZE, ~0ull,
				    1ull << 32, MHG_MESSAGE_MAX };
	u8 kind = (u8)fuzz_take(in, 1);

	if (kind < 128)
		return near[kind % MHI_COUNT(near)] + fuzz_take(in, 1) - 128;
	return fuzz_take(in, kind % 8 + 1);
}

static void take_call(struct fuzz_input *in, struct mhi_hc_call *call)
{
	static const u32 numbers[] = { MHG_VERSION, MHG_FEATURES,  MHG_MEMORY_MAP, MHG_TIMER,
				       MHG_IPC,	    MHG_CLIPBOARD, MHG_DISPLAY };
	u8 kind = (u8)fuzz_take(in, 1);

	*call = (struct mhi_hc_call){ .vcpu = kind & 1, .wide = (kind & 2) != 0, .key = MHG_KEY };
	call->cpl = kind >= 240 ? 3 : 0;
	call->number = kind & 4 ? numbers[fuzz_take(in, 1) % MHI_COUNT(numbers)] : take_value(in);
	for (u32 i = 0; i < MHI_HC_ARGS; i++)
		call->arg[i] = take_value(in);
	if (call->number == MHG_TIMER)
		call->arg[0] %= 4;
}

static void check(const struct mhi_hc_call *call, u64 result)
{
	s64 value = call->wide ? (s64)result : (s32)result;

	if (!call->wide && result >> 32)
		fuzz_die("a result", "of more than 32 bits");
	if (value < WORST)
		fuzz_die("a result", "that is not documented");
	if (call->cpl && value != MHG_EPERM)
		fuzz_die("user mode", "was served");
	for (u32 i = 0; i < sizeof(rom); i++)
		if (rom[i] != 0xaa)
			fuzz_die("read-only memory", "was written");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct mhi_hypercalls hc = { .env = { .mem = &ram.mem,
					      .version = 0x10000,
					      .firmware_start = 0x800,
					      .firmware_end = 0x1800,
					      .time = tell_time,
					      .timer_arm = timer_arm,
					      .timer_cancel = timer_cancel } };
	const struct mhi_slot slot = { ROM, sizeof(rom), (u64)(uintptr_t)rom, true };
	struct mhi_hc_call call;

	guest_ram_init(&ram, RAM_BYTES);
	memset(rom, 0xaa, sizeof(rom));
	if (mhi_slots_set(&ram.mem.slots, 5, &slot, ram.mem.gpa_limit))
		fuzz_die("cannot prepare", "memory");
	mhi_hc_handler(&hc, MH_HC_IPC)->fn = listen;
	mhi_hc_handler(&hc, MH_HC_DISPLAY)->fn = listen;
	while (fuzz_more(&in)) {
		take_call(&in, &call);
		check(&call, mhi_hc_do(&hc, &call));
	}
	guest_ram_fini(&ram);
	return 0;
}
