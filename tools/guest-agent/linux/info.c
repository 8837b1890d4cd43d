/* SPDX-License-Identifier: MIT */
/* What the guest is: its names, addresses and users. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>

#include "agent.h"

#define ENTRIES_MAX 64u

/* The value of NAME="value" in a line of os-release(5); false: it is another line. */
static bool assignment(const char *line, const char *name, char *value, size_t room)
{
	size_t bytes = strlen(name), n = 0;
	char quote;

	if (strncmp(line, name, bytes) != 0 || line[bytes] != '=')
		return false;
	line += bytes + 1;
	quote = *line == '"' || *line == '\'' ? *line++ : 0;
	while (*line && *line != '\n' && *line != quote && n + 1 < room) {
		if (*line == '\\' && line[1])
			line++;
		value[n++] = *line++;
	}
	value[n] = 0;
	return true;
}

static void os_release(char *name, char *version, size_t room)
{
	FILE *file = fopen("/etc/os-release", "re");
	char line[512];

	if (!file)
		file = fopen("/usr/lib/os-release", "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		assignment(line, "NAME", name, room);
		assignment(line, "VERSION_ID", version, room);
	}
	fclose(file);
}

/* Of the whole machine; time that it slept counts. */
static uint64_t uptime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell_system(struct ga_request *r)
{
	char host[256] = "", name[256] = "Linux", version[256] = "";
	struct mhi_msg_info info = { .host_name = host, .os_name = name, .os_version = version };
	struct utsname kernel = { 0 };

	gethostname(host, sizeof(host) - 1);
	os_release(name, version, sizeof(name));
	uname(&kernel);
	info.kernel = kernel.release;
	info.uptime_ms = uptime_ms();
	ga_reply(r, MHI_MSG_INFO, &info);
}

/* ---- addresses ---- */

static void mac_of(const struct ifaddrs *list, const char *interface, char *text, size_t room)
{
	text[0] = 0;
	for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
		struct sockaddr_ll ll;
		const unsigned char *b = ll.sll_addr;

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET ||
		    strcmp(a->ifa_name, interface) != 0)
			continue;
		memcpy(&ll, a->ifa_addr, sizeof(ll));
		if (ll.sll_halen == 6)
			snprintf(text, room, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2],
				 b[3], b[4], b[5]);
		return;
	}
}

/* Bits that are set at the start of a network mask. */
static uint32_t prefix_of(const unsigned char *mask, size_t bytes)
{
	uint32_t bits = 0;

	while (bits < bytes * 8 && mask[bits / 8] & 0x80 >> bits % 8)
		bits++;
	return bits;
}

static bool tell_address(struct ga_request *r, const struct ifaddrs *list, const struct ifaddrs *a)
{
	char mac[32], address[INET6_ADDRSTRLEN] = "";
	struct mhi_msg_info_address msg = { a->ifa_name, mac, address, 0, 0 };
	struct sockaddr_in in = { 0 }, mask = { 0 };
	struct sockaddr_in6 in6 = { 0 }, mask6 = { 0 };

	if (!a->ifa_addr || !a->ifa_netmask || a->ifa_flags & IFF_LOOPBACK)
		return false;
	if (a->ifa_addr->sa_family == AF_INET) {
		memcpy(&in, a->ifa_addr, sizeof(in));
		memcpy(&mask, a->ifa_netmask, sizeof(mask));
		inet_ntop(AF_INET, &in.sin_addr, address, sizeof(address));
		msg.prefix = prefix_of((unsigned char *)&mask.sin_addr, 4);
	} else if (a->ifa_addr->sa_family == AF_INET6) {
		memcpy(&in6, a->ifa_addr, sizeof(in6));
		memcpy(&mask6, a->ifa_netmask, sizeof(mask6));
		inet_ntop(AF_INET6, &in6.sin6_addr, address, sizeof(address));
		msg.prefix = prefix_of((unsigned char *)&mask6.sin6_addr, 16);
	} else
		return false;
	mac_of(list, a->ifa_name, mac, sizeof(mac));
	ga_reply(r, MHI_MSG_INFO_ADDRESS, &msg);
	return true;
}

static void tell_addresses(struct ga_request *r)
{
	struct ifaddrs *list;
	unsigned int told = 0;

	if (getifaddrs(&list))
		return;
	for (struct ifaddrs *a = list; a && told < ENTRIES_MAX; a = a->ifa_next)
		told += tell_address(r, list, a);
	freeifaddrs(list);
}

/* ---- users ---- */

/* utmp's texts have no zero at their end when they are long. */
static void tell_user(struct ga_request *r, const struct utmpx *u)
{
	char name[sizeof(u->ut_user) + 1] = "", terminal[sizeof(u->ut_line) + 1] = "";
	struct mhi_msg_info_user msg = { name, terminal, (uint64_t)u->ut_tv.tv_sec, 0 };

	memcpy(name, u->ut_user, sizeof(u->ut_user));
	memcpy(terminal, u->ut_line, sizeof(u->ut_line));
	ga_reply(r, MHI_MSG_INFO_USER, &msg);
}

static void tell_users(struct ga_request *r)
{
	const struct utmpx *u;
	unsigned int told = 0;

	setutxent();
	while (told < ENTRIES_MAX && (u = getutxent())) {
		if (u->ut_type != USER_PROCESS)
			continue;
		tell_user(r, u);
		told++;
	}
	endutxent();
}

void info_get(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	if (!r)
		return;
	tell_system(r);
	tell_addresses(r);
	tell_users(r);
	ga_done(r);
}
