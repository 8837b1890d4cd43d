/* SPDX-License-Identifier: MIT */
/* The report on a vCPU that cannot go on: what happened, and its registers. */
#include <stdarg.h>
#include <stdio.h>

#include "api/impl.h"

#define REPORT_GROUPS (MHK_G_GPR | MHK_G_RIP | MHK_G_SEG | MHK_G_CR)

struct report {
	char text[MHI_STOP_TEXT];
	size_t used;
};

static void put_args(struct report *r, const char *fmt, va_list args)
{
	size_t rest = sizeof(r->text) - r->used;
	int n = vsnprintf(r->text + r->used, rest, fmt, args);

	if (n > 0)
		r->used += (size_t)n < rest ? (size_t)n : rest - 1;
}

__attribute__((format(printf, 2, 3))) static void put(struct report *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_args(r, fmt, args);
	va_end(args);
}

static void put_registers(struct report *r, const struct mhk_state *s)
{
	static const char *const gpr[MHK_GPRS] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						   "rsi", "rdi", "r8 ", "r9 ", "r10", "r11",
						   "r12", "r13", "r14", "r15" };
	static const char *const seg[MHK_SEGS] = { "es ", "cs ", "ss ", "ds ",
						   "fs ", "gs ", "ldt", "tr " };
	unsigned int i;

	put(r, "\nrip %016llx rflags %08llx", (u64)s->rip, (u64)s->rflags);
	for (i = 0; i < MHK_GPRS; i++)
		put(r, "%s%s %016llx", i % 4 ? " " : "\n", gpr[i], (u64)s->gpr[i]);
	for (i = 0; i < MHK_SEGS; i++)
		put(r, "%s%s %04x base %016llx limit %08x attr %05x", i % 2 ? "  " : "\n", seg[i],
		    s->seg[i].sel, (u64)s->seg[i].base, s->seg[i].limit, s->seg[i].attr);
	put(r, "\ngdt base %016llx limit %04x  idt base %016llx limit %04x", (u64)s->gdt.base,
	    s->gdt.limit, (u64)s->idt.base, s->idt.limit);
	put(r, "\ncr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx cr8 %llx efer %llx xcr0 %llx",
	    (u64)s->cr0, (u64)s->cr2, (u64)s->cr3, (u64)s->cr4, (u64)s->cr8, (u64)s->efer,
	    (u64)s->xcr0);
}

void mhi_vcpu_fail(struct mh_vcpu *v, enum mh_stop_reason reason, const char *fmt, ...)
{
	struct report r = { .used = 0 };
	va_list args;

	put(&r, "vCPU %u: ", v->index);
	va_start(args, fmt);
	put_args(&r, fmt, args);
	va_end(args);
	if (mhi_vcpu_fetch(v, REPORT_GROUPS))
		put(&r, "\nits registers cannot be read");
	else
		put_registers(&r, &v->page->state);
	mhi_vm_request(v->vm, MHI_REQ_STOP, reason, r.text);
}
