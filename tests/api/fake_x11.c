/* SPDX-License-Identifier: MIT */
/*
 * Stands for libmacrohard-x11 where the CLI loads it: each call in the VM's process is a line in
 * its log. The display ":404" is not there, that of ":405" lets nobody in; a socket is a pipe with
 * a word in it.
 */
#include <macrohard/x11.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mh_x11 {
	int unused;
};

int mh_x11_dial(const struct mh_x11_config *config, struct mh_x11_socket *out)
{
	int ends[2];

	if (!strcmp(config->display, ":404")) {
		config->ops->tell(config->opaque, MH_ENOENT, "there is nothing at :404");
		return MH_ENOENT;
	}
	if (pipe(ends) || write(ends[1], "dialled", 7) != 7)
		return MH_ENOENT;
	close(ends[1]);
	out->fd = ends[0];
	out->screen = 3;
	memcpy(out->auth_name, "COOKIE", 7);
	out->auth_bytes = 3;
	memcpy(out->auth_data, "\0\x7f\xe5", 3);
	return 0;
}

int mh_x11_connect(const struct mh_x11_config *config, struct mh_x11 **out)
{
	const struct mh_x11_socket *s = config->socket;
	char word[16] = "";

	if (read(s->fd, word, sizeof(word) - 1) < 0)
		return MH_ENOENT;
	fprintf(stderr, "x11: connect %s, %s, screen %u, %s %u %02x%02x%02x\n", config->display,
		word, s->screen, s->auth_name, s->auth_bytes, s->auth_data[0], s->auth_data[1],
		s->auth_data[2]);
	if (!strcmp(config->display, ":405")) {
		config->ops->tell(config->opaque, MH_ENOENT, "nobody is let in at :405");
		return MH_ENOENT;
	}
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : MH_ENOMEM;
}

void mh_x11_disconnect(struct mh_x11 *x11)
{
	fprintf(stderr, "x11: disconnect\n");
	free(x11);
}

int mh_x11_window_open(struct mh_x11 *x11, const struct mh_x11_window_config *config,
		       struct mh_x11_window **out)
{
	fprintf(stderr, "x11: window %s\n", config->title);
	*out = (struct mh_x11_window *)x11;
	return 0;
}

void mh_x11_window_close(struct mh_x11_window *window)
{
	fprintf(stderr, "x11: close\n");
}

int mh_x11_seamless_start(struct mh_x11 *x11, const struct mh_x11_seamless_config *config,
			  struct mh_x11_seamless **out)
{
	return MH_EBUSY;
}

void mh_x11_seamless_stop(struct mh_x11_seamless *seamless)
{
}

int mh_x11_clipboard_start(struct mh_x11 *x11, struct mh_agent *agent,
			   const struct mh_clip_policy *policy, struct mh_x11_clipboard **out)
{
	return MH_EBUSY;
}

void mh_x11_clipboard_stop(struct mh_x11_clipboard *clipboard)
{
}
