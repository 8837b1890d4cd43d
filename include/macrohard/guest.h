/* SPDX-License-Identifier: MIT */
/*
 * For guests: the hypercalls of a VM of libmacrohard. Freestanding C99 and C++, x86 in 32-bit and
 * 64-bit mode; no library is needed.
 *
 *	struct mhg_host host;
 *
 *	if (mhg_find(&host) == 0)
 *		version = mhg_call(&host, MHG_VERSION, 0, 0, 0, 0);
 *
 * Calling convention: VMCALL on CPUs of Intel, VMMCALL on those of AMD, with
 *
 *	RAX  the call's number
 *	RDI  MHG_KEY: it keeps these calls apart from those of KVM and Hyper-V
 *	RBX, RCX, RDX, RSI  its arguments; those that a call does not name are ignored
 *
 * and in RAX the result: 0 or more, or an error (MHG_E*). No other register changes. Outside of
 * 64-bit mode the registers are 32 bits wide. Only code of privilege level 0 may call; other code
 * gets MHG_EPERM. Addresses are guest-physical. A buffer must lie in guest memory wholly, and must
 * not be read-only when it is written to; it need not be aligned. The host copies it once.
 */
#ifndef MACROHARD_GUEST_H
#define MACROHARD_GUEST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * CPUID: at MHG_LEAF EAX is the last leaf of this interface, and EBX, ECX, EDX are
 * "Macrohard\0\0\0". At MHG_LEAF + 1 EAX is MHG_INTERFACE, EBX the host's version as MHG_VERSION
 * tells it, ECX the features as the VM was switched on, EDX MHG_KEY. Leaf 1 has ECX bit 31 set.
 */
#define MHG_LEAF 0x40000400u
#define MHG_SIGNATURE_EBX 0x7263614du
#define MHG_SIGNATURE_ECX 0x7261686fu
#define MHG_SIGNATURE_EDX 0x00000064u
#define MHG_INTERFACE 1u /* grows with what is added; nothing is taken away */
#define MHG_KEY 0x4348484du

/* ---- calls ---- */

/* The version of the host's library: major << 16 | minor << 8 | patch. */
#define MHG_VERSION 0x0001u

/* What is really there: MHG_F_*. The bits of handlers may change while the VM is paused. */
#define MHG_FEATURES 0x0002u
#define MHG_F_VERSION (1u << 0)
#define MHG_F_FEATURES (1u << 1)
#define MHG_F_MEMORY_MAP (1u << 2)
#define MHG_F_TIMER (1u << 3)
#define MHG_F_IPC (1u << 4)
#define MHG_F_CLIPBOARD (1u << 5)
#define MHG_F_DISPLAY (1u << 6)

/*
 * The guest's memory, in ascending order. RBX: address of the entries, struct mhg_memory; RCX: how
 * many have room there, 0: none is written. Returns how many there are; of more than have room the
 * first are written. MHG_EFAULT.
 */
#define MHG_MEMORY_MAP 0x0010u
#define MHG_MEMORY_MAX 72u /* there are never more */
#define MHG_MEMORY_RAM 1u
#define MHG_MEMORY_RESERVED 2u /* read-only memory, or the firmware's */

struct mhg_memory {
	uint64_t start, bytes;
	uint32_t type; /* MHG_MEMORY_*: the numbers of E820 */
	uint32_t reserved;
};

/*
 * Time, and one timer for each vCPU. RBX: MHG_TIMER_*; another one: MHG_EINVAL.
 *
 * MHG_TIMER_TIME: RCX: address of a struct mhg_time, which is written. Returns 0; MHG_EFAULT.
 *
 * MHG_TIMER_ARM: RCX: microseconds from now; RDX: an interrupt vector, 32 to 255, that the calling
 * vCPU's local APIC gets then, once, edge-triggered. What was armed before is forgotten. The time
 * is the host's: it goes on while the VM is paused. A reset disarms. Returns 0; MHG_ERANGE (more
 * than 2^32 - 1 microseconds), MHG_EINVAL (vector), MHG_ENOMEM.
 *
 * MHG_TIMER_CANCEL: returns 1 when the timer was armed, 0 when it was not, or has fired.
 */
#define MHG_TIMER 0x0020u
#define MHG_TIMER_TIME 0u
#define MHG_TIMER_ARM 1u
#define MHG_TIMER_CANCEL 2u

