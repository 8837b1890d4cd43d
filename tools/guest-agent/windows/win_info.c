/* SPDX-License-Identifier: MIT */
/* What the guest is: its names, versions, addresses, and who is there. */
#include "win_agent.h"
#include "win_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <iphlpapi.h>
#include <wtsapi32.h>

#define ADDRESSES_MAX 256u /* that are told */
#define USERS_MAX 256u
#define EPOCH 116444736000000000ll /* of UNIX, in FILETIME's 100 ns since 1601 */

/* What Windows is called, which only the registry knows. */
static void os_name(char *out, size_t room)
{
	wchar_t text[128];
	DWORD bytes = sizeof(text);

	if (RegGetValueW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion",
			 L"ProductName", RRF_RT_REG_SZ, NULL, text, &bytes))
		snprintf(out, room, "Windows");
	else
		win_narrow_into(out, room, text, wcslen(text));
}

/* GetVersionEx tells programs of the Windows that they say they know; this one tells the truth. */
static void os_version(OSVERSIONINFOW *version)
{
	typedef LONG(WINAPI * get_version)(OSVERSIONINFOW *);
	FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlGetVersion");
	get_version get;

	memset(version, 0, sizeof(*version));
	version->dwOSVersionInfoSize = sizeof(*version);
	memcpy(&get, &found, sizeof(get));
	if (get)
		get(version);
}

static void tell_system(struct ga_request *request)
{
	char host[256] = "", name[256], version[64], kernel[128];
	struct mhi_msg_info msg = { host, name, version, kernel, GetTickCount64(), 0 };
	wchar_t wide[256];
	DWORD units = sizeof(wide) / sizeof(wide[0]);
	OSVERSIONINFOW v;

	if (GetComputerNameExW(ComputerNameDnsHostname, wide, &units))
		win_narrow_into(host, sizeof(host), wide, units);
	os_name(name, sizeof(name));
	os_version(&v);
	snprintf(version, sizeof(version), "%lu.%lu.%lu", v.dwMajorVersion, v.dwMinorVersion,
		 v.dwBuildNumber);
	snprintf(kernel, sizeof(kernel), "Windows NT %s", version);
	ga_reply(request, MHI_MSG_INFO, &msg);
}

/* ---- addresses ---- */

static void mac_text(char *out, size_t room, const IP_ADAPTER_ADDRESSES *a)
{
	size_t used = 0;

	out[0] = 0;
	for (DWORD n = 0; n < a->PhysicalAddressLength && used + 4 < room; n++)
		used += (size_t)snprintf(out + used, room - used, "%s%02x", n ? ":" : "",
					 a->PhysicalAddress[n]);
}

static bool address_text(char *out, size_t room, const SOCKADDR *address)
{
	const void *bytes = address->sa_family == AF_INET
				    ? (const void *)&((const SOCKADDR_IN *)address)->sin_addr
				    : (const void *)&((const SOCKADDR_IN6 *)address)->sin6_addr;

	return (address->sa_family == AF_INET || address->sa_family == AF_INET6) &&
	       inet_ntop(address->sa_family, (void *)(uintptr_t)bytes, out, room);
}

/* Returns how many were told. */
static uint32_t tell_adapter(struct ga_request *request, const IP_ADAPTER_ADDRESSES *a,
			     uint32_t left)
{
	char name[256] = "", mac[32], address[64];
	struct mhi_msg_info_address msg = { name, mac, address, 0, 0 };
	uint32_t told = 0;

	if (a->FriendlyName)
		win_narrow_into(name, sizeof(name), a->FriendlyName, wcslen(a->FriendlyName));
	mac_text(mac, sizeof(mac), a);
	for (const IP_ADAPTER_UNICAST_ADDRESS *u = a->FirstUnicastAddress; u && told < left;
	     u = u->Next) {
		if (!address_text(address, sizeof(address), u->Address.lpSockaddr))
			continue;
		msg.prefix = u->OnLinkPrefixLength;
		ga_reply(request, MHI_MSG_INFO_ADDRESS, &msg);
		told++;
	}
	return told;
}

static void tell_addresses(struct ga_request *request)
{
	ULONG flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
	ULONG bytes = 65536, rc = ERROR_BUFFER_OVERFLOW;
	IP_ADAPTER_ADDRESSES *list = NULL;
	uint32_t told = 0;

	/* There may be more of them each time. */
	for (int tries = 0; rc == ERROR_BUFFER_OVERFLOW && tries < 4; tries++) {
		free(list);
		list = malloc(bytes);
		if (!list)
			return;
		rc = GetAdaptersAddresses(AF_UNSPEC, flags, NULL, list, &bytes);
	}
	for (IP_ADAPTER_ADDRESSES *a = rc ? NULL : list; a; a = a->Next)
		if (a->OperStatus == IfOperStatusUp)
			told += tell_adapter(request, a, ADDRESSES_MAX - told);
	free(list);
}

/* ---- users ---- */

static bool session_text(DWORD session, WTS_INFO_CLASS what, char *out, size_t room)
{
	wchar_t *text;
	DWORD bytes;

	if (!WTSQuerySessionInformationW(NULL, session, what, &text, &bytes))
		return false;
	win_narrow_into(out, room, text, bytes / sizeof(*text));
	WTSFreeMemory(text);
	return out[0];
}

static uint64_t session_since(DWORD session)
{
	wchar_t *data;
	DWORD bytes;
	LONGLONG since = 0;

	if (!WTSQuerySessionInformationW(NULL, session, WTSSessionInfo, &data, &bytes))
		return 0;
	if (bytes >= sizeof(WTSINFOW))
		since = ((const WTSINFOW *)(const void *)data)->LogonTime.QuadPart;
	WTSFreeMemory(data);
	return since > EPOCH ? (uint64_t)(since - EPOCH) / 10000000 : 0;
}

/* Where there are no terminal services there is at least the one the agent runs for. */
static void tell_own_user(struct ga_request *request)
{
	char name[256];
	struct mhi_msg_info_user msg = { name, "console", 0, 0 };
	wchar_t wide[257];
	DWORD units = sizeof(wide) / sizeof(wide[0]);

	if (!GetUserNameW(wide, &units))
		return;
	win_narrow_into(name, sizeof(name), wide, units);
	ga_reply(request, MHI_MSG_INFO_USER, &msg);
}

static void tell_users(struct ga_request *request)
{
	char name[256], terminal[64];
	struct mhi_msg_info_user msg = { name, terminal, 0, 0 };
	WTS_SESSION_INFOW *list = NULL;
	DWORD count = 0;
	uint32_t told = 0;

	if (!WTSEnumerateSessionsW(NULL, 0, 1, &list, &count))
		count = 0;
	for (DWORD n = 0; n < count && told < USERS_MAX; n++) {
		if (!session_text(list[n].SessionId, WTSUserName, name, sizeof(name)))
			continue;
		win_narrow_into(terminal, sizeof(terminal), list[n].pWinStationName,
				wcslen(list[n].pWinStationName));
		msg.since = session_since(list[n].SessionId);
		ga_reply(request, MHI_MSG_INFO_USER, &msg);
		told++;
	}
	if (list)
		WTSFreeMemory(list);
	if (!told)
		tell_own_user(request);
}

void win_get_info(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	if (!request)
		return;
	tell_system(request);
	tell_addresses(request);
	tell_users(request);
	ga_done(request);
}
