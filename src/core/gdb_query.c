// SPDX-License-Identifier: MIT
/* GDB's remote serial protocol: what gdb asks about the stub and the threads, and sets. */
#include "core/gdb_priv.h"

#include <string.h>

static void list_threads(struct mhi_gdb *g)
{
	u32 i;

	mhi_gdb_begin(g);
	for (i = 0; i < g->cpus; i++) {
		mhi_rsp_text(&g->out, i ? "," : "m");
		mhi_gdb_put_thread(g, i);
	}
}

static void thread_info(struct mhi_gdb *g, const char *at)
{
	struct mhk_state s;
	u32 cpu;
	const char *what;
	char name[32] = "vCPU ";
	size_t n = strlen(name);

	if (!mhi_gdb_take_thread(g, &at, &cpu) || cpu == MHI_GDB_ALL ||
	    g->target->get(g->opaque, cpu, MHK_G_MISC, &s, NULL)) {
		mhi_gdb_fail(g, MHI_GDB_NOENT);
		return;
	}
	if (cpu > 9)
		name[n++] = (char)('0' + cpu / 10);
	name[n++] = (char)('0' + cpu % 10);
	what = s.mp_state == MHK_MP_HALTED	? " [halted]"
	       : s.mp_state == MHK_MP_WAIT_SIPI ? " [waits for SIPI]"
						: " [running]";
	memcpy(name + n, what, strlen(what));
	mhi_gdb_begin(g);
	mhi_rsp_hex(&g->out, name, n + strlen(what));
}

static void on_supported(struct mhi_gdb *g, const char *at)
{
	g->swbreak = strstr(at, "swbreak+") != NULL;
	mhi_gdb_begin(g);
	mhi_rsp_text(&g->out, "PacketSize=");
	mhi_rsp_number(&g->out, MHI_RSP_PACKET);
	mhi_rsp_text(&g->out, ";qXfer:features:read+;vContSupported+;QStartNoAckMode+;"
			      "swbreak+;hwbreak+");
}

static void on_features(struct mhi_gdb *g, const char *at)
{
	u64 size = strlen(mhi_gdb_target_xml), from, bytes;

	if (!mhi_rsp_take(&at, "target.xml:") || !mhi_gdb_take_range(&at, &from, &bytes) ||
	    from > size) {
		mhi_gdb_fail(g, 0);
		return;
	}
	/* Each byte may need an escape. */
	if (bytes > MHI_RSP_PACKET / 2 - 1)
		bytes = MHI_RSP_PACKET / 2 - 1;
	if (bytes > size - from)
		bytes = size - from;
	mhi_gdb_say(g, from + bytes < size ? "m" : "l");
	mhi_rsp_binary(&g->out, mhi_gdb_target_xml + from, bytes);
}

void mhi_gdb_query(struct mhi_gdb *g, const char *at)
{
	if (mhi_rsp_take(&at, "qSupported"))
		on_supported(g, at);
	else if (mhi_rsp_take(&at, "qXfer:features:read:"))
		on_features(g, at);
	else if (mhi_rsp_take(&at, "qThreadExtraInfo,"))
		thread_info(g, at);
	else if (mhi_rsp_take(&at, "qfThreadInfo"))
		list_threads(g);
	else if (mhi_rsp_take(&at, "qsThreadInfo"))
		mhi_gdb_say(g, "l");
	else if (mhi_rsp_take(&at, "qAttached"))
		mhi_gdb_say(g, "1");
	else if (mhi_rsp_take(&at, "qqemu.PhyMemMode"))
		mhi_gdb_say(g, g->physical ? "1" : "0");
	else if (mhi_rsp_take(&at, "qC")) {
		mhi_gdb_say(g, "QC");
		mhi_gdb_put_thread(g, g->cpu);
	} else {
		mhi_gdb_say(g, "");
	}
}

void mhi_gdb_set(struct mhi_gdb *g, const char *at)
{
	u64 value;

	if (mhi_rsp_take(&at, "QStartNoAckMode")) {
		g->ack = false;
		mhi_gdb_say(g, "OK");
	} else if (mhi_rsp_take(&at, "Qqemu.PhyMemMode:")) {
		if (!mhi_rsp_take_number(&at, &value) || value > 1) {
			mhi_gdb_fail(g, MHI_GDB_INVAL);
			return;
		}
		g->physical = value != 0;
		mhi_gdb_say(g, "OK");
	} else {
		mhi_gdb_say(g, "");
	}
}
