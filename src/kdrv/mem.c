// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Guest memory: slots of user memory, mapped into the nested tables on first touch and kept
 * honest by MMU interval notifiers. Nothing is pinned: when the host takes a page away, its entry
 * goes first.
 */
#include <linux/io.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "kdrv.h"

#define PAGES_2M 512
#define DROP_BYTES (256ull << 20)
#define AHEAD_MAX 16

/*
 * Remove the entries of a range, and make sure that no vCPU uses them any more; also when there are
 * none: whoever removed them just now may not have come that far. In pieces: the lock is spun for
 * with interrupts off. Nobody can bring an entry back meanwhile: the slot is gone, or its
 * notifier's sequence says that an invalidation is on.
 */
static void drop_entries(struct drv_vm *vm, mh_gpa gpa, u64 bytes)
{
	u64 piece;

	for (; bytes; gpa += piece, bytes -= piece) {
		piece = min_t(u64, bytes, DROP_BYTES);
		spin_lock(&vm->mmu_lock);
		mhi_npt_unmap(&vm->arch.npt, gpa, piece);
		spin_unlock(&vm->mmu_lock);
	}
	atomic_inc((atomic_t *)&vm->arch.flush_gen);
	mhi_host_sync_sections(vm);
}

/* The host changes [range->start, range->end) of the owner's memory. */
static bool invalidate(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	struct drv_watch *w = container_of(mni, struct drv_watch, mni);
	struct drv_vm *vm = w->vm;
	unsigned long start = max_t(unsigned long, range->start, mni->interval_tree.start);
	unsigned long end = min_t(unsigned long, range->end, mni->interval_tree.last + 1);

	spin_lock(&vm->mmu_lock);
	mmu_interval_set_seq(mni, seq);
	spin_unlock(&vm->mmu_lock);
	drop_entries(vm, w->gpa + (start - mni->interval_tree.start), end - start);
	return true;
}

static const struct mmu_interval_notifier_ops watch_ops = { .invalidate = invalidate };

static int slot_add(struct drv_vm *vm, const struct mhk_mem *arg)
{
	struct mhi_slot slot = {
		.gpa = arg->gpa,
		.bytes = arg->bytes,
		.hva = arg->hva,
		.readonly = arg->flags & MHK_MEM_READONLY,
	};
	struct drv_watch *w;
	int err;

	/* access_ok takes addresses with tags, under which the notifier would not be told. */
	if (!PAGE_ALIGNED(arg->hva) || !arg->bytes ||
	    !mhi_range_within(arg->hva, arg->bytes, TASK_SIZE_MAX))
		return -EINVAL;
	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w)
		return -ENOMEM;
	w->vm = vm;
	w->gpa = slot.gpa;
	w->bytes = slot.bytes;
	err = mmu_interval_notifier_insert(&w->mni, vm->mm, slot.hva, slot.bytes, &watch_ops);
	if (err)
		goto free;
	spin_lock(&vm->mmu_lock);
	err = mhi_slots_set(&vm->slots, arg->slot, &slot, vm->arch.npt.gpa_limit);
	spin_unlock(&vm->mmu_lock);
	if (err)
		goto remove;
	vm->watch[arg->slot] = w;
	return 0;
remove:
	mmu_interval_notifier_remove(&w->mni);
free:
	kfree(w);
	return err;
}

static int slot_clear(struct drv_vm *vm, u32 n)
{
	struct drv_watch *w = vm->watch[n];
	int err;

	spin_lock(&vm->mmu_lock);
	err = mhi_slots_clear(&vm->slots, n);
	spin_unlock(&vm->mmu_lock);
	if (err)
		return err;
	drop_entries(vm, w->gpa, w->bytes);
	vm->watch[n] = NULL;
	mmu_interval_notifier_remove(&w->mni);
	kfree(w);
	return 0;
}