struct mhg_time {
	uint64_t monotonic_ns; /* the host's monotonic clock */
	uint64_t realtime_ns;  /* since 1970, UTC */
};

/*
 * A message to whoever embeds the VM, and his answer. RBX: a channel, or an operation, 32 bits, of
 * which only he knows the meaning; RCX: address of the buffer; RDX: bytes of the message in it;
 * RSI: room for the answer, which takes the message's place. Both are at most MHG_MESSAGE_MAX, and
 * may be 0. Returns the answer's bytes; MHG_ENOTSUP (nobody listens: the feature's bit is clear),
 * MHG_ERANGE (too long), MHG_EINVAL (the channel has more than 32 bits), MHG_EFAULT, MHG_ENOMEM:
 * the message was not delivered; and what the listener says: MHG_EINVAL, MHG_EPERM, MHG_ENOENT,
 * MHG_EBUSY, MHG_ERANGE, MHG_ENOTSUP, MHG_ENOMEM, MHG_EIO (anything else).
 */
#define MHG_IPC 0x0030u
#define MHG_CLIPBOARD 0x0040u
#define MHG_DISPLAY 0x0050u
#define MHG_MESSAGE_MAX 65536u

/* ---- errors ---- */

#define MHG_EPERM (-1)	 /* not at privilege level 0; the listener does not permit it */
#define MHG_ENOSYS (-2)	 /* there is no such call */
#define MHG_ENOTSUP (-3) /* nobody is there to do it */
#define MHG_EINVAL (-4)	 /* an argument is wrong */
#define MHG_EFAULT (-5)	 /* the buffer is not memory, or cannot be written to */
#define MHG_ERANGE (-6)	 /* a size or a time is too large */
#define MHG_ENOMEM (-7)	 /* the host has no memory for it */
#define MHG_EIO (-8)	 /* the listener failed */
#define MHG_EBUSY (-9)	 /* not now */
#define MHG_ENOENT (-10) /* there is no such channel or thing */

/* ---- for guests written in C ---- */

struct mhg_host {
	uint32_t interface; /* MHG_INTERFACE of the host */
	uint32_t version;   /* as MHG_VERSION */
	uint32_t features;  /* as the VM was switched on */
	uint32_t vmmcall;   /* 1: VMMCALL is the instruction, 0: VMCALL */
};

static inline void mhg_cpuid(uint32_t leaf, uint32_t regs[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
			 : "a"(leaf), "c"(0));
}

/* Is this a VM of libmacrohard's? 0, and *host; else MHG_ENOSYS. Any privilege level. */
static inline int mhg_find(struct mhg_host *host)
{
	uint32_t regs[4];

	mhg_cpuid(1, regs);
	if (!(regs[2] >> 31))
		return MHG_ENOSYS;
	mhg_cpuid(MHG_LEAF, regs);
	if (regs[0] < MHG_LEAF + 1 || regs[1] != MHG_SIGNATURE_EBX ||
	    regs[2] != MHG_SIGNATURE_ECX || regs[3] != MHG_SIGNATURE_EDX)
		return MHG_ENOSYS;
	mhg_cpuid(MHG_LEAF + 1, regs);
	host->interface = regs[0];
	host->version = regs[1];
	host->features = regs[2];
	/* "AuthenticAMD", "HygonGenuine" */
	mhg_cpuid(0, regs);
	host->vmmcall = regs[1] == 0x68747541u || regs[1] == 0x6f677948u;
	return 0;
}

static inline intptr_t mhg_call(const struct mhg_host *host, uintptr_t number, uintptr_t rbx,
				uintptr_t rcx, uintptr_t rdx, uintptr_t rsi)
{
	uintptr_t rax = number, rdi = MHG_KEY;

	if (host->vmmcall)
		__asm__ volatile("vmmcall"
				 : "+a"(rax)
				 : "b"(rbx), "c"(rcx), "d"(rdx), "S"(rsi), "D"(rdi)
				 : "memory");
	else
		__asm__ volatile("vmcall"
				 : "+a"(rax)
				 : "b"(rbx), "c"(rcx), "d"(rdx), "S"(rsi), "D"(rdi)
				 : "memory");
	return (intptr_t)rax;
}

#ifdef __cplusplus
}
#endif
#endif
