// SPDX-License-Identifier: MIT
/*
 * Guests that compute something checkable while the host changes around them. By the public API;
 * each argument is a step:
 *   ENGINE+   start one more VM on that engine (shim or kvm)
 *   ENGINE!   a start is refused with MH_EBUSY, and the text has a cure
 *   ENGINE=   all VMs of that engine go on and have computed right
 *   ENGINE_   pause all VMs of that engine
 *   ENGINE^   resume them
 *   ENGINE#   all VMs of that engine were stopped by the loss of the CPU, and say so
 *   ENGINE-   destroy all VMs of that engine
 *   @COMMAND  a shell command that must succeed
 *   ~COMMAND  a shell command that must fail
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define CODE 0x1000u
#define VALUE 0x2000u /* x */
#define COUNT 0x2004u /* how often x was replaced by x * FACTOR + TERM */
#define FACTOR 1664525u
#define TERM 1013904223u
#define VMS_MAX 8
#define ROUNDS 3
#define WAIT_MS 60000

extern const uint8_t guest_code[], guest_end[];
__asm__(".pushsection .rodata\n.code16\n"
	"guest_code:\n"
	"1: imull $1664525, 0x2000, %eax\n"
	"addl $1013904223, %eax\n"
	"movl %eax, 0x2000\n"
	"incl 0x2004\n"
	"jmp 1b\n"
	"guest_end:\n.code64\n.popsection\n");

struct side {
	const char *name;
	enum mh_engine_kind kind;
	struct mh_ctx *ctx;
	struct mh_vm *vm[VMS_MAX];
	int vms;
};

static struct side sides[] = {
	{ .name = "shim", .kind = MH_ENGINE_SHIM },
	{ .name = "kvm", .kind = MH_ENGINE_KVM },
};

static const char *step;

static void die(const char *what, const char *why)
{
	printf("robust_steps: %s: %s (%s)\n", step, what, why);
	exit(EXIT_FAILURE);
}

static void must(const struct side *s, int rc, const char *what)
{
	if (rc)
		die(what, mh_last_error(s->ctx));
}

static void nap_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- VMs ---- */

static int vm_create(struct side *s, struct mh_vm **vm)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_sregs sregs;
	struct mh_regs regs = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };
	int rc;

	config.name = s->name;
	config.memory_bytes = 0x10000;
	config.flags = MH_VM_BARE;
	/* The second one waits for its start all the time: a thread asleep in the kernel. */
	config.cpus = 2;
	rc = mh_vm_create(s->ctx, &config, vm);
	if (rc)
		return rc;
	must(s, mh_vm_mem_write(*vm, CODE, guest_code, (size_t)(guest_end - guest_code)), "write");
	must(s, mh_vcpu_get_sregs(*vm, 0, &sregs), "get sregs");
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	must(s, mh_vcpu_set_sregs(*vm, 0, &sregs), "set sregs");
	must(s, mh_vcpu_set_regs(*vm, 0, &regs), "set regs");
	rc = mh_vm_start(*vm);
	if (rc)
		mh_vm_destroy(*vm);
	return rc;
}

static void start(struct side *s)
{
	if (s->vms == VMS_MAX)
		die("start", "too many VMs");
	must(s, vm_create(s, &s->vm[s->vms]), "start");
	s->vms++;
}

static void refused(struct side *s)
{
	struct mh_vm *vm;
	int rc = vm_create(s, &vm);
	const char *text = mh_last_error(s->ctx);

	if (rc != MH_EBUSY)
		die("expected MH_EBUSY", rc ? text : "it was not refused");
	/* Ours knows who it is, too. */
	if (!strstr(text, s->kind == MH_ENGINE_SHIM ? "modprobe -r kvm_" : "unload"))
		die("no cure in the text", text);
	printf("  %s\n", text);
}

static uint32_t read32(struct side *s, int i, uint64_t gpa)
{
	uint32_t value;

	must(s, mh_vm_mem_read(s->vm[i], gpa, &value, 4), "read");
	return value;
}

