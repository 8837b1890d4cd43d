/* SPDX-License-Identifier: MIT */
/* One guest in one VM: memory, devices, start state, and the judgement of its end. */
#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Access rights: SDM 3C 25.4.1 "Guest Register State". */
#define ATTR_CODE64 0xa09b
#define ATTR_CODE32 0xc09b
#define ATTR_CODE16 0x9b
#define ATTR_DATA 0xc093
#define ATTR_DATA16 0x93
#define ATTR_TSS 0x8b
#define FLAT 0xffffffffu
#define REAL_SEGMENT (IMAGE_GPA >> 4)
#define REAL_STACK 0x8000
#define CR0_REAL 0x10	     /* ET */
#define CR0_PROTECTED 0x31   /* NE, ET, PE */
#define CR0_LONG 0x80010033u /* PG, WP, NE, ET, MP, PE */
#define CR4_PAE 0x20
#define EFER_LONG 0xd00 /* NXE, LMA, LME */
#define LOOP_MS 300

const void *image_at(uint64_t gpa, size_t bytes)
{
	size_t size = (size_t)(guest_image_end - guest_image);

	if (gpa < IMAGE_GPA || bytes > size || gpa - IMAGE_GPA > size - bytes)
		return NULL;
	return guest_image + (gpa - IMAGE_GPA);
}

const char *image_text(uint64_t gpa)
{
	const char *text = image_at(gpa, 1);

	return text && memchr(text, 0, (size_t)((const char *)guest_image_end - text)) ? text : "?";
}

void run_fail(struct run *r, const char *fmt, ...)
{
	va_list args;

	pthread_mutex_lock(&r->lock);
	if (r->result != RUN_FAIL) {
		r->result = RUN_FAIL;
		va_start(args, fmt);
		vsnprintf(r->text, sizeof(r->text), fmt, args);
		va_end(args);
	}
	pthread_mutex_unlock(&r->lock);
}

/* ---- reports ---- */

static void on_report(struct run *r, uint64_t gpa)
{
	struct report rep;
	const char *file, *slash;
	char text[256];

	if (mh_vm_mem_read(r->vm, gpa, &rep, sizeof(rep))) {
		run_fail(r, "a report at 0x%llx, which is not memory", (unsigned long long)gpa);
		return;
	}
	file = image_text(rep.file);
	slash = strrchr(file, '/');
	file = slash ? slash + 1 : file;
	if (r->verbose)
		printf("    %s:%u: %s: 0x%llx\n", file, rep.line, image_text(rep.what),
		       (unsigned long long)rep.got);
	if (rep.got < rep.low || rep.got > rep.high) {
		snprintf(text, sizeof(text), "%s:%u: %s is 0x%llx, not 0x%llx%s%.0llx", file,
			 rep.line, image_text(rep.what), (unsigned long long)rep.got,
			 (unsigned long long)rep.low, rep.low == rep.high ? "" : " to 0x",
			 rep.low == rep.high ? 0ull : (unsigned long long)rep.high);
		printf("    %s: %s\n", r->name, text);
		run_fail(r, "%s", text);
	}
	pthread_mutex_lock(&r->lock);
	r->reports++;
	pthread_mutex_unlock(&r->lock);
}

static void on_panic(struct run *r, uint64_t gpa)
{
	struct report rep = { 0 };

	mh_vm_mem_read(r->vm, gpa, &rep, sizeof(rep));
	run_fail(r, "unexpected exception %u, error 0x%llx, at RIP 0x%llx, CR2 0x%llx", rep.line,
		 (unsigned long long)rep.low, (unsigned long long)rep.got,
		 (unsigned long long)rep.high);
	mh_vm_stop(r->vm);
}

static void on_exit_port(struct run *r, uint64_t reports)
{
	pthread_mutex_lock(&r->lock);
	r->exited = true;
	pthread_mutex_unlock(&r->lock);
	if (reports == 0 || reports != r->reports)
		run_fail(r, "%u reports arrived, the guest made %llu", r->reports,
			 (unsigned long long)reports);
	mh_vm_stop(r->vm);
}

