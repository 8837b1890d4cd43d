/* SPDX-License-Identifier: MIT */
/* X authority files: the cookie that lets a client in, from a file that the caller names. */
#include "x11_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Xau's families of addresses (X11's Xauth.h), as 16-bit numbers. */
#define FAMILY_LOCAL 256u
#define FAMILY_WILD 65535u
#define ENTRY_MAX 1024u

static bool number(FILE *f, unsigned int *value)
{
	int high = getc(f), low = getc(f);

	if (high == EOF || low == EOF)
		return false;
	*value = (unsigned int)high << 8 | (unsigned int)low;
	return true;
}

/* A length and as many bytes; a longer one than room ends the reading. */
static bool counted(FILE *f, uint8_t *data, unsigned int room, unsigned int *bytes)
{
	return number(f, bytes) && *bytes <= room && fread(data, 1, *bytes, f) == *bytes;
}

static bool same_text(const uint8_t *data, unsigned int bytes, const char *text)
{
	return bytes == strlen(text) && !memcmp(data, text, bytes);
}

/* An entry is: family, address, display's number, name, data; all but the first are counted. */
static bool read_entry(FILE *f, const char *host, const char *display, bool *good,
		       struct mh_x11_socket *socket)
{
	uint8_t address[ENTRY_MAX], number_text[16], name[ENTRY_MAX], data[ENTRY_MAX];
	unsigned int family, sizes[4];

	if (!number(f, &family) || !counted(f, address, sizeof(address), &sizes[0]) ||
	    !counted(f, number_text, sizeof(number_text), &sizes[1]) ||
	    !counted(f, name, sizeof(name), &sizes[2]) ||
	    !counted(f, data, sizeof(data), &sizes[3]))
		return false;
	*good = (family == FAMILY_WILD ||
		 (family == FAMILY_LOCAL && same_text(address, sizes[0], host))) &&
		(!sizes[1] || same_text(number_text, sizes[1], display)) &&
		sizes[2] < sizeof(socket->auth_name) && sizes[3] <= sizeof(socket->auth_data);
	if (!*good)
		return true;
	memcpy(socket->auth_name, name, sizes[2]);
	socket->auth_name[sizes[2]] = '\0';
	memcpy(socket->auth_data, data, sizes[3]);
	socket->auth_bytes = sizes[3];
	return true;
}

void mhi_x_auth_find(const char *file, unsigned int display, struct mh_x11_socket *socket)
{
	char host[256] = "", text[16];
	bool found = false;
	FILE *f = fopen(file, "re");

	if (!f)
		return;
	gethostname(host, sizeof(host) - 1);
	snprintf(text, sizeof(text), "%u", display);
	while (!found && read_entry(f, host, text, &found, socket))
		;
	fclose(f);
}
