// SPDX-License-Identifier: MIT
/* The entry of the instruction emulator: CPU mode, instruction bytes, the cache of decoded ones. */
#include "core/insn_priv.h"
#include "macrohard/error.h"

#include <stdio.h>
#include <stdlib.h>

#define CACHE_LINES 64 /* a power of 2 */

/* SDM 3A 3.4.5 "Segment Descriptors". */
#define SEG_LONG (1u << 13)
#define SEG_BIG (1u << 14)

struct mhi_insn_cache {
	struct mhi_insn_decoders *decoders;
	struct mhi_insn_regs regs;
	struct mhi_insn_line line[CACHE_LINES]; /* by RIP; the bytes and the mode decide */
};

struct mhi_insn_cache *mhi_insn_cache_create(void)
{
	struct mhi_insn_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->decoders = mhi_insn_decoders_create();
	if (!cache->decoders) {
		free(cache);
		return NULL;
	}
	return cache;
}

void mhi_insn_cache_destroy(struct mhi_insn_cache *cache)
{
	if (!cache)
		return;
	mhi_insn_decoders_destroy(cache->decoders);
	free(cache);
}

int mhi_insn_refuse(struct mhi_insn_ctx *c, const char *why)
{
	char insn[sizeof(c->out->text)];

	mhi_insn_describe(c->cache->decoders, c->mode, &c->bytes, insn, sizeof(insn));
	snprintf(c->out->text, sizeof(c->out->text), "%.30s: %.63s", why, insn);
	return MHI_INSN_UNKNOWN;
}

/* Real mode pushes no error codes: SDM 3A 20.1.4 "Interrupt and Exception Handling". */
int mhi_insn_fault(struct mhi_insn_ctx *c, unsigned int vector, u32 error)
{
	c->out->inject = MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | vector;
	if (c->s->cr0 & MHI_CR0_PE) {
		c->out->inject |= MHK_INJECT_ERROR;
		c->out->inject_error = error;
	}
	return MHI_INSN_EXCEPTION;
}

static enum mhi_insn_mode mode_of(const struct mhk_state *s)
{
	u32 attr = s->seg[MHK_CS].attr;

	if (!(s->cr0 & MHI_CR0_PE) || (s->rflags & MHI_RFLAGS_VM))
		return MHI_INSN_REAL;
	if ((s->efer & MHI_EFER_LMA) && (attr & SEG_LONG))
		return MHI_INSN_64;
	return attr & SEG_BIG ? MHI_INSN_32 : MHI_INSN_16;
}

static void bytes_copy(struct mhi_insn_bytes *to, const u8 *from, unsigned int len)
{
	to->len = (u8)(len < MHK_INSN_MAX ? len : MHK_INSN_MAX);
	memcpy(to->word, from, to->len);
}

/* The linear address of code at rip; *left: bytes up to the end of segment, page or most. */
static mh_gva code_at(const struct mhi_insn_ctx *c, u64 rip, unsigned int most, unsigned int *left)
{
	const struct mhk_seg *cs = &c->s->seg[MHK_CS];
	u64 n = most, page;
	mh_gva gva = rip;

	if (c->mode != MHI_INSN_64) {
		gva = (cs->base + rip) & 0xffffffff;
		if (rip > cs->limit)
			n = 0;
		else if (n > cs->limit - rip + 1)
			n = cs->limit - rip + 1;
	}
	page = MHI_PAGE_SIZE - (gva & MHI_PAGE_MASK);
	*left = (unsigned int)(n < page ? n : page);
	return gva;
}

/*
 * Append what follows the bytes in hand, up to the end of the page. When there is nothing, the
 * instruction leaves its segment or is too long: #GP.
 */
