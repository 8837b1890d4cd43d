/* SPDX-License-Identifier: MIT */
/* The preflight's report: its items in order, and the verdict. */
#include "api/probe.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/hw_error.h"

void mhi_probe_add(struct mh_probe *p, const struct mhi_probe_row *row, enum mh_probe_state state)
{
	struct mh_probe_item *item = &p->items[p->count];

	if (p->count == MHI_PROBE_ITEMS)
		return;
	item->id = row->id;
	item->name = row->name;
	item->source = row->source;
	item->level = row->level;
	item->state = state;
	item->detail = p->detail[p->count];
	item->cure = p->cure[p->count];
	snprintf(p->cure[p->count], MHI_PROBE_CURE, "%s", row->cure);
	p->count++;
}

void mhi_probe_detail(struct mh_probe *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->detail[p->count - 1], MHI_PROBE_DETAIL, fmt, args);
	va_end(args);
}

void mhi_probe_cure(struct mh_probe *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->cure[p->count - 1], MHI_PROBE_CURE, fmt, args);
	va_end(args);
}

void mhi_probe_fill(struct mh_probe *p, const struct mhi_probe_env *env)
{
	struct mhi_probe_facts f;

	mhi_probe_read_facts(env, &f);
	mhi_probe_cpu(p, &f);
	mhi_probe_module(p, &f);
	mhi_probe_host(p, &f);
	p->verdict = f.info_error;
	if (!p->verdict)
		p->verdict = mhi_hw_error(NULL, f.info.vendor, f.info.hw, f.info.missing);
}
