/* SPDX-License-Identifier: MIT */
/* What all of the agent uses: letters, errors in words, privileges. */
#include "win_agent.h"
#include "win_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

void win_post(struct win_agent *agent, struct win_letter *letter)
{
	letter->next = NULL;
	AcquireSRWLockExclusive(&agent->lock);
	*agent->last = letter;
	agent->last = &letter->next;
	ReleaseSRWLockExclusive(&agent->lock);
	SetEvent(agent->wake);
}

uint64_t win_now(void)
{
	return GetTickCount64();
}

const char *win_error(char *out, size_t room, DWORD error)
{
	wchar_t text[256];
	DWORD units = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
				     NULL, error, 0, text, sizeof(text) / sizeof(text[0]), NULL);

	while (units && (text[units - 1] <= ' ' || text[units - 1] == '.'))
		units--;
	if (units)
		win_narrow_into(out, room, text, units);
	else
		snprintf(out, room, "error %lu", error);
	return out;
}

enum mhi_agent_code win_error_code(DWORD error)
{
	switch (error) {
	case ERROR_FILE_NOT_FOUND:
	case ERROR_PATH_NOT_FOUND:
	case ERROR_INVALID_DRIVE:
	case ERROR_BAD_NETPATH:
		return MHI_AGENT_MISSING;
	case ERROR_ACCESS_DENIED:
	case ERROR_PRIVILEGE_NOT_HELD:
	case ERROR_WRITE_PROTECT:
		return MHI_AGENT_DENIED;
	case ERROR_INVALID_NAME:
	case ERROR_BAD_PATHNAME:
	case ERROR_FILENAME_EXCED_RANGE:
		return MHI_AGENT_INVALID;
	case ERROR_CALL_NOT_IMPLEMENTED:
		return MHI_AGENT_UNSUPPORTED;
	default:
		return MHI_AGENT_FAILED;
	}
}

void win_fail(struct ga_request *request, const char *doing, DWORD error)
{
	char text[512];

	ga_end(request, win_error_code(error), "%s: %s", doing,
	       win_error(text, sizeof(text), error));
}

bool win_privilege(const wchar_t *name)
{
	TOKEN_PRIVILEGES wanted = { .PrivilegeCount = 1 };
	HANDLE token;
	bool got;

	if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
		return false;
	wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
	/* It succeeds without giving anything, too: the last error tells. */
	got = LookupPrivilegeValueW(NULL, name, &wanted.Privileges[0].Luid) &&
	      AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL) &&
	      GetLastError() == ERROR_SUCCESS;
	CloseHandle(token);
	return got;
}