static int fetch(struct mhi_insn_ctx *c)
{
	struct mhi_insn_bytes *b = &c->bytes;
	unsigned int left;
	mh_gva gva = code_at(c, c->s->rip + b->len, MHK_INSN_MAX - b->len, &left);
	const u8 *direct;
	mh_gpa gpa;
	int rc;

	if (!left)
		return mhi_insn_fault(c, MHI_VEC_GP, 0);
	rc = mhi_insn_walk(c, gva, MHI_GWALK_X, MHK_CS, &gpa);
	if (rc)
		return rc;
	direct = mhi_gwalk_direct(c->env->window, gpa);
	if (direct && left == MHK_INSN_MAX)
		memcpy(b->word, direct, MHK_INSN_MAX);
	else if (direct)
		memcpy((u8 *)b->word + b->len, direct, left);
	else if (c->env->fetch(c->env->opaque, gpa, (u8 *)b->word + b->len, left))
		return mhi_insn_refuse(c, "code outside of memory");
	b->len = (u8)(b->len + left);
	return 0;
}

static bool matches(const struct mhi_insn_dec *d, enum mhi_insn_mode mode,
		    const struct mhi_insn_bytes *b)
{
	return d->len && d->mode == mode && d->len <= b->len &&
	       (b->word[0] & d->mask[0]) == d->word[0] && (b->word[1] & d->mask[1]) == d->word[1];
}

static struct mhi_insn_line *line_of(struct mhi_insn_cache *cache, u64 rip)
{
	return &cache->line[(rip ^ rip >> 6) % CACHE_LINES];
}

/* Find or make the decoded form. The bytes in hand may be less than the instruction. */
static int decode(struct mhi_insn_ctx *c)
{
	u64 rip = c->s->rip;
	struct mhi_insn_dec *d = &line_of(c->cache, rip)->dec;
	int rc;

	c->d = d;
	while (!matches(d, c->mode, &c->bytes)) {
		rc = mhi_insn_decode(c->cache->decoders, c->mode, &c->bytes, d);
		if (!rc)
			return 0;
		d->len = 0;
		if (rc != MH_ERANGE)
			return mhi_insn_refuse(c, "not decodable");
		rc = fetch(c);
		if (rc)
			return rc;
	}
	return 0;
}

static void context_init(struct mhi_insn_ctx *c, struct mhk_state *s)
{
	c->s = s;
	c->page = NULL;
	c->user = mhi_insn_cpl(s) == 3 ? MHI_GWALK_USER : 0;
	c->walk.cr0 = s->cr0;
	c->walk.cr3 = s->cr3;
	c->walk.cr4 = s->cr4;
	c->walk.efer = s->efer;
	c->walk.rflags = s->rflags;
	c->walk.window = c->env->window;
	c->walk.read = c->env->fetch;
	c->walk.opaque = c->env->opaque;
}

enum mhi_insn_result mhi_insn_emulate(struct mhi_insn_cache *cache, const struct mhi_insn_env *env,
				      struct mhk_state *s, const u8 *bytes, unsigned int len,
				      struct mhi_insn_out *out)
{
	struct mhi_insn_line *line = line_of(cache, s->rip);
	struct mhi_insn_ctx c;
	int rc = 0;

	c.mode = mode_of(s);
	c.cache = cache;
	c.env = env;
	c.out = out;
	out->dirty = out->inject = out->inject_error = 0;
	out->text[0] = '\0';
	out->again = false;
	c.bytes.len = 0;
	if (len)
		bytes_copy(&c.bytes, bytes, len);
	if (c.mode == MHI_INSN_64 && line->dec.mode == MHI_INSN_64 &&
	    (line->dec.op == MHI_OP_STORE || line->dec.op == MHI_OP_LOAD) &&
	    mhi_insn_fast(line, &cache->regs, env, s, out, &c.bytes))
		return MHI_INSN_DONE;
	context_init(&c, s);
	if (!len)
		rc = fetch(&c);
	if (!rc)
		rc = decode(&c);
	if (!rc)
		rc = mhi_insn_exec(&c);
	return (enum mhi_insn_result)rc;
}