long mhi_mem_set(void *object, union drv_arg *arg)
{
	struct drv_vm *vm = object;
	const struct mhk_mem *mem = &arg->mem;
	int err;

	if (mem->pad || mem->slot >= MHK_MAX_SLOTS)
		return -EINVAL;
	arg->mem.slot = mhi_index_nospec(mem->slot, MHK_MAX_SLOTS);
	/* Whose reader may wait for a page as long as user space likes. */
	if (down_write_killable(&vm->slots_sem))
		return -EINTR;
	err = mem->flags & MHK_MEM_CLEAR ? slot_clear(vm, mem->slot) : slot_add(vm, mem);
	up_write(&vm->slots_sem);
	return err;
}

/*
 * How large a leaf the host's backing allows at gpa, where the caller holds this page.
 */
static unsigned int leaf_level(struct drv_vcpu *vcpu, const struct mhi_slot *slot, mh_gpa gpa,
			       struct page *page, unsigned int gup_flags)
{
	unsigned int level = mhi_slot_leaf_level(slot, gpa, vcpu->vm->arch.npt.max_level);
	struct folio *folio = page_folio(page);
	unsigned long hva = (slot->hva + (gpa - slot->gpa)) & PMD_MASK;
	unsigned long first = page_to_pfn(page) & ~(PAGES_2M - 1ul);
	int got, i;
	bool contiguous;

	/* A hugetlb mapping is never split behind our back. */
	if (folio_test_hugetlb(folio))
		return min_t(unsigned int, level, 1 + folio_order(folio) / 9);
	if (level < 2 || folio_order(folio) < 9)
		return 1;
	/*
	 * A huge page may be mapped only in part: ask for each of its pages at the address in
	 * question. Those that are gone stay so: a balloon may have given them back.
	 */
	got = get_user_pages_fast_only(hva, PAGES_2M, gup_flags, vcpu->gup);
	contiguous = got == PAGES_2M;
	for (i = 0; i < got; i++) {
		contiguous &= page_to_pfn(vcpu->gup[i]) == first + i;
		put_page(vcpu->gup[i]);
	}
	return contiguous ? 2 : 1;
}

/*
 * How many pages a fault brings in: one; but where it goes on from the last fault's, twice as many
 * as that one's. So what is brought in for nothing is never more than what was touched in a row
 * just before, and 60 KiB: a host that overcommits its memory can bear that. All are below one
 * table.
 */
static unsigned int pages_ahead(struct drv_vcpu *vcpu, const struct mhi_slot *slot, mh_gpa gpa)
{
	u64 most = min_t(u64, (~gpa & ~PMD_MASK) + 1, slot->gpa + slot->bytes - gpa) >> PAGE_SHIFT;
	unsigned int pages = 1;

	if (vcpu->ahead && gpa == vcpu->ahead_gpa)
		pages = min_t(u64, most, min_t(unsigned int, 2 * vcpu->ahead, AHEAD_MAX));
	vcpu->ahead_gpa = gpa + pages * PAGE_SIZE;
	vcpu->ahead = pages;
	return pages;
}

/* Under mmu_lock. */
static int map_page(struct drv_vcpu *vcpu, const struct mhi_slot *slot, mh_gpa gpa,
		    struct page *page, unsigned int level)
{
	unsigned int prot = slot->readonly ? MHI_NPT_R | MHI_NPT_X : MHI_NPT_RWX;
	struct mhi_npt *npt = &vcpu->vm->arch.npt;
	u64 mask = ~(mhi_npt_level_bytes(level) - 1);
	int err;

	err = mhi_npt_map(npt, &vcpu->pool, gpa & mask, page_to_phys(page) & mask, level, prot);
	/*
	 * Smaller entries are there already (another vCPU, or an earlier page size): fill in at
	 * their size.
	 */
	if (err == MHI_EEXIST && level > 1)
		err = mhi_npt_map(npt, &vcpu->pool, gpa, page_to_phys(page), 1, prot);
	if (err && err != MHI_EEXIST)
		return err;
	/* The guest's writes leave no trace in the host's tables: reclaim would drop them. */
	if (!slot->readonly)
		folio_set_dirty(page_folio(page));
	return 0;
}

