/* SPDX-License-Identifier: MIT */
/* The value of --share: FOLDER:TAG[,readonly][,owners=...][,uid=N][,gid=N]. */
#include "cli.h"

#include <string.h>

static bool parse_owners(const char *text, uint32_t *owners)
{
	static const char *const names[] = {
		[MH_SHARE_SQUASH] = "squash",
		[MH_SHARE_MAPPED] = "mapped",
		[MH_SHARE_HOST] = "host",
	};

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*owners = i;
			return true;
		}
	}
	return false;
}

static bool parse_word(const char *word, struct mh_share_config *share)
{
	if (!strcmp(word, "readonly")) {
		share->readonly = 1;
		return true;
	}
	if (!strncmp(word, "owners=", 7))
		return parse_owners(word + 7, &share->owners);
	if (!strncmp(word, "uid=", 4))
		return cli_parse_number(word + 4, 0, UINT32_MAX - 1, &share->uid);
	if (!strncmp(word, "gid=", 4))
		return cli_parse_number(word + 4, 0, UINT32_MAX - 1, &share->gid);
	return false;
}

bool cli_parse_share(char *text, struct mh_share_config *share)
{
	char *tag = strrchr(text, ':'), *word, *next;

	if (!tag || tag == text || !tag[1] || tag[1] == ',')
		return false;
	*share = (struct mh_share_config)MH_SHARE_CONFIG_INIT;
	*tag++ = 0;
	word = strchr(tag, ',');
	while (word) {
		*word++ = 0;
		next = strchr(word, ',');
		if (next)
			*next = 0;
		if (!parse_word(word, share))
			return false;
		word = next;
	}
	share->path = text;
	share->tag = tag;
	return true;
}
