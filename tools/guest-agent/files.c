/* SPDX-License-Identifier: MIT */
/* Files to and from the guest: their data within its credit. */
#include "files.h"

#include <stdlib.h>

/* The size of what is put need not be known before. */
#define UNKNOWN UINT64_MAX

struct transfer {
	struct ga_file *file;
	uint64_t left;
};

/* The request is over by what follows; its data is not its own any more. */
static struct ga_file *finish(struct ga_request *r)
{
	struct transfer *t = r->data;
	struct ga_file *file = t->file;

	free(t);
	r->ops = NULL;
	return file;
}

static void is_over(struct ga_request *r, uint32_t code, const char *text)
{
	(void)code;
	(void)text;
	ga_file_close(finish(r));
}

static bool begin(struct ga_request *r, struct ga_file *file, uint64_t bytes,
		  const struct ga_request_ops *ops)
{
	struct transfer *t = malloc(sizeof(*t));

	if (!t) {
		ga_file_close(file);
		ga_end(r, MHI_AGENT_FAILED, "no memory");
		return false;
	}
	*t = (struct transfer){ file, bytes };
	r->data = t;
	r->ops = ops;
	return true;
}

/* ---- to the guest ---- */

static void put_end(struct ga_request *r)
{
	struct ga_failure why;

	if (ga_file_commit(finish(r), &why))
		ga_done(r);
	else
		ga_end(r, why.code, "%s", why.text);
}

static void put_failed(struct ga_request *r, enum mhi_agent_code code, const char *text)
{
	ga_file_close(finish(r));
	ga_end(r, code, "%s", text);
}

static void put_data(struct ga_request *r, uint32_t stream, const uint8_t *data, uint32_t bytes)
{
	struct transfer *t = r->data;
	struct ga_failure why;

	if (!bytes && (!t->left || t->left == UNKNOWN))
		put_end(r);
	else if (stream || !bytes || bytes > t->left)
		put_failed(r, MHI_AGENT_INVALID, "the file's data is not as long as announced");
	else if (!ga_file_write(t->file, data, bytes, &why))
		put_failed(r, why.code, why.text);
	else {
		t->left -= t->left == UNKNOWN ? 0 : bytes;
		ga_credit(r, bytes);
	}
}

void ga_file_put(void *os, struct ga_request *r, const struct mhi_agent_msg *m)
{
	static const struct ga_request_ops ops = { .data = put_data, .over = is_over };
	struct ga_failure why;
	struct ga_file *file;

	(void)os;
	if (!r)
		return;
	file = ga_file_create(m->u.file_put.path, m->u.file_put.mode, &why);
	if (file)
		begin(r, file, m->u.file_put.bytes, &ops);
	else
		ga_end(r, why.code, "%s", why.text);
}

/* ---- from the guest ---- */

/* A file that grows while it is read ends where it did at first. */
static void get_more(struct ga_request *r)
{
	static const char shorter[] = "the file has become shorter while it was read";
	struct transfer *t = r->data;
	struct ga_failure why = { MHI_AGENT_OK, "" };
	uint8_t *buffer = malloc(GA_CHUNK);
	long n = buffer ? 1 : -1;
	size_t room;

	while (n > 0 && t->left && (room = ga_room(r))) {
		n = ga_file_read(t->file, buffer, t->left < room ? (size_t)t->left : room, &why);
		if (n <= 0)
			break;
		ga_data(r, 0, buffer, (size_t)n);
		t->left -= (uint64_t)n;
	}
	free(buffer);
	if (n > 0 && t->left)
		return;
	ga_file_close(finish(r));
	if (n > 0)
		ga_done(r);
	else if (n < 0)
		ga_end(r, MHI_AGENT_FAILED, "%s", buffer ? why.text : "no memory");
	else
		ga_end(r, MHI_AGENT_FAILED, "%s", shorter);
}

void ga_file_get(void *os, struct ga_request *r, const struct mhi_agent_msg *m)
{
	static const struct ga_request_ops ops = { .room = get_more, .over = is_over };
	struct mhi_msg_file_is is = { 0 };
	struct ga_failure why;
	struct ga_file *file;

	(void)os;
	if (!r)
		return;
	file = ga_file_open(m->u.file_get.path, &is.mode, &is.bytes, &why);
	if (!file) {
		ga_end(r, why.code, "%s", why.text);
	} else if (begin(r, file, is.bytes, &ops)) {
		ga_reply(r, MHI_MSG_FILE_IS, &is);
		get_more(r);
	}
}