static void put_pages(struct page **page, int count)
{
	while (count > 0)
		put_page(page[--count]);
}

/* Pages from hva on into vcpu->gup: how many, the first of them at least, or none. May sleep. */
static int get_pages(struct drv_vcpu *vcpu, u64 hva, int pages, unsigned int gup_flags)
{
	int got = get_user_pages_fast_only(hva, pages, gup_flags, vcpu->gup);

	if (got == pages)
		return got;
	put_pages(vcpu->gup, got);
	/* This makes absent pages with half the detours that get_user_pages takes. */
	if (gup_flags & FOLL_WRITE)
		fault_in_safe_writeable((char __user *)hva, pages * PAGE_SIZE);
	return get_user_pages_fast(hva, pages, gup_flags, vcpu->gup);
}

static int map_once(struct drv_vcpu *vcpu, struct drv_watch *w, const struct mhi_slot *slot,
		    mh_gpa gpa, int pages)
{
	struct drv_vm *vm = vcpu->vm;
	unsigned int gup_flags = slot->readonly ? 0 : FOLL_WRITE;
	unsigned long seq;
	unsigned int level;
	struct page *first;
	int err, got, i;

	seq = mmu_interval_read_begin(&w->mni);
	got = get_pages(vcpu, slot->hva + (gpa - slot->gpa), pages, gup_flags);
	if (got < 1)
		return signal_pending(current) ? -EINTR : -EFAULT;
	first = vcpu->gup[0];
	/* The neighbours are in the same huge page, and leaf_level needs the room. */
	while (got > 1 && folio_order(page_folio(first)) >= 9)
		put_page(vcpu->gup[--got]);
	level = leaf_level(vcpu, slot, gpa, first, gup_flags);
	vcpu->gup[0] = first;
	spin_lock(&vm->mmu_lock);
	if (mmu_interval_read_retry(&w->mni, seq))
		err = -EAGAIN;
	else
		err = map_page(vcpu, slot, gpa, first, level);
	for (i = 1; !err && i < got; i++)
		map_page(vcpu, slot, gpa + i * PAGE_SIZE, vcpu->gup[i], 1);
	spin_unlock(&vm->mmu_lock);
	put_pages(vcpu->gup, got);
	return err;
}

int mhi_mem_fault(struct drv_vcpu *vcpu, mh_gpa gpa, u8 access)
{
	struct drv_vm *vm = vcpu->vm;
	const struct mhi_slot *slot;
	int err = 0, pages = 0;

	vcpu->arch.stats.faults++;
	gpa &= PAGE_MASK;
	if (down_read_killable(&vm->slots_sem))
		return -EINTR;
	slot = mhi_slots_find(&vm->slots, gpa);
	if (slot)
		pages = pages_ahead(vcpu, slot, gpa);
	/* The slot went away meanwhile: the guest's retry will tell what is there now. */
	while (slot) {
		err = mhi_npt_pool_fill(&vcpu->pool);
		if (!err)
			err = map_once(vcpu, vm->watch[slot - vm->slots.slot], slot, gpa, pages);
		if (err != -EAGAIN)
			break;
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	up_read(&vm->slots_sem);
	return err;
}

int mhi_mem_init(struct drv_vm *vm)
{
	const struct mhi_hv_caps *caps = &vm->arch.caps;

	spin_lock_init(&vm->mmu_lock);
	init_rwsem(&vm->slots_sem);
	return mhi_npt_init(&vm->arch.npt, caps->npt_fmt, caps->npt_max_level, caps->phys_bits);
}

void mhi_mem_fini(struct drv_vm *vm)
{
	unsigned int i;

	for (i = 0; i < MHK_MAX_SLOTS; i++) {
		if (!vm->watch[i])
			continue;
		mmu_interval_notifier_remove(&vm->watch[i]->mni);
		kfree(vm->watch[i]);
	}
	mhi_npt_fini(&vm->arch.npt);
}
