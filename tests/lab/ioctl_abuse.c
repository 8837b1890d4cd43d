// SPDX-License-Identifier: MIT
/*
 * Abuse of the kernel's interface: every ioctl with wrong arguments, in every state, from wrong
 * processes and in several threads; memory that changes under a running guest; processes that are
 * stopped, traced, frozen, moved and killed. Every wrong call has its error, and after each test
 * nothing is left.
 * usage: ioctl_abuse [quick] [TEST...]
 */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

unsigned int failures;
bool in_qemu, quick;
const char *self;

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "numbers", test_numbers },
	{ "sizes", test_sizes },
	{ "pointers", test_pointers },
	{ "states", test_states },
	{ "in-use", test_in_use },
	{ "mmap", test_mmap },
	{ "create", test_create },
	{ "slots", test_slots },
	{ "slot-memory", test_slot_memory },
	{ "memory-moves", test_memory_moves },
	{ "memory-fork", test_memory_fork },
	{ "memory-end", test_memory_end },
	{ "memory-free", test_memory_free },
	{ "memory-huge", test_memory_huge },
	{ "memory-ahead", test_memory_ahead },
	{ "doorbells", test_doorbells },
	{ "doorbell-limits", test_doorbell_limits },
	{ "debug", test_debug },
	{ "own-page", test_own_page },
	{ "state-mutated", test_state_mutated },
	{ "page-rewritten", test_page_rewritten },
	{ "passed-fds", test_passed_fds },
	{ "fork-exec", test_fork_exec },
	{ "signals", test_signals },
	{ "ptrace", test_ptrace },
	{ "migration", test_migration },
	{ "freezer", test_freezer },
	{ "kill", test_kill },
	{ "limits", test_limits },
	{ "many", test_many },
	{ "wild", test_wild },
	{ "wild-together", test_wild_together },
};

static bool cpu_is_qemu(void)
{
	char line[256];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, "model name", 10) == 0 && strstr(line, "QEMU") != NULL;
	if (f)
		fclose(f);
	return found;
}

static void run_test(size_t i)
{
	unsigned int before = failures;
	uint64_t from = now_ms();
	uint32_t left;

	tests[i].run();
	/* The last reference may be dropped a moment later, by a process that is being reaped. */
	for (left = vms_alive(); left && now_ms() - from < 60000; left = vms_alive())
		nap_ms(10);
	CHECK_VAL(left == 0, left);
	printf("%s %s (%llu ms)\n", failures == before ? "ok  " : "FAIL", tests[i].name,
	       (unsigned long long)(now_ms() - from));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t i;
	int arg = 1;

	if (argc == 4 && strcmp(argv[1], "exec-child") == 0)
		return exec_child((int)strtol(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10));
	self = argv[0];
	in_qemu = cpu_is_qemu();
	if (arg < argc && strcmp(argv[arg], "quick") == 0) {
		quick = true;
		arg++;
	}
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		int a = arg;

		while (a < argc && strcmp(argv[a], tests[i].name) != 0)
			a++;
		if (arg == argc || a < argc)
			run_test(i);
	}
	if (failures)
		printf("%u failures\n", failures);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
