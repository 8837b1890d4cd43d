/* SPDX-License-Identifier: MIT */
/*
 * Stands for libmacrohard-x11 where the CLI loads it: each call is a line in the VM's log. The
 * display ":404" is not there.
 */
#include <macrohard/x11.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mh_x11 {
	int unused;
};

int mh_x11_connect(const struct mh_x11_config *config, struct mh_x11 **out)
{
	fprintf(stderr, "x11: connect %s %s\n", config->display,
		config->authority ? config->authority : "-");
	if (!strcmp(config->display, ":404")) {
		config->ops->tell(config->opaque, MH_ENOENT, "there is nothing at :404");
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
