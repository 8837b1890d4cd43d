// SPDX-License-Identifier: MIT
/*
 * Register state that no sane program commits, and a second thread that rewrites the shared page
 * while the vCPU runs. Nothing of it may hurt the host, and a good state committed afterwards must
 * run as ever.
 */
#include "ioctl_abuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PML4 0x4000u
#define MUTATIONS 4000
#define MUTATIONS_QUICK 400
#define GROUPS 7 /* all but the FPU image, which is tried apart */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Ends runs that would not end by themselves. */
struct kicker {
	pthread_t thread;
	int vcpu, stop;
};

static void *kicker_main(void *opaque)
{
	struct kicker *k = opaque;

	while (!__atomic_load_n(&k->stop, __ATOMIC_ACQUIRE)) {
		usleep(1000);
		ioctl(k->vcpu, MHK_KICK);
	}
	return NULL;
}

static void kicker_start(struct kicker *k, int vcpu)
{
	k->vcpu = vcpu;
	k->stop = 0;
	if (pthread_create(&k->thread, NULL, kicker_main, k))
		fatal("pthread_create");
}

static void kicker_stop(struct kicker *k)
{
	__atomic_store_n(&k->stop, 1, __ATOMIC_RELEASE);
	pthread_join(k->thread, NULL);
}

/* ---- good states to begin with ---- */

enum mode { REAL, FLAT32, LONG64, MODES };

static void good_state(struct mhk_state *s, const struct mhk_state *fresh, enum mode mode)
{
	int i;

	*s = *fresh;
	for (i = MHK_ES; i <= MHK_GS; i++)
		s->seg[i] = (struct mhk_seg){ .limit = ~0u,
					      .attr = mode == REAL ? 0x8093 : 0xc093,
					      .sel = mode == REAL ? 0 : 0x10 };
	s->seg[MHK_CS] = (struct mhk_seg){ .limit = 0xffff, .attr = 0x9b };
	s->rip = CODE;
	s->rflags = 2;
	if (mode == REAL)
		return;
	s->seg[MHK_CS] = (struct mhk_seg){ .limit = ~0u, .attr = 0xc09b, .sel = 8 };
	s->seg[MHK_TR].attr = 0x8b;
	s->cr0 |= 1;
	if (mode == FLAT32)
		return;
	s->seg[MHK_CS].attr = 0xa09b;
	s->cr0 |= 0x80000000;
	s->cr3 = PML4;
	s->cr4 |= 0x20;
	s->efer |= 0x500;
}

/*
 * The first GiB at its own addresses; the same code in all modes: INC m32 differs, so count by OUT.
 */
static void make(struct box *b, struct mhk_state *fresh)
{
	struct mhk_get get = { .size = sizeof(get), .groups = MHK_G_ALL & ~MHK_G_FPU };
	uint64_t i;

	box_make(b, &guest_out);
	b->page->user.commit = 0;
	WORKS(ioctl(b->vcpu, MHK_GET, &get));
	*fresh = b->page->state;
	for (i = CODE; i < 0x2000; i += 4)
		memcpy(b->ram + i, guest_out.code, 4);
	*(uint64_t *)(b->ram + PML4) = (PML4 + 0x1000) | 3;
	*(uint64_t *)(b->ram + PML4 + 0x1000) = (PML4 + 0x2000) | 3;
	for (i = 0; i < 512; i++)
		((uint64_t *)(b->ram + PML4 + 0x2000))[i] = i << 21 | 0x83;
}

static char changed[200]; /* by mutate: for the report */

/*
 * The vCPU is as good as new when it makes its OUT in that mode. Events are no state: one that was
 * never delivered may still come, once.
 */
