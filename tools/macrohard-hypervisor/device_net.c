/* SPDX-License-Identifier: MIT */
/* The values of --net. */
#include "devices.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* fd=N[:N]...: one for each queue. */
static bool parse_fds(char *text, struct device_net *net)
{
	uint32_t count = 0, number;

	while (text) {
		char *next = strchr(text, ':');

		if (next)
			*next++ = '\0';
		if (count == MH_NET_QUEUES_MAX || !cli_parse_number(text, 0, INT32_MAX, &number))
			return false;
		net->fd[count++] = (int)number;
		text = next;
	}
	net->config.queues = count;
	return true;
}

bool device_net_value(char *text, union device_config *config)
{
	struct device_net *net = &config->net;

	if (!strcmp(text, "none")) {
		net->none = true;
		return true;
	}
	if (!strncmp(text, "tap=", 4)) {
		net->config.kind = MH_NET_TAP;
		net->config.name = text + 4;
		return text[4] != '\0';
	}
	if (!strncmp(text, "fd=", 3)) {
		net->config.kind = MH_NET_FD;
		return parse_fds(text + 3, net);
	}
	return !strcmp(text, "user");
}

/* Six pairs of hexadecimal digits. */
bool device_net_mac(char *text, union device_config *config)
{
	for (unsigned int n = 0; n < 6; n++, text += 3) {
		char *end;

		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    text[2] != (n < 5 ? ':' : '\0'))
			return false;
		config->net.config.mac[n] = (uint8_t)strtoul(text, &end, 16);
	}
	return true;
}

/* [ADDRESS]:PORT, cut in two. */
static bool parse_end(char *text, const char **address, uint16_t *port)
{
	char *colon = strrchr(text, ':');
	uint32_t number;

	if (!colon || !cli_parse_number(colon + 1, 1, UINT16_MAX, &number))
		return false;
	*colon = '\0';
	*address = *text ? text : NULL;
	*port = (uint16_t)number;
	return true;
}

/* tcp|udp:[HOST-ADDRESS]:PORT-[GUEST-ADDRESS]:PORT */
bool device_net_forward(char *text, union device_config *config)
{
	struct device_net *net = &config->net;
	struct mh_net_forward *f = &net->forward[net->config.forwards];
	char *guest = strchr(text, '-');

	if (net->config.forwards == DEVICE_FORWARDS_MAX || !guest)
		return false;
	*guest++ = '\0';
	if (!strncmp(text, "udp:", 4))
		f->udp = 1;
	else if (strncmp(text, "tcp:", 4))
		return false;
	if (!parse_end(text + 4, &f->host, &f->host_port) ||
	    !parse_end(guest, &f->guest, &f->guest_port))
		return false;
	net->config.forwards++;
	return true;
}

int device_net_attach(struct mh_vm *vm, const union device_config *config)
{
	struct mh_net_config c = config->net.config;

	if (config->net.none)
		return 0;
	c.fd = config->net.fd;
	c.forward = config->net.forward;
	return mh_net_attach(vm, &c, NULL);
}
