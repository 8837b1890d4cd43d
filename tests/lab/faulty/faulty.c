// SPDX-License-Identifier: MIT
/*
 * A module with one fault of each kind that the debug kernel is to find: insmod faulty.ko
 * fault=NAME makes it, and then refuses to load.
 */
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *fault = "";
module_param(fault, charp, 0);

static void shift(void)
{
	int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	pr_info("faulty: %d\n", 1 << by);
}

static void sleep_in_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void list_added_twice(void)
{
	static LIST_HEAD(list);
	static struct list_head item;

	list_add(&item, &list);
	list_add(&item, &list);
}

static void on_timer(struct timer_list *t)
{
}

static void active_timer_freed(void)
{
	struct timer_list *t = kmalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return;
	timer_setup(t, on_timer, 0);
	mod_timer(t, jiffies + 1000 * HZ);
	kfree(t);
}

static void no_rcu_lock(void)
{
	static int __rcu *p;

	pr_info("faulty: %d\n", rcu_dereference(p) != NULL);
}

static void cpu_without_preempt(void)
{
	pr_info("faulty: %u\n", smp_processor_id());
}

static void leak(void)
{
	int i;

	for (i = 0; i < 8; i++)
		pr_info("faulty: %d\n", kmalloc(128, GFP_KERNEL) != NULL);
}

static void locks_in_both_orders(void)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void use_after_free(void)
{
	char *p = kmalloc(128, GFP_KERNEL);

	if (!p)
		return;
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	pr_info("faulty: %d\n", p[5]);
}

/* For sparse, not to be run. */
static void user_pointer(void)
{
	const int __user *p = NULL;

	pr_info("faulty: %d\n", *p);
}

static const struct {
	const char *name;
	void (*make)(void);
} faults[] = {
	{ "shift", shift },
	{ "sleep", sleep_in_spinlock },
	{ "list", list_added_twice },
	{ "timer", active_timer_freed },
	{ "rcu", no_rcu_lock },
	{ "preempt", cpu_without_preempt },
	{ "leak", leak },
	{ "locks", locks_in_both_orders },
	{ "free", use_after_free },
	{ "user", user_pointer },
};

static int __init faulty_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(faults[i].name, fault))
			faults[i].make();
	return -EAGAIN;
}

module_init(faulty_init);
MODULE_DESCRIPTION("Faults for the lab's debug kernel to find");
MODULE_LICENSE("Dual MIT/GPL");
