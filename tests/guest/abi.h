/* SPDX-License-Identifier: MIT */
/* What the guests and their runner agree on: the image's header, ports, addresses, host calls. */
#ifndef TESTS_GUEST_ABI_H
#define TESTS_GUEST_ABI_H

#define IMAGE_GPA 0x10000
#define IMAGE_MAGIC 0x74736575672d686d /* "mh-guest" */
#define GUEST_RAM_BYTES (16 << 20)

/* How the runner enters a guest. */
#define MODE_LONG 0
#define MODE_PROTECTED 1 /* flat, 32 bits, no paging */
#define MODE_REAL 2	 /* CS, DS, ES at the image's start */

/* How a guest is to end. */
#define END_EXIT 0     /* it writes to PORT_EXIT */
#define END_SHUTDOWN 1 /* triple fault */
#define END_ERROR 2    /* the library stops it, and its text holds guest_entry.text */
#define END_LOOP 3     /* it runs on until it is stopped */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* One guest of the image; all addresses are guest-physical. */
struct guest_entry {
	uint64_t name;	/* string */
	uint64_t entry; /* function; MODE_REAL: below 1 MiB */
	uint64_t text;	/* string: END_ERROR */
	uint32_t mode;	/* MODE_* */
	uint32_t end;	/* END_* */
	uint32_t cpus;
	uint32_t hyperv; /* 1: the VM speaks for Hyper-V, too */
};

/* At IMAGE_GPA. */
struct image_header {
	uint64_t magic;
	uint64_t table, table_end; /* struct guest_entry */
	uint64_t start;		   /* 64-bit entry: RDI = the guest's function */
	uint64_t stack;
	uint64_t cr3;
	uint64_t gdt, gdt_bytes;
	uint64_t info; /* struct guest_info, filled by the runner */
};

enum guest_engine { ENGINE_SHIM = 0, ENGINE_KVM }; /* prot_task_* know the values */

struct guest_info {
	uint32_t engine; /* enum guest_engine */
	uint32_t cpus;
};

#endif /* __ASSEMBLER__ */

/* Selectors of the image's GDT. */
#define SEL_CODE64 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_CODE16 0x20
#define SEL_DATA16 0x28
#define SEL_USER_CODE32 0x30
#define SEL_USER_DATA 0x38
#define SEL_USER_CODE64 0x40
#define SEL_ABSENT 0x48
#define SEL_TSS 0x50 /* 16 bytes for each CPU */

/* ---- ports ---- */

#define PORT_REPORT 0x500 /* 4 bytes: address of a struct report */
#define PORT_EXIT 0x504	  /* 4 bytes: the number of reports made */
#define PORT_SKIP 0x508	  /* 4 bytes: address of a string: why */
#define PORT_PANIC 0x50c  /* 4 bytes: address of a struct report: an unexpected exception */
#define PORT_CALL 0x510	  /* 4 bytes: address of a struct host_call */

/* A device of plain bytes, and ports that nobody handles. */
#define PORT_RAM 0x600
#define PORT_RAM_BYTES 0x100
#define PORT_NOBODY 0x700

#ifndef __ASSEMBLER__
/* One thing that a guest found, and what it must be. */
struct report {
	uint64_t got;
	uint64_t low, high; /* got must be in low .. high */
	uint32_t what;	    /* string: the expression */
	uint32_t file;	    /* string */
	uint32_t line;
	uint32_t pad;
};
#endif

/* ---- memory ---- */

/* A device of plain bytes behind MMIO; the last page of it has no handler. */
#define MMIO_GPA 0xd0000000
#define MMIO_BYTES 0x4000
#define MMIO_NOBODY 0xd8000000
/* Read-only memory, each byte is its offset. */
#define ROM_GPA 0xc8000000
#define ROM_BYTES 0x4000
/* Memory whose host side the guest can have changed by host calls. */
#define LOOSE_GPA 0xc4000000
#define LOOSE_BYTES 0x400000

/* ---- host calls ---- */

#define ACCESS_WRITE 1
#define ACCESS_MMIO 2

#ifndef __ASSEMBLER__
enum host_op {
	CALL_TIME = 1,	/* ret: the host's monotonic clock in ns */
	CALL_SLEEP,	/* arg[0] ms, on the vCPU's thread */
	CALL_MSI_AFTER, /* arg[0] ms from now: message arg[1], arg[2] */
	CALL_MUNMAP,	/* host memory of LOOSE: arg[0] offset, arg[1] bytes */
	CALL_DONTNEED,	/* likewise: contents become zero */
	CALL_REPLACE,	/* likewise: other memory, filled with bytes arg[2] */
	CALL_PROTECT,	/* likewise: made read-only for the host */
	CALL_ACCESSES,	/* number of accesses to the devices so far */
	CALL_ACCESS,	/* access number arg[0] -> struct device_access at arg[1] */
	CALL_REGS,	/* arg[0]: where the runner writes RIP, RFLAGS, RAX, R15; arg[1] -> R15 */
	CALL_AVX_START, /* host threads begin to compute in vector registers */
	CALL_AVX_STOP,	/* ret: how often a host thread found a wrong value; arg[0]: rounds */
	CALL_WRITE,	/* write arg[1] to guest address arg[0] through the library, 8 bytes */
	/*
	 * Memory slots, by another thread, with the VM paused meanwhile; the call returns at once.
	 */
	CALL_SLOT_UNMAP, /* the slot at arg[0] */
	/* at arg[0]: LOOSE's host memory from arg[1], arg[2] bytes, +1: read-only */
	CALL_SLOT_MAP,
	CALL_SLOT_COUNT, /* ret: how many of these are done */
	CALL_TSC,	 /* ret: the host's TSC */
	/* by another thread: pause for arg[0] ms; counted as the slots are */
	CALL_PAUSE,
	CALL_HOST_KHZ, /* ret: the frequency of the host's TSC */
};

struct host_call {
	uint32_t op;
	uint32_t pad;
	uint64_t arg[3];
	uint64_t ret;
};

/* What the runner does with a hypercall's message, by channel. */
enum {
	HC_CHANNEL_ECHO = 1,	 /* byte i of n is i * 7 + n; comes back XOR the call's number */
	HC_CHANNEL_NONE = 2,	 /* MH_ENOENT */
	HC_CHANNEL_TOO_MUCH = 3, /* more than there is room for */
	HC_CHANNEL_NEVER = 4,	 /* the guest fails */
};

struct device_access {
	uint64_t offset; /* from PORT_RAM or MMIO_GPA */
	uint64_t value;
	uint32_t bytes;
	uint32_t flags; /* ACCESS_* */
};
#endif

#endif
