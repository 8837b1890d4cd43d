// SPDX-License-Identifier: MIT
/* GDB's remote serial protocol: registers, memory, breakpoints, and how the guest goes. */
#include "core/gdb_priv.h"

#include <string.h>

#define SIGINT_NR 2u
#define SIGTRAP_NR 5u
/* A whole reply of hexadecimal digits must fit a packet. */
#define READ_MAX (MHI_RSP_PACKET / 2 - 8)

/* ---- replies ---- */

void mhi_gdb_begin(struct mhi_gdb *g)
{
	mhi_rsp_begin(&g->out);
	g->reply = true;
}

void mhi_gdb_say(struct mhi_gdb *g, const char *text)
{
	mhi_gdb_begin(g);
	mhi_rsp_text(&g->out, text);
}

void mhi_gdb_fail(struct mhi_gdb *g, u8 error)
{
	mhi_gdb_begin(g);
	mhi_rsp_text(&g->out, "E");
	mhi_rsp_hex(&g->out, &error, 1);
}

static void done(struct mhi_gdb *g, int rc, u8 error)
{
	if (rc)
		mhi_gdb_fail(g, error);
	else
		mhi_gdb_say(g, "OK");
}

void mhi_gdb_put_thread(struct mhi_gdb *g, u32 cpu)
{
	u8 id = (u8)(cpu + 1);

	mhi_rsp_hex(&g->out, &id, 1);
}

static void stop_reply(struct mhi_gdb *g)
{
	static const char *const names[MHI_GDB_POINTS] = { "swbreak", "hwbreak", "watch", "rwatch",
							   "awatch" };
	const struct mhi_gdb_stop *s = &g->last;
	u8 signal = s->why == MHI_GDB_BREAK ? SIGINT_NR : SIGTRAP_NR;

	mhi_gdb_begin(g);
	mhi_rsp_text(&g->out, "T");
	mhi_rsp_hex(&g->out, &signal, 1);
	mhi_rsp_text(&g->out, "thread:");
	mhi_gdb_put_thread(g, s->cpu);
	mhi_rsp_text(&g->out, ";");
	if (s->why != MHI_GDB_POINT || (s->point <= MHI_GDB_HARD && !g->swbreak))
		return;
	mhi_rsp_text(&g->out, names[s->point]);
	mhi_rsp_text(&g->out, ":");
	if (s->point > MHI_GDB_HARD)
		mhi_rsp_number(&g->out, s->address);
	mhi_rsp_text(&g->out, ";");
}

/* ---- threads: vCPU n is thread n + 1 ---- */

bool mhi_gdb_take_thread(const struct mhi_gdb *g, const char **at, u32 *cpu)
{
	u64 id;

	*cpu = MHI_GDB_ALL;
	if (mhi_rsp_take(at, "-1"))
		return true;
	if (!mhi_rsp_take_number(at, &id) || id > g->cpus)
		return false;
	*cpu = id ? (u32)id - 1 : g->cpu;
	return true;
}

static void on_select(struct mhi_gdb *g, const char *at)
{
	bool go = *at == 'c';
	u32 cpu;

	if ((*at != 'g' && !go) || (at++, !mhi_gdb_take_thread(g, &at, &cpu)) || *at) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	if (go)
		g->continue_cpu = cpu;
	else if (cpu < g->cpus)
		g->cpu = cpu;
	mhi_gdb_say(g, "OK");
}

static void on_alive(struct mhi_gdb *g, const char *at)
{
	u32 cpu;

	done(g, !mhi_gdb_take_thread(g, &at, &cpu) || cpu == MHI_GDB_ALL, MHI_GDB_NOENT);
}

/* ---- registers ---- */

static void get_all(struct mhi_gdb *g)
{
	u8 bytes[MHI_GDB_REG_MAX], fpu[MHK_FPU_BYTES];
	struct mhk_state s;
	u32 i;

	if (g->target->get(g->opaque, g->cpu, MHK_G_ALL, &s, fpu)) {
		mhi_gdb_fail(g, MHI_GDB_PERM);
		return;
	}
	mhi_gdb_begin(g);
	for (i = 0; i < MHI_GDB_REGS; i++) {
		mhi_gdb_reg_get(i, &s, fpu, bytes);
		mhi_rsp_hex(&g->out, bytes, mhi_gdb_reg_bytes(i));
	}
}