static void wait_progress(struct side *s, int i)
{
	uint32_t from = read32(s, i, COUNT);
	int ms;

	for (ms = 0; ms < WAIT_MS && read32(s, i, COUNT) - from < 100; ms++) {
		if (mh_vm_state(s->vm[i]) == MH_VM_STOPPED)
			die("the VM stopped", mh_vm_stop_text(s->vm[i]));
		nap_ms(1);
	}
	if (ms == WAIT_MS)
		die("the guest makes no progress", s->name);
}

/*
 * x after so many laps, by squaring the lap. One by one, a check would take longer than the laps
 * that it checks, and the checks would never catch up with the guests.
 */
static uint32_t after(uint32_t laps)
{
	uint32_t x = 0, factor = FACTOR, term = TERM;

	for (; laps; laps >>= 1) {
		if (laps & 1)
			x = x * factor + term;
		term = term * factor + term;
		factor *= factor;
	}
	return x;
}

static void computed_right(struct side *s, int i)
{
	uint32_t count, value, expected;

	wait_progress(s, i);
	must(s, mh_vm_pause(s->vm[i]), "pause");
	count = read32(s, i, COUNT);
	value = read32(s, i, VALUE);
	must(s, mh_vm_resume(s->vm[i]), "resume");
	expected = after(count);
	/* It may have been paused between storing x and counting it. */
	if (value != expected && value != expected * FACTOR + TERM)
		die("the guest has computed wrongly", s->name);
}

static void go_on(struct side *s)
{
	int round, i;

	if (!s->vms)
		die("no VM", s->name);
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < s->vms; i++)
			computed_right(s, i);
}

static void lost(struct side *s)
{
	int i;

	for (i = 0; i < s->vms; i++) {
		must(s, mh_vm_wait(s->vm[i], WAIT_MS), "wait for its end");
		if (mh_vm_stop_reason(s->vm[i]) != MH_STOP_ERROR ||
		    !strstr(mh_vm_stop_text(s->vm[i]), "another hypervisor"))
			die("stopped otherwise", mh_vm_stop_text(s->vm[i]));
	}
}

static void pause_all(struct side *s)
{
	int i;

	for (i = 0; i < s->vms; i++)
		must(s, mh_vm_pause(s->vm[i]), "pause");
}

static void resume_all(struct side *s)
{
	int i;

	for (i = 0; i < s->vms; i++)
		must(s, mh_vm_resume(s->vm[i]), "resume");
}

static void end(struct side *s)
{
	while (s->vms)
		mh_vm_destroy(s->vm[--s->vms]);
}

/* ---- steps ---- */

static int shell(const char *command)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return status;
}

static void vm_step(struct side *s, char what)
{
	switch (what) {
	case '+':
		start(s);
		break;
	case '!':
		refused(s);
		break;
	case '=':
		go_on(s);
		break;
	case '#':
		lost(s);
		break;
	case '_':
		pause_all(s);
		break;
	case '^':
		resume_all(s);
		break;
	case '-':
		end(s);
		break;
	default:
		die("no such step", s->name);
	}
}

static void do_step(void)
{
	size_t i;

	if (step[0] == '@' || step[0] == '~') {
		if ((shell(step + 1) == 0) != (step[0] == '@'))
			die("the command", step[0] == '@' ? "failed" : "did not fail");
		return;
	}
	for (i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		size_t length = strlen(sides[i].name);

		if (strncmp(step, sides[i].name, length) == 0 && strlen(step) == length + 1) {
			vm_step(&sides[i], step[length]);
			return;
		}
	}
	die("no such step", "see the top of robust_steps.c");
}

int main(int argc, char **argv)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	size_t i;
	int arg;

	for (i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		config.engine = sides[i].kind;
		if (mh_ctx_create(&config, &sides[i].ctx))
			return EXIT_FAILURE;
	}
	for (arg = 1; arg < argc; arg++) {
		step = argv[arg];
		do_step();
		printf("ok  %s\n", step);
		fflush(stdout);
	}
	for (i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		end(&sides[i]);
		mh_ctx_destroy(sides[i].ctx);
	}
	return EXIT_SUCCESS;
}