static void recovers(struct box *b, const struct mhk_state *fresh, enum mode mode)
{
	int tries;

	for (tries = 0; tries < 2; tries++) {
		memset((void *)&b->page->user, 0, sizeof(b->page->user));
		good_state(&b->page->state, fresh, mode);
		b->page->user.commit = MHK_G_ALL & ~MHK_G_FPU;
		WORKS(-(errno = box_run(b)));
		if (b->page->exit.reason == MHK_EXIT_IO)
			break;
	}
	if (b->page->exit.reason == MHK_EXIT_IO && b->page->exit.u.io.port == 0x10)
		return;
	CHECK_VAL(false, b->page->exit.reason);
	printf("  mode %d, raw 0x%x, cr0 0x%llx cr3 0x%llx cr4 0x%llx efer 0x%llx cs 0x%x dr6 "
	       "0x%llx dr7 "
	       "0x%llx; changed last: %s\n",
	       (int)mode, b->page->exit.raw, (unsigned long long)b->page->state.cr0,
	       (unsigned long long)b->page->state.cr3, (unsigned long long)b->page->state.cr4,
	       (unsigned long long)b->page->state.efer, b->page->state.seg[MHK_CS].attr,
	       (unsigned long long)b->page->state.dr6, (unsigned long long)b->page->state.dr7,
	       changed);
}

/* ---- one thread: states with one or more wrong values ---- */

static const struct {
	size_t start, end;
} spans[GROUPS] = {
	{ offsetof(struct mhk_state, gpr), offsetof(struct mhk_state, rip) },
	{ offsetof(struct mhk_state, rip), offsetof(struct mhk_state, seg) },
	{ offsetof(struct mhk_state, seg), offsetof(struct mhk_state, cr0) },
	{ offsetof(struct mhk_state, cr0), offsetof(struct mhk_state, dr) },
	{ offsetof(struct mhk_state, dr), offsetof(struct mhk_state, star) },
	{ offsetof(struct mhk_state, star), offsetof(struct mhk_state, mp_state) },
	{ offsetof(struct mhk_state, mp_state), sizeof(struct mhk_state) },
};

static uint64_t strange(uint64_t old)
{
	switch (rnd() % 6) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return old ^ 1ull << rnd() % 64;
	case 3:
		return old ^ 1ull << rnd() % 32;
	case 4:
		return 0x7fffffffffff + rnd() % 2;
	default:
		return rnd();
	}
}

static uint32_t mutate(struct mhk_state *s)
{
	unsigned int i, count = (unsigned int)(1 + rnd() % 3);
	uint32_t groups = 0;
	size_t length = 0;

	for (i = 0; i < count; i++) {
		unsigned int g = (unsigned int)(rnd() % GROUPS);
		size_t at = spans[g].start + rnd() % ((spans[g].end - spans[g].start) / 8) * 8;
		uint64_t value;

		/* QEMU 7.2 itself dies when a guest has breakpoints. */
		if (in_qemu && (1u << g) == MHK_G_DR)
			continue;
		memcpy(&value, (uint8_t *)s + at, 8);
		value = strange(value);
		memcpy((uint8_t *)s + at, &value, 8);
		groups |= 1u << g;
		length += (size_t)snprintf(changed + length, sizeof(changed) - length,
					   "state+0x%zx = 0x%llx ", at, (unsigned long long)value);
	}
	return groups;
}

void test_state_mutated(void)
{
	unsigned int i, refused = 0, failed = 0, ran = 0;
	unsigned int rounds = quick ? MUTATIONS_QUICK : MUTATIONS;
	struct mhk_state fresh;
	struct kicker k;
	struct box b;

	make(&b, &fresh);
	kicker_start(&k, b.vcpu);
	for (i = 0; i < rounds; i++) {
		enum mode mode = (enum mode)(i % MODES);

		recovers(&b, &fresh, mode);
		good_state(&b.page->state, &fresh, mode);
		b.page->user.commit = mutate(&b.page->state) | MHK_G_RIP;
		if (rnd() % 8 == 0) {
			b.page->user.inject = MHK_INJECT_VALID | MHK_INJECT_EXCEPTION |
					      (rnd() % 2 ? MHK_INJECT_ERROR : 0) | (rnd() & 31);
			b.page->user.inject_error = (uint32_t)rnd();
		}
		b.page->user.debug = rnd() % 4 ? 0 : (uint32_t)rnd() & MHK_DEBUG_ALL;
		if (ioctl(b.vcpu, MHK_RUN) == 0) {
			failed += b.page->exit.reason == MHK_EXIT_ENTRY_FAILED;
			ran += b.page->exit.reason != MHK_EXIT_ENTRY_FAILED;
			CHECK_VAL(b.page->exit.reason < MHK_EXIT_COUNT, b.page->exit.reason);
		} else {
			CHECK_VAL(errno == EINVAL, errno);
			refused++;
		}
	}
	kicker_stop(&k);
	printf("  %u states refused, %u by the CPU, %u ran\n", refused, failed, ran);
	CHECK(refused > rounds / 20 && ran > rounds / 20);
	box_free(&b);
}