static void on_skip(struct run *r, uint64_t gpa)
{
	pthread_mutex_lock(&r->lock);
	r->exited = true;
	if (r->result == RUN_OK) {
		r->result = RUN_SKIP;
		snprintf(r->text, sizeof(r->text), "%s", image_text(gpa));
	}
	pthread_mutex_unlock(&r->lock);
	mh_vm_stop(r->vm);
}

static void write_port(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct run *r = opaque;

	if (bytes != 4) {
		run_fail(r, "%u bytes written to port 0x%llx", bytes,
			 (unsigned long long)(PORT_REPORT + offset));
		return;
	}
	switch (PORT_REPORT + offset) {
	case PORT_REPORT:
		on_report(r, value);
		break;
	case PORT_EXIT:
		on_exit_port(r, value);
		break;
	case PORT_SKIP:
		on_skip(r, value);
		break;
	case PORT_PANIC:
		on_panic(r, value);
		break;
	case PORT_CALL:
		run_call(r, value);
		break;
	default:
		run_fail(r, "port 0x%llx means nothing",
			 (unsigned long long)(PORT_REPORT + offset));
	}
}

/* ---- devices of plain bytes ---- */

static void note_access(struct run *r, uint64_t offset, unsigned int bytes, uint64_t value,
			uint32_t flags)
{
	if (r->access_count < RUN_ACCESSES)
		r->accesses[r->access_count] =
			(struct device_access){ offset, value, bytes, flags };
	r->access_count++;
}

static uint64_t device(struct run *r, uint8_t *store, size_t size,
		       const struct device_access *access)
{
	uint64_t value = access->value;

	pthread_mutex_lock(&r->lock);
	if (access->offset + access->bytes <= size) {
		if (access->flags & ACCESS_WRITE)
			memcpy(store + access->offset, &value, access->bytes);
		else
			memcpy(&value, store + access->offset, access->bytes);
	}
	note_access(r, access->offset, access->bytes, value, access->flags);
	pthread_mutex_unlock(&r->lock);
	return value;
}

static uint64_t ram_port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct run *r = opaque;
	const struct device_access access = { offset, 0, bytes, 0 };

	return device(r, r->port_ram, sizeof(r->port_ram), &access);
}

static void ram_port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct run *r = opaque;
	const struct device_access access = { offset, value, bytes, ACCESS_WRITE };

	device(r, r->port_ram, sizeof(r->port_ram), &access);
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct run *r = opaque;
	const struct device_access access = { offset, 0, bytes, ACCESS_MMIO };

	return device(r, r->mmio_ram, sizeof(r->mmio_ram), &access);
}

static void mmio_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct run *r = opaque;
	const struct device_access access = { offset, value, bytes, ACCESS_MMIO | ACCESS_WRITE };

	device(r, r->mmio_ram, sizeof(r->mmio_ram), &access);
}

/* ---- making the VM ---- */

static void *host_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int add_memory(struct run *r)
{
	size_t i;
	int rc;

	r->rom = host_memory(ROM_BYTES);
	r->loose = host_memory(LOOSE_BYTES);
	if (!r->rom || !r->loose)
		return MH_ENOMEM;
	for (i = 0; i < ROM_BYTES; i++)
		r->rom[i] = (uint8_t)i;
	rc = mh_vm_mem_map(r->vm, ROM_GPA, r->rom, ROM_BYTES, MH_MEM_READONLY);
	return rc ? rc : mh_vm_mem_map(r->vm, LOOSE_GPA, r->loose, LOOSE_BYTES, 0);
}