/* How many registers a G packet has; 0: it is none. */
static u32 count_registers(const char *at)
{
	u8 bytes[MHI_GDB_REG_MAX];
	u32 n = 0;

	while (*at && n < MHI_GDB_REGS && mhi_rsp_take_hex(&at, bytes, mhi_gdb_reg_bytes(n)))
		n++;
	return *at ? 0 : n;
}

static void set_all(struct mhi_gdb *g, const char *at)
{
	u32 count = count_registers(at), i;
	u8 bytes[MHI_GDB_REG_MAX], fpu[MHK_FPU_BYTES];
	struct mhk_state s;

	if (!count || g->target->get(g->opaque, g->cpu, MHK_G_ALL, &s, fpu)) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	for (i = 0; i < count; i++) {
		mhi_rsp_take_hex(&at, bytes, mhi_gdb_reg_bytes(i));
		mhi_gdb_reg_set(i, &s, fpu, bytes);
	}
	done(g, g->target->set(g->opaque, g->cpu, MHK_G_ALL & ~(MHK_G_DR | MHK_G_MISC), &s, fpu),
	     MHI_GDB_INVAL);
}

static void get_one(struct mhi_gdb *g, const char *at)
{
	u8 bytes[MHI_GDB_REG_MAX], fpu[MHK_FPU_BYTES];
	struct mhk_state s;
	u64 nr;

	if (!mhi_rsp_take_number(&at, &nr) || nr >= MHI_GDB_REGS) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
	} else if (g->target->get(g->opaque, g->cpu, mhi_gdb_reg_group((u32)nr), &s, fpu)) {
		mhi_gdb_fail(g, MHI_GDB_PERM);
	} else {
		mhi_gdb_reg_get((u32)nr, &s, fpu, bytes);
		mhi_gdb_begin(g);
		mhi_rsp_hex(&g->out, bytes, mhi_gdb_reg_bytes((u32)nr));
	}
}

static void set_one(struct mhi_gdb *g, const char *at)
{
	u8 bytes[MHI_GDB_REG_MAX], fpu[MHK_FPU_BYTES];
	struct mhk_state s;
	u32 group;
	u64 nr;

	if (!mhi_rsp_take_number(&at, &nr) || nr >= MHI_GDB_REGS || !mhi_rsp_take(&at, "=") ||
	    !mhi_rsp_take_hex(&at, bytes, mhi_gdb_reg_bytes((u32)nr))) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	group = mhi_gdb_reg_group((u32)nr);
	if (g->target->get(g->opaque, g->cpu, group, &s, fpu)) {
		mhi_gdb_fail(g, MHI_GDB_PERM);
		return;
	}
	mhi_gdb_reg_set((u32)nr, &s, fpu, bytes);
	done(g, g->target->set(g->opaque, g->cpu, group, &s, fpu), MHI_GDB_INVAL);
}

/* ---- memory ---- */

bool mhi_gdb_take_range(const char **at, u64 *address, u64 *bytes)
{
	return mhi_rsp_take_number(at, address) && mhi_rsp_take(at, ",") &&
	       mhi_rsp_take_number(at, bytes);
}

static void read_memory(struct mhi_gdb *g, const char *at)
{
	u8 data[READ_MAX];
	u64 address, bytes;

	if (!mhi_gdb_take_range(&at, &address, &bytes)) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	/* Less than was asked for is allowed. */
	if (bytes > READ_MAX)
		bytes = READ_MAX;
	if (g->target->read(g->opaque, g->cpu, g->physical, address, data, (u32)bytes)) {
		mhi_gdb_fail(g, MHI_GDB_FAULT);
		return;
	}
	mhi_gdb_begin(g);
	mhi_rsp_hex(&g->out, data, bytes);
}

static void write_memory(struct mhi_gdb *g, const char *at, bool binary)
{
	u8 data[MHI_RSP_PACKET];
	u64 address, bytes;
	bool good = mhi_gdb_take_range(&at, &address, &bytes) && mhi_rsp_take(&at, ":");
	size_t there = (size_t)(g->in.body + g->in.bytes - (const u8 *)at);

	if (!good || bytes > sizeof(data) || (binary && there != bytes)) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	if (binary) {
		memcpy(data, at, bytes);
	} else if (!mhi_rsp_take_hex(&at, data, bytes) || *at) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	done(g, g->target->write(g->opaque, g->cpu, g->physical, address, data, (u32)bytes),
	     MHI_GDB_FAULT);
}

