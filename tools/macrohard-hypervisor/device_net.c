/* SPDX-License-Identifier: MIT */
/* The values of --net. */
#include "document.h"

#include <string.h>

/* fd=N[:N]...: one for each queue. */
static bool add_fds(char *text, cJSON *device)
{
	cJSON *fds = cJSON_AddArrayToObject(device, "fds"), *item;
	uint32_t number;

	while (text) {
		char *next = strchr(text, ':');

		if (next)
			*next++ = '\0';
		if (!cli_parse_number(text, 0, INT32_MAX, &number))
			return false;
		item = cJSON_CreateNumber(number);
		if (!cJSON_AddItemToArray(fds, item)) {
			cJSON_Delete(item);
			return false;
		}
		text = next;
	}
	return true;
}

static bool set_kind(cJSON *device, const char *kind)
{
	return cJSON_AddStringToObject(device, "kind", kind) != NULL;
}

bool device_net_value(struct document *d, char *text, cJSON *device)
{
	if (!strncmp(text, "tap=", 4))
		return text[4] && set_kind(device, "tap") &&
		       cJSON_AddStringToObject(device, "tap", text + 4);
	if (!strncmp(text, "fd=", 3))
		return set_kind(device, "fd") && add_fds(text + 3, device);
	return !strcmp(text, "user") && set_kind(device, "user");
}

/* [ADDRESS]:PORT */
static bool add_end(char *text, cJSON *forward, const char *address_key, const char *port_key)
{
	char *colon = strrchr(text, ':');
	uint32_t number;

	if (!colon || !cli_parse_number(colon + 1, 1, UINT16_MAX, &number))
		return false;
	*colon = '\0';
	return (!*text || cJSON_AddStringToObject(forward, address_key, text)) &&
	       cJSON_AddNumberToObject(forward, port_key, number);
}

/* tcp|udp:[HOST-ADDRESS]:PORT-[GUEST-ADDRESS]:PORT */
bool device_net_forward(struct document *d, char *text, cJSON *device)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(device, "forwards");
	cJSON *forward = cJSON_CreateObject();
	char *guest = strchr(text, '-');
	bool udp = !strncmp(text, "udp:", 4);

	if (!list)
		list = cJSON_AddArrayToObject(device, "forwards");
	if (!cJSON_AddItemToArray(list, forward)) {
		cJSON_Delete(forward);
		return false;
	}
	if (!guest || (!udp && strncmp(text, "tcp:", 4)))
		return false;
	*guest++ = '\0';
	return cJSON_AddStringToObject(forward, "protocol", udp ? "udp" : "tcp") &&
	       add_end(text + 4, forward, "host", "host_port") &&
	       add_end(guest, forward, "guest", "guest_port");
}