static int add_devices(struct run *r)
{
	const struct mh_io_ops control = { 1, NULL, write_port };
	const struct mh_io_ops ports = { 1, ram_port_read, ram_port_write };
	const struct mh_io_ops mmio = { 1, mmio_read, mmio_write };
	int rc = mh_vm_pio_add(r->vm, PORT_REPORT, 0x20, &control, r);

	if (!rc)
		rc = mh_vm_pio_add(r->vm, PORT_RAM, PORT_RAM_BYTES, &ports, r);
	return rc ? rc : mh_vm_mmio_add(r->vm, MMIO_GPA, MMIO_BYTES, &mmio, r);
}

static struct mh_segment segment(uint16_t selector, uint64_t base, uint32_t limit, uint32_t attr)
{
	return (struct mh_segment){
		.selector = selector, .base = base, .limit = limit, .attr = attr
	};
}

static void flat_segments(struct mh_sregs *s, const struct image_header *h, uint16_t code,
			  uint32_t attr)
{
	s->cs = segment(code, 0, FLAT, attr);
	s->ds = s->es = s->fs = s->gs = s->ss = segment(SEL_DATA, 0, FLAT, ATTR_DATA);
	s->tr = segment(SEL_TSS, 0, 0x67, ATTR_TSS);
	s->gdt_base = h->gdt;
	s->gdt_limit = (uint32_t)h->gdt_bytes - 1;
}

static void start_long(struct mh_sregs *s, struct mh_regs *regs, const struct image_header *h,
		       const struct guest_entry *g)
{
	flat_segments(s, h, SEL_CODE64, ATTR_CODE64);
	s->cr0 = CR0_LONG;
	s->cr3 = h->cr3;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LONG;
	regs->rip = h->start;
	regs->rdi = g->entry;
	regs->rsp = h->stack;
}

static void start_protected(struct mh_sregs *s, struct mh_regs *regs, const struct image_header *h,
			    const struct guest_entry *g)
{
	flat_segments(s, h, SEL_CODE32, ATTR_CODE32);
	s->cr0 = CR0_PROTECTED;
	regs->rip = g->entry;
	regs->rsp = h->stack;
}

static void start_real(struct mh_sregs *s, struct mh_regs *regs, const struct guest_entry *g)
{
	s->cs = segment(REAL_SEGMENT, IMAGE_GPA, 0xffff, ATTR_CODE16);
	s->ds = s->es = segment(REAL_SEGMENT, IMAGE_GPA, 0xffff, ATTR_DATA16);
	s->fs = s->gs = s->ss = segment(0, 0, 0xffff, ATTR_DATA16);
	s->cr0 = CR0_REAL;
	regs->rip = g->entry - IMAGE_GPA;
	regs->rsp = REAL_STACK;
}

static int set_start(struct run *r, const struct image_header *h)
{
	struct mh_regs regs = { .rflags = 2 };
	struct mh_sregs s;
	int rc = mh_vcpu_get_sregs(r->vm, 0, &s);

	if (rc)
		return rc;
	switch (r->guest->mode) {
	case MODE_LONG:
		start_long(&s, &regs, h, r->guest);
		break;
	case MODE_PROTECTED:
		start_protected(&s, &regs, h, r->guest);
		break;
	case MODE_REAL:
		start_real(&s, &regs, r->guest);
		break;
	}
	rc = mh_vcpu_set_sregs(r->vm, 0, &s);
	return rc ? rc : mh_vcpu_set_regs(r->vm, 0, &regs);
}

static int set_tsc(struct run *r)
{
	r->host_khz = mh_vm_tsc_khz(r->vm);
	if (r->times == r->parts)
		return 0;
	return mh_vm_set_tsc_khz(r->vm, (uint32_t)((uint64_t)r->host_khz * r->times / r->parts));
}