/* ---- two threads ---- */

struct writer {
	pthread_t thread;
	struct box *box;
	int stop;
};

static bool spared(size_t at)
{
	size_t dr = offsetof(struct mhk_run, state) + offsetof(struct mhk_state, dr);

	return in_qemu && at + 8 > dr && at < dr + sizeof(uint64_t) * 6;
}

static void write_strange(struct mhk_run *page)
{
	uint8_t *bytes = (uint8_t *)page;
	size_t at = rnd() % (MHK_RUN_BYTES / 8) * 8;

	switch (rnd() % 8) {
	case 0:
		page->user.commit = (uint32_t)rnd() & 0xff;
		break;
	case 1:
		page->user.wanted = (uint32_t)rnd() & 0xff;
		break;
	case 2:
		page->user.inject = MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | (rnd() & 0x81f);
		break;
	case 3:
		page->user.immediate_exit = rnd() % 4 == 0;
		page->user.debug = (uint32_t)rnd() & MHK_DEBUG_ALL;
		break;
	case 4:
		/* The header of the XSAVE image: what XRSTOR is particular about. */
		at = MHK_FPU_OFFSET + 512 + rnd() % 8 * 8;
		break;
	case 5:
		at = offsetof(struct mhk_run, state) + rnd() % (sizeof(struct mhk_state) / 8) * 8;
		break;
	case 6:
		at = rnd() % (sizeof(page->user) / 8) * 8;
		break;
	default:
		break;
	}
	if (spared(at))
		return;
	__atomic_store_n((uint64_t *)(bytes + at),
			 strange(__atomic_load_n((uint64_t *)(bytes + at), __ATOMIC_RELAXED)),
			 __ATOMIC_RELAXED);
}

static void *writer_main(void *opaque)
{
	struct writer *w = opaque;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
		write_strange(w->box->page);
	return NULL;
}

void test_page_rewritten(void)
{
	uint64_t end = now_ms() + (quick ? 1000 : 5000);
	struct mhk_get get = { .size = sizeof(get) };
	unsigned int runs = 0, refused = 0;
	struct mhk_state fresh;
	struct writer w = { 0 };
	struct kicker k;
	struct box b;

	if (in_qemu) {
		/* It then goes on without paging, as if the host had never been saved. */
		puts("  QEMU's SVM does not restore the host's CR0 from a guest with EFER.LME set, "
		     "CR4.PAE clear: left out");
		return;
	}
	make(&b, &fresh);
	kicker_start(&k, b.vcpu);
	w.box = &b;
	if (pthread_create(&w.thread, NULL, writer_main, &w))
		fatal("pthread_create");
	while (now_ms() < end) {
		if (runs % 16 == 0) {
			struct mhk_state s;

			good_state(&s, &fresh, (enum mode)(runs / 16 % MODES));
			b.page->state = s;
			b.page->user.commit = MHK_G_ALL & ~MHK_G_FPU;
			b.page->user.inject = 0;
		}
		runs++;
		if (ioctl(b.vcpu, MHK_RUN)) {
			CHECK_VAL(errno == EINVAL, errno);
			refused++;
		}
		get.groups = (uint32_t)runs & MHK_G_ALL;
		WORKS(ioctl(b.vcpu, MHK_GET, &get));
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELEASE);
	pthread_join(w.thread, NULL);
	kicker_stop(&k);
	printf("  %u runs, %u refused\n", runs, refused);
	CHECK(runs > 100 && refused > 0 && refused < runs);
	memset(b.page, 0, MHK_RUN_BYTES);
	recovers(&b, &fresh, REAL);
	recovers(&b, &fresh, LONG64);
	box_free(&b);
}
