/* SPDX-License-Identifier: MIT */
/* The strings of an EXEC message. */
#include "exec.h"

#include <stdlib.h>
#include <string.h>

static bool is_assignment(const char *text)
{
	const char *sign = strchr(text, '=');

	return sign && sign != text;
}

int ga_exec_init(struct ga_exec *e, const struct mhi_msg_exec *msg)
{
	const char *at = (const char *)msg->strings.data, *end = at + msg->strings.bytes;
	size_t arguments = msg->arguments, n = 0;
	char **list = calloc(GA_EXEC_STRINGS + 2, sizeof(*list));

	*e = (struct ga_exec){ list, NULL };
	if (!list || !arguments || arguments > GA_EXEC_STRINGS || at == end || end[-1])
		return -1;
	for (; at < end; at += strlen(at) + 1, n++) {
		if (n == GA_EXEC_STRINGS || (n >= arguments && !is_assignment(at)))
			return -1;
		/* The place between the two lists stays NULL. */
		list[n < arguments ? n : n + 1] = (char *)(uintptr_t)at;
	}
	e->environment = list + arguments + 1;
	return n < arguments || !*list[0] ? -1 : 0;
}

void ga_exec_fini(struct ga_exec *e)
{
	free(e->arguments);
	*e = (struct ga_exec){ NULL, NULL };
}