static int make_vm(struct run *r, enum guest_engine engine)
{
	const struct image_header *h = image_at(IMAGE_GPA, sizeof(*h));
	const struct guest_info info = { .engine = engine, .cpus = r->guest->cpus };
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	int rc;

	config.name = r->name;
	config.memory_bytes = GUEST_RAM_BYTES;
	config.cpus = r->guest->cpus;
	config.flags = MH_VM_BARE | (r->guest->hyperv ? MH_VM_HYPERV : 0);
	rc = mh_vm_create(r->ctx, &config, &r->vm);
	if (!rc)
		rc = set_tsc(r);
	if (!rc)
		rc = add_memory(r);
	if (!rc)
		rc = add_devices(r);
	if (!rc)
		rc = run_add_listeners(r);
	if (!rc)
		rc = mh_vm_mem_write(r->vm, IMAGE_GPA, guest_image,
				     (uint64_t)(guest_image_end - guest_image));
	if (!rc)
		rc = mh_vm_mem_write(r->vm, h->info, &info, sizeof(info));
	return rc ? rc : set_start(r, h);
}

/* ---- the end ---- */

static void hung(struct run *r)
{
	struct mh_regs regs = { 0 };
	uint32_t i;
	char where[256];
	int n = 0;

	if (mh_vm_pause(r->vm)) {
		run_fail(r, "it did not end, and cannot be paused: %s", mh_last_error(r->ctx));
		return;
	}
	for (i = 0; i < r->guest->cpus && n < (int)sizeof(where) - 40; i++) {
		mh_vcpu_get_regs(r->vm, i, &regs);
		n += snprintf(where + n, sizeof(where) - (size_t)n, " 0x%llx",
			      (unsigned long long)regs.rip);
	}
	run_fail(r, "it did not end; RIP%s, RFLAGS 0x%llx, %u reports", where,
		 (unsigned long long)regs.rflags, r->reports);
}

static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n')
			*text = ';';
}

/* KVM does not tell what it was that it could not do. */
static bool says(const struct run *r, const char *text)
{
	return r->engine == ENGINE_KVM || strstr(text, image_text(r->guest->text));
}

static void judge(struct run *r)
{
	enum mh_stop_reason reason = mh_vm_stop_reason(r->vm);
	const char *text = mh_vm_stop_text(r->vm);

	if (r->result != RUN_OK)
		return;
	switch (r->guest->end) {
	case END_EXIT:
		if (!r->exited)
			run_fail(r, "it stopped: %s", text);
		break;
	case END_SHUTDOWN:
		if (reason != MH_STOP_SHUTDOWN)
			run_fail(r, "no triple fault; it stopped: %s", text);
		break;
	case END_ERROR:
		if (reason != MH_STOP_ERROR || !says(r, text))
			run_fail(r, "no \"%s\"; it stopped: %s", image_text(r->guest->text), text);
		break;
	case END_LOOP:
		if (reason != MH_STOP_REQUEST || r->exited)
			run_fail(r, "it did not run on; it stopped: %s", text);
		break;
	}
}

/* A guest that is to run on: it must be running still, and must be possible to stop. */
static void stop_loop(struct run *r)
{
	const struct timespec wait = { 0, LOOP_MS * 1000000l };

	nanosleep(&wait, NULL);
	if (mh_vm_state(r->vm) != MH_VM_RUNNING)
		return;
	if (mh_vm_stop(r->vm))
		run_fail(r, "cannot be stopped: %s", mh_last_error(r->ctx));
}

void run_guest(struct run *r, enum guest_engine engine, int timeout_ms)
{
	int rc;

	pthread_mutex_init(&r->lock, NULL);
	r->engine = engine;
	rc = make_vm(r, engine);
	if (!rc)
		rc = mh_vm_start(r->vm);
	if (rc) {
		run_fail(r, "%s: %s", mh_err_name(rc), mh_last_error(r->ctx));
	} else {
		if (r->guest->end == END_LOOP)
			stop_loop(r);
		if (mh_vm_wait(r->vm, timeout_ms))
			hung(r);
		else
			judge(r);
	}
	run_join_tasks(r);
	mh_vm_destroy(r->vm);
	if (r->rom)
		munmap(r->rom, ROM_BYTES);
	if (r->loose)
		munmap(r->loose, LOOSE_BYTES);
	one_line(r->text);
	pthread_mutex_destroy(&r->lock);
}
