// SPDX-License-Identifier: MIT
/* Failures of VMs: their memory and handlers, their states, the rules about their CPUs. */
#include "errors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HIGH 0x100000000ull /* beyond what "web" has */

struct mh_vm *bare_vm(uint64_t bytes)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;

	mh_vm_destroy(vm);
	vm = NULL;
	config.name = "bare";
	config.flags = MH_VM_BARE;
	config.memory_bytes = bytes;
	if (mh_vm_create(ctx, &config, &vm))
		die(mh_last_error(ctx));
	return vm;
}

/* ---- memory and handlers ---- */

static void *pages(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static int unaligned(void)
{
	return mh_vm_mem_map(vm, HIGH + 1, pages(4096), 4096, 0);
}

static int overlapping(void)
{
	return mh_vm_mem_map(vm, 0x1000, pages(4096), 4096, 0);
}

static int beyond(void)
{
	return mh_vm_mem_map(vm, 1ull << 52, pages(4096), 4096, 0);
}

static int strange_flags(void)
{
	return mh_vm_mem_map(vm, HIGH, pages(4096), 4096, 2);
}

static int nothing_to_map(void)
{
	return mh_vm_mem_map(vm, HIGH, NULL, 4096, 0);
}

static int too_many_pieces(void)
{
	char *at = pages(4096 * 1000);
	int rc = 0;

	for (unsigned int n = 0; n < 1000 && !rc; n++)
		rc = mh_vm_mem_map(vm, HIGH + n * 8192ull, at + n * 4096, 4096, 0);
	return rc;
}

static int not_mapped(void)
{
	return mh_vm_mem_unmap(vm, HIGH);
}

static int read_nothing(void)
{
	char byte[8];

	return mh_vm_mem_read(vm, HIGH, byte, sizeof(byte));
}

static int write_nothing(void)
{
	return mh_vm_mem_write(vm, (64u << 20) - 4, "too long", 8);
}

static const struct mh_io_ops ops = { 1, NULL, NULL };

static int port_taken(void)
{
	return mh_vm_pio_add(vm, 0x70, 2, &ops, NULL);
}

static int no_addresses(void)
{
	return mh_vm_mmio_add(vm, HIGH, 0, &ops, NULL);
}

static int no_handler(void)
{
	return mh_vm_pio_remove(vm, 0x700);
}

static int no_message(void)
{
	return mh_vm_msi(vm, 0x1000, 0x20);
}

static const struct error_row memory_rows[] = {
	{ "memory at no page", unaligned, MH_EINVAL,
	  "map memory of VM \"web\" at 0x100000001, 0x1000 bytes",
	  "it is empty, wraps around, or is not aligned",
	  "gpa, hva and bytes must be multiples of 4096", NULL },
	{ "memory where there is some", overlapping, MH_EEXIST,
	  "map memory of VM \"web\" at 0x1000, 0x1000 bytes",
	  "it overlaps memory that is mapped already", "unmap that, or choose another place",
	  NULL },
	{ "memory where the CPU has no addresses", beyond, MH_ERANGE,
	  "map memory of VM \"web\" at 0x10000000000000, 0x1000 bytes",
	  "beyond the guest's physical address width", "map it below (mh_probe tells the width)",
	  NULL },
	{ "unknown flags", strange_flags, MH_EINVAL, "map memory of VM \"web\"",
	  "flags has unknown bits 0x2", "use MH_MEM_* or 0", NULL },
	{ "no memory of the host", nothing_to_map, MH_EINVAL, "map memory of VM \"web\"",
	  "a pointer is NULL", "pass one", NULL },
	{ "too many pieces", too_many_pieces, MH_ERANGE, "map memory of VM \"web\"",
	  "all * slots are in use", "map larger pieces", NULL },
	{ "unmapping what is not mapped", not_mapped, MH_ENOENT, "unmap memory of VM \"web\"",
	  "no mapping of the caller starts at 0x100000000",
	  "name the gpa that mh_vm_mem_map was given", NULL },
	{ "reading where there is no memory", read_nothing, MH_EFAULT,
	  "read memory of VM \"web\" at 0x100000000, 8 bytes", "part of it is not memory",
	  "stay within memory_bytes and what is mapped", NULL },
	{ "writing beyond the memory's end", write_nothing, MH_EFAULT,
	  "write memory of VM \"web\" at 0x3fffffc, 8 bytes", "part of it is not memory",
	  "stay within memory_bytes and what is mapped", NULL },
	{ "ports that the RTC has", port_taken, MH_EEXIST,
	  "PIO handler of VM \"web\" at 0x70, 0x2 long", "another handler has part of the range",
	  "choose another range", NULL },
	{ "a handler for nothing", no_addresses, MH_EINVAL,
	  "MMIO handler of VM \"web\" at 0x100000000, 0x0 long",
	  "the range is empty or wraps, or ops.version is not 1", "correct them", NULL },
	{ "removing a handler that is not there", no_handler, MH_ENOENT,
	  "PIO handler of VM \"web\" at 0x700, 0x0 long", "no handler starts there",
	  "name the start that it was added with", NULL },
	{ "an interrupt message to nobody", no_message, MH_EINVAL, "message to VM \"web\"",
	  "0x1000, 0x20 is not an interrupt message",
	  "the address is 0xFEExxxxx, the vector 16 or more", NULL },
};
ERROR_GROUP(memory_errors, "Memory and handlers", NEEDS_VM, memory_rows);

/* ---- states ---- */

static void start_bare(void)
{
	static const unsigned char hlt[] = { 0xf4, 0xeb, 0xfd };
	struct mh_sregs sregs;
	struct mh_regs regs = { .rip = 0x1000, .rflags = 2 };

	bare_vm(1u << 20);
	if (mh_vm_mem_write(vm, 0x1000, hlt, sizeof(hlt)) || mh_vcpu_get_sregs(vm, 0, &sregs))
		die(mh_last_error(ctx));
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	if (mh_vcpu_set_sregs(vm, 0, &sregs) || mh_vcpu_set_regs(vm, 0, &regs) || mh_vm_start(vm))
		die(mh_last_error(ctx));
}

static int start_running(void)
{
	start_bare();
	return mh_vm_start(vm);
}

static int start_paused(void)
{
	start_bare();
	if (mh_vm_pause(vm))
		die(mh_last_error(ctx));
	return mh_vm_start(vm);
}

static int pause_created(void)
{
	return mh_vm_pause(vm);
}

static int resume_running(void)
{
	start_bare();
	return mh_vm_resume(vm);
}

static int stop_created(void)
{
	return mh_vm_stop(vm);
}

static int wait_too_short(void)
{
	start_bare();
	return mh_vm_wait(vm, 20);
}

static int button_of_created(void)
{
	return mh_vm_power_button(vm);
}

static int button_of_bare(void)
{
	return mh_vm_power_button(bare_vm(1u << 20));
}

static int registers_of_running(void)
{
	struct mh_regs regs;

	start_bare();
	return mh_vcpu_get_regs(vm, 0, &regs);
}

static int registers_of_nobody(void)
{
	struct mh_regs regs;

	return mh_vcpu_get_regs(vm, 7, &regs);
}

static int segment_limits(void)
{
	struct mh_sregs sregs;

	if (mh_vcpu_get_sregs(vm, 0, &sregs))
		die(mh_last_error(ctx));
	sregs.gdt_limit = 0x10000;
	return mh_vcpu_set_sregs(vm, 0, &sregs);
}

static int events_unasked(void)
{
	struct mh_event event = MH_EVENT_INIT;

	return mh_vm_event_read(vm, &event);
}

static int events_nowhere(void)
{
	return mh_vm_event_read(vm, NULL);
}

static int metrics_nowhere(void)
{
	return mh_vm_metrics(vm, NULL);
}

/* Nothing of a report that is none is touched. */
static int probe_nowhere(void)
{
	const struct mh_probe_item *items;

	if (mh_probe_items(NULL, &items) || items || mh_probe_items(NULL, NULL) ||
	    mh_probe_verdict(NULL) != MH_EINVAL || mh_probe_json(NULL) ||
	    mh_probe_create(NULL, NULL) != MH_EINVAL)
		return 0;
	return mh_probe_create(ctx, NULL);
}

static const struct error_row state_rows[] = {
	{ "starting what runs", start_running, MH_ESTATE, "start VM \"bare\"", "it is running",
	  "pause or stop it first", NULL },
	{ "starting what is paused", start_paused, MH_ESTATE, "start VM \"bare\"", "it is paused",
	  "resume it", NULL },
	{ "pausing what does not run", pause_created, MH_ESTATE, "pause VM \"web\"",
	  "it is created", "start it first", NULL },
	{ "resuming what runs", resume_running, MH_ESTATE, "resume VM \"bare\"", "it is running",
	  "pause it first", NULL },
	{ "stopping what was never started", stop_created, MH_ESTATE, "stop VM \"web\"",
	  "it is created", "start it first", NULL },
	{ "waiting too short for the end", wait_too_short, MH_ETIMEDOUT, "wait for VM \"bare\"",
	  "not stopped after 20 ms", "wait longer, or stop it", NULL },
	{ "the power button of what does not run", button_of_created, MH_ESTATE,
	  "power button of VM \"web\"", "it is not running", "start or resume it first", NULL },
	{ "the power button of a VM without a machine", button_of_bare, MH_EINVAL,
	  "power button of VM \"bare\"", "a bare VM (MH_VM_BARE) has none", "stop it by mh_vm_stop",
	  NULL },
	{ "registers while the guest runs", registers_of_running, MH_ESTATE,
	  "registers of VM \"bare\"", "vCPU 0 runs", "pause the VM first", NULL },
	{ "registers of a vCPU that is not there", registers_of_nobody, MH_EINVAL,
	  "registers of VM \"web\"", "there is no vCPU 7", "choose one from 0 to 0", NULL },
	{ "registers that no CPU can have", segment_limits, MH_EINVAL,
	  "set system registers of VM \"web\"", "vCPU 0: no CPU can have these values",
	  "look for reserved bits, non-canonical addresses, limits above 0xffff of GDT and IDT, "
	  "and CR0, CR4 and EFER that contradict each other",
	  NULL },
	{ "events that nobody asked for", events_unasked, MH_ESTATE, "read an event of VM \"web\"",
	  "none are kept", "call mh_vm_events_fd first", NULL },
	{ "an event to nowhere", events_nowhere, MH_EINVAL, "read an event of VM \"web\"",
	  "out is NULL, or out->size is not set", "use MH_EVENT_INIT", NULL },
	{ "metrics to nowhere", metrics_nowhere, MH_EINVAL, "metrics of VM \"web\"",
	  "out is NULL, or out->size is not set", "use MH_VM_METRICS_INIT", NULL },
	{ "the report on this machine has no place", probe_nowhere, MH_EINVAL,
	  "examine this machine", "out is NULL", "pass where the report goes", NULL },
};
ERROR_GROUP(state_errors, "States and registers", NEEDS_VM, state_rows);

/* ---- rules ---- */

static int rule_backwards(void)
{
	struct mh_msr_rule rule = MH_MSR_RULE_INIT;

	rule.first = 0x200;
	rule.last = 0x100;
	return mh_vm_msr_rule(vm, &rule);
}

static int rules_too_many(void)
{
	struct mh_msr_rule rule = MH_MSR_RULE_INIT;
	int rc = 0;

	rule.first = rule.last = 0x100;
	rule.action = MH_MSR_DENY;
	for (int n = 0; n <= MH_RULES_MAX && !rc; n++)
		rc = mh_vm_msr_rule(vm, &rule);
	return rc;
}

static int rule_allows_too_much(void)
{
	struct mh_msr_rule rule = MH_MSR_RULE_INIT;

	rule.last = 0xffff;
	rule.action = MH_MSR_ALLOW;
	return mh_vm_msr_rule(vm, &rule);
}

static int ports_too_high(void)
{
	struct mh_port_rule rule = MH_PORT_RULE_INIT;

	rule.last = 0x10000;
	return mh_vm_port_rule(vm, &rule);
}

static int no_port_rule(void)
{
	return mh_vm_port_rule(vm, NULL);
}

static int no_rule(void)
{
	return mh_vm_msr_rule(vm, NULL);
}

static int cpuid_flags(void)
{
	struct mh_cpuid_rule rule = MH_CPUID_RULE_INIT;

	rule.flags = 8;
	return mh_vm_cpuid_rule(vm, &rule);
}

static int cpuid_seen(void)
{
	struct mh_cpuid_rule rule = MH_CPUID_RULE_INIT;

	start_bare();
	if (mh_vm_pause(vm))
		die(mh_last_error(ctx));
	return mh_vm_cpuid_rule(vm, &rule);
}

static int tsc_unscaled(void)
{
	int rc = mh_vm_set_tsc_khz(vm, mh_vm_tsc_khz(vm) / 2);

	return rc ? rc : CANNOT; /* a CPU that can */
}

static int tsc_beyond(void)
{
	int rc = mh_vm_set_tsc_khz(vm, 1);

	return rc == MH_EMISSING ? CANNOT : rc;
}

static int tsc_seen(void)
{
	start_bare();
	if (mh_vm_pause(vm))
		die(mh_last_error(ctx));
	return mh_vm_set_tsc_khz(vm, 2000000);
}

static const struct error_row rule_rows[] = {
	{ "MSRs from high to low", rule_backwards, MH_EINVAL, "MSR rule of VM \"web\"",
	  "MSRs 0x200 to 0x100: first is above last", "exchange them", NULL },
	{ "too many rules", rules_too_many, MH_ERANGE, "MSR rule of VM \"web\"",
	  "MSRs 0x100 to 0x100: there are 64 rules already", "join neighbours into one", NULL },
	{ "too many MSRs of the guest's own", rule_allows_too_much, MH_ERANGE,
	  "MSR rule of VM \"web\"",
	  "MSRs 0x0 to 0xffff: rules with MH_MSR_ALLOW have more than 256 MSRs",
	  "allow fewer, or use MH_MSR_CALL", NULL },
	{ "ports that do not exist", ports_too_high, MH_EINVAL, "port rule of VM \"web\"",
	  "ports 0x0 to 0x10000: last is above 0xffff", "end there", NULL },
	{ "no rule about ports", no_port_rule, MH_EINVAL, "port rule of VM \"web\"",
	  "it is NULL, its size is not set, or it asks for what only a newer library can do",
	  "use the INIT macro", NULL },
	{ "no rule", no_rule, MH_EINVAL, "MSR rule of VM \"web\"",
	  "it is NULL, its size is not set, or it asks for what only a newer library can do",
	  "use the INIT macro", NULL },
	{ "unknown flags of a CPUID rule", cpuid_flags, MH_EINVAL, "CPUID rule of VM \"web\"",
	  "flags has unknown bits 0x8", "use MH_CPUID_* or 0", NULL },
	{ "a CPUID rule for a guest that has begun", cpuid_seen, MH_ESTATE,
	  "CPUID rule of VM \"bare\"", "it is paused, and its guest has seen CPUID",
	  "add rules before the start, or stop it", NULL },
	{ "a TSC frequency that the CPU cannot make", tsc_unscaled, MH_EMISSING,
	  "TSC of VM \"web\"",
	  "* kHz: the CPU lacks TSC scaling, or the engine does not use it, and the host's TSC has "
	  "* "
	  "kHz",
	  "choose that, or 0, or another CPU", NULL },
	{ "a TSC frequency beyond what CPUs scale to", tsc_beyond, MH_ERANGE, "TSC of VM \"web\"",
	  "1 kHz: the host's TSC has * kHz", "choose * to *", NULL },
	{ "a TSC frequency for a guest that has begun", tsc_seen, MH_ESTATE, "TSC of VM \"bare\"",
	  "it is paused, and its guest has seen it",
	  "set its frequency before the start, or stop it", NULL },
};
ERROR_GROUP(rule_errors, "Rules about ports, MSRs, CPUID and the TSC", NEEDS_VM, rule_rows);

/* ---- the sandbox ---- */

static int sandbox_level(void)
{
	struct mh_sandbox_config config = MH_SANDBOX_CONFIG_INIT;

	config.level = MH_SANDBOX_NONE;
	return mh_sandbox_enter(ctx, &config);
}

static int sandbox_allow(void)
{
	struct mh_sandbox_config config = MH_SANDBOX_CONFIG_INIT;

	config.level = MH_SANDBOX_DEVICES;
	config.allow = MH_SANDBOX_ALLOW_OPEN;
	return mh_sandbox_enter(ctx, &config);
}

static int sandbox_late(void)
{
	const struct mh_sandbox_config config = MH_SANDBOX_CONFIG_INIT;

	start_bare();
	return mh_sandbox_enter(ctx, &config);
}

static int sandbox_of_thread(void)
{
	return mh_sandbox_thread(vm);
}

static const struct error_row sandbox_rows[] = {
	{ "no level", sandbox_level, MH_EINVAL, "sandbox", "config.level is 0",
	  "use MH_SANDBOX_DEVICES or MH_SANDBOX_PROCESS", NULL },
	{ "exceptions for a thread that has no rules", sandbox_allow, MH_EINVAL, "sandbox",
	  "config.allow is for the thread that calls, which has no rules of its own here",
	  "leave it 0", NULL },
	{ "its guest has run", sandbox_late, MH_ESTATE, "sandbox", "VM \"bare\" has been started",
	  "call before mh_vm_start", NULL },
	{ "a thread, where there is none", sandbox_of_thread, MH_ESTATE, "sandbox of a thread",
	  "the process has none", "call mh_sandbox_enter before", NULL },
};
ERROR_GROUP(sandbox_errors, "The sandbox", NEEDS_VM, sandbox_rows);