static void on_point(struct mhi_gdb *g, const char *at, bool insert)
{
	u64 kind, address, bytes;

	/* Conditions and commands were not offered. */
	if (!mhi_rsp_take_number(&at, &kind) || kind >= MHI_GDB_POINTS || !mhi_rsp_take(&at, ",") ||
	    !mhi_gdb_take_range(&at, &address, &bytes) || *at || bytes > UINT32_MAX) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	done(g,
	     g->target->point(g->opaque, g->cpu, insert, (enum mhi_gdb_point)kind, address,
			      (u32)bytes),
	     MHI_GDB_INVAL);
}

/* ---- the guest goes on ---- */

static void resume(struct mhi_gdb *g)
{
	g->running = true;
	g->target->resume(g->opaque, g->action);
}

static void all_do(struct mhi_gdb *g, enum mhi_gdb_action action)
{
	memset(g->action, (int)action, sizeof(g->action));
}

/* c, C, s, S: the address that may follow is where to go on. */
static void on_go(struct mhi_gdb *g, const char *at, enum mhi_gdb_action action, bool has_signal)
{
	u32 cpu = g->continue_cpu < g->cpus ? g->continue_cpu : g->cpu;
	struct mhk_state s;
	u64 value;

	/* Signals mean nothing to a machine. */
	if (has_signal && (!mhi_rsp_take_number(&at, &value) || (*at && *at++ != ';'))) {
		mhi_gdb_fail(g, MHI_GDB_INVAL);
		return;
	}
	if (*at) {
		if (!mhi_rsp_take_number(&at, &value) ||
		    g->target->get(g->opaque, cpu, MHK_G_RIP, &s, NULL)) {
			mhi_gdb_fail(g, MHI_GDB_INVAL);
			return;
		}
		s.rip = value;
		if (g->target->set(g->opaque, cpu, MHK_G_RIP, &s, NULL)) {
			mhi_gdb_fail(g, MHI_GDB_INVAL);
			return;
		}
	}
	all_do(g, action == MHI_GDB_STEP ? MHI_GDB_HOLD : MHI_GDB_GO);
	g->action[cpu] = (u8)action;
	resume(g);
}

/* One action of vCont: for a thread, or for those that no earlier one named. */
static bool take_action(struct mhi_gdb *g, const char **at, bool *named)
{
	bool signal = **at == 'C' || **at == 'S';
	enum mhi_gdb_action action = **at == 's' || **at == 'S' ? MHI_GDB_STEP : MHI_GDB_GO;
	u32 cpu = MHI_GDB_ALL, i;
	u64 value;

	if (!**at || !strchr("cCsS", **at))
		return false;
	(*at)++;
	if (signal && !mhi_rsp_take_number(at, &value))
		return false;
	if (mhi_rsp_take(at, ":") && !mhi_gdb_take_thread(g, at, &cpu))
		return false;
	for (i = 0; i < g->cpus; i++) {
		if (named[i] || (cpu != MHI_GDB_ALL && cpu != i))
			continue;
		named[i] = true;
		g->action[i] = (u8)action;
	}
	return !**at || **at == ';';
}

static void on_vcont(struct mhi_gdb *g, const char *at)
{
	bool named[MHI_GDB_CPUS] = { false };

	all_do(g, MHI_GDB_HOLD);
	while (mhi_rsp_take(&at, ";"))
		if (!take_action(g, &at, named)) {
			mhi_gdb_fail(g, MHI_GDB_INVAL);
			return;
		}
	if (*at || !memchr(named, true, sizeof(named)))
		mhi_gdb_fail(g, MHI_GDB_INVAL);
	else
		resume(g);
}

static void on_detach(struct mhi_gdb *g)
{
	g->target->detach(g->opaque);
	g->over = true;
	mhi_gdb_say(g, "OK");
}

/* answer: NULL: none. */
static void on_kill(struct mhi_gdb *g, const char *answer)
{
	g->target->kill(g->opaque);
	g->over = true;
	if (answer)
		mhi_gdb_say(g, answer);
}

static void on_v(struct mhi_gdb *g, const char *at)
{
	if (mhi_rsp_take(&at, "vCont?"))
		mhi_gdb_say(g, "vCont;c;C;s;S");
	else if (mhi_rsp_take(&at, "vCont"))
		on_vcont(g, at);
	else if (mhi_rsp_take(&at, "vKill"))
		on_kill(g, "OK");
	else
		mhi_gdb_say(g, "");
}

/* ---- packets ---- */

static void on_packet(struct mhi_gdb *g)
{
	const char *body = (const char *)g->in.body, *rest = body + (*body != '\0');

	switch (*body) {
	case '?':
		stop_reply(g);
		break;
	case 'g':
		get_all(g);
		break;
	case 'G':
		set_all(g, rest);
		break;
	case 'p':
		get_one(g, rest);
		break;
	case 'P':
		set_one(g, rest);
		break;
	case 'm':
		read_memory(g, rest);
		break;
	case 'M':
		write_memory(g, rest, false);
		break;
	case 'X':
		write_memory(g, rest, true);
		break;
	case 'Z':
		on_point(g, rest, true);
		break;
	case 'z':
		on_point(g, rest, false);
		break;
	case 'c':
		on_go(g, rest, MHI_GDB_GO, false);
		break;
	case 'C':
		on_go(g, rest, MHI_GDB_GO, true);
		break;
	case 's':
		on_go(g, rest, MHI_GDB_STEP, false);
		break;
	case 'S':
		on_go(g, rest, MHI_GDB_STEP, true);
		break;
	case 'H':
		on_select(g, rest);
		break;
	case 'T':
		on_alive(g, rest);
		break;
	case 'q':
		mhi_gdb_query(g, body);
		break;
	case 'Q':
		mhi_gdb_set(g, body);
		break;
	case 'v':
		on_v(g, body);
		break;
	case 'D':
		on_detach(g);
		break;
	case 'k':
		on_kill(g, NULL);
		break;
	default:
		mhi_gdb_say(g, "");
		break;
	}
}

/* ---- the stream ---- */

static void finish(struct mhi_gdb *g)
{
	if (!g->reply)
		return;
	g->reply = false;
	if (g->out.overflow)
		mhi_gdb_fail(g, MHI_GDB_INVAL);
	g->reply = false;
	mhi_rsp_end(&g->out);
	g->sent = 0;
}

/* An acknowledgement goes before the answer. */
static void acknowledge(struct mhi_gdb *g, u8 sign)
{
	if (!g->ack)
		return;
	memmove(g->out.data + 1, g->out.data, g->out.bytes);
	g->out.data[0] = sign;
	g->out.bytes++;
}

void mhi_gdb_init(struct mhi_gdb *g, const struct mhi_gdb_target *target, void *opaque, u32 cpus)
{
	memset(g, 0, sizeof(*g));
	g->target = target;
	g->opaque = opaque;
	g->cpus = cpus;
	g->continue_cpu = MHI_GDB_ALL;
	g->ack = true;
}

static void take_packet(struct mhi_gdb *g)
{
	bool ack = g->ack;

	/* While the guest runs there is nothing to be asked. */
	g->out.bytes = 0;
	g->sent = 0;
	if (!g->running)
		on_packet(g);
	finish(g);
	g->ack = ack;
	acknowledge(g, '+');
	/* QStartNoAckMode is itself acknowledged. */
	if (g->in.bytes == strlen("QStartNoAckMode") &&
	    !memcmp(g->in.body, "QStartNoAckMode", g->in.bytes))
		g->ack = false;
}

static void take(struct mhi_gdb *g, enum mhi_rsp_event event)
{
	switch (event) {
	case MHI_RSP_PACKET_IN:
		take_packet(g);
		break;
	case MHI_RSP_BREAK:
		if (g->running)
			g->target->stop(g->opaque);
		break;
	case MHI_RSP_AGAIN:
		g->sent = 0;
		break;
	case MHI_RSP_BAD:
		g->out.bytes = 0;
		g->sent = 0;
		acknowledge(g, '-');
		break;
	case MHI_RSP_NOTHING:
		break;
	}
}

size_t mhi_gdb_feed(struct mhi_gdb *g, const u8 *bytes, size_t count)
{
	const u8 *unsent;
	size_t n = 0;

	while (n < count && !g->over && !mhi_gdb_pending(g, &unsent))
		take(g, mhi_rsp_feed(&g->in, bytes[n++]));
	return n;
}

void mhi_gdb_stopped(struct mhi_gdb *g, const struct mhi_gdb_stop *stop)
{
	g->last = *stop;
	g->cpu = stop->cpu;
	if (!g->running)
		return;
	g->running = false;
	stop_reply(g);
	finish(g);
}

void mhi_gdb_ended(struct mhi_gdb *g)
{
	g->over = true;
	mhi_gdb_say(g, "W00");
	finish(g);
}

size_t mhi_gdb_pending(const struct mhi_gdb *g, const u8 **bytes)
{
	*bytes = g->out.data + g->sent;
	return g->out.bytes - g->sent;
}

void mhi_gdb_sent(struct mhi_gdb *g, size_t count)
{
	g->sent += (u32)count;
}
