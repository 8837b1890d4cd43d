/* SPDX-License-Identifier: MIT */
/* The files of ../files.h: written beside their place, and put there whole. */
#include "win_agent.h"
#include "win_text.h"
#include "../files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define MODE_WRITES 0222u /* of UNIX; Windows has only one bit for it */

struct ga_file {
	HANDLE handle;
	bool readonly;
	wchar_t *path, *temporary; /* NULL: it is read */
};

static void fail(struct ga_failure *why, enum mhi_agent_code code, const char *text)
{
	why->code = code;
	snprintf(why->text, sizeof(why->text), "%s", text);
}

static void fail_by(struct ga_failure *why, const char *doing)
{
	DWORD error = GetLastError();
	char text[200];

	why->code = win_error_code(error);
	snprintf(why->text, sizeof(why->text), "%s: %s", doing,
		 win_error(text, sizeof(text), error));
}

/*
 * A path as Windows takes it whatever its length and its last component are (Win32 documentation,
 * Naming Files, Paths, and Namespaces); NULL: it is not absolute.
 */
static wchar_t *whole_path(const char *text, struct ga_failure *why)
{
	wchar_t *path = win_wide(text, strlen(text), NULL);
	bool drive = path && path[0] && path[1] == L':' && (path[2] == L'\\' || path[2] == L'/');
	bool share = path && path[0] == L'\\' && path[1] == L'\\';
	wchar_t *whole;

	if (!path || (!drive && !share)) {
		free(path);
		fail(why, MHI_AGENT_INVALID, "the path is not absolute: C:\\... or \\\\...");
		return NULL;
	}
	if (share)
		return path;
	whole = malloc((wcslen(path) + 5) * sizeof(*whole));
	if (whole) {
		memcpy(whole, L"\\\\?\\", 4 * sizeof(*whole));
		memcpy(whole + 4, path, (wcslen(path) + 1) * sizeof(*whole));
		for (wchar_t *c = whole; *c; c++)
			if (*c == L'/')
				*c = L'\\';
	}
	free(path);
	return whole;
}

static wchar_t *beside(const wchar_t *path)
{
	size_t units = wcslen(path) + 32;
	wchar_t *name = malloc(units * sizeof(*name));

	if (name)
		_snwprintf(name, units, L"%ls.%08lx.tmp", path,
			   GetTickCount() ^ GetCurrentProcessId() << 16);
	return name;
}

void ga_file_close(struct ga_file *file)
{
	if (!file)
		return;
	if (file->handle != INVALID_HANDLE_VALUE) {
		CloseHandle(file->handle);
		if (file->temporary)
			DeleteFileW(file->temporary);
	}
	free(file->path);
	free(file->temporary);
	free(file);
}

struct ga_file *ga_file_create(const char *path, uint32_t mode, struct ga_failure *why)
{
	struct ga_file *file = calloc(1, sizeof(*file));

	if (!file) {
		fail(why, MHI_AGENT_FAILED, "no memory");
		return NULL;
	}
	file->handle = INVALID_HANDLE_VALUE;
	file->readonly = !(mode & MODE_WRITES);
	file->path = whole_path(path, why);
	file->temporary = file->path ? beside(file->path) : NULL;
	if (file->temporary)
		file->handle = CreateFileW(file->temporary, GENERIC_WRITE | DELETE, 0, NULL,
					   CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
	if (file->handle != INVALID_HANDLE_VALUE)
		return file;
	if (file->temporary)
		fail_by(why, "cannot create the file");
	ga_file_close(file);
	return NULL;
}

bool ga_file_write(struct ga_file *file, const void *data, size_t bytes, struct ga_failure *why)
{
	DWORD written;

	if (WriteFile(file->handle, data, (DWORD)bytes, &written, NULL) && written == bytes)
		return true;
	fail_by(why, "cannot write the file");
	return false;
}

bool ga_file_commit(struct ga_file *file, struct ga_failure *why)
{
	bool ok = FlushFileBuffers(file->handle);

	CloseHandle(file->handle);
	file->handle = INVALID_HANDLE_VALUE;
	if (file->readonly)
		SetFileAttributesW(file->temporary, FILE_ATTRIBUTE_READONLY);
	ok = ok && MoveFileExW(file->temporary, file->path,
			       MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
	if (!ok) {
		fail_by(why, "cannot put the file at its place");
		SetFileAttributesW(file->temporary, FILE_ATTRIBUTE_NORMAL);
		DeleteFileW(file->temporary);
	}
	ga_file_close(file);
	return ok;
}

struct ga_file *ga_file_open(const char *path, uint32_t *mode, uint64_t *bytes,
			     struct ga_failure *why)
{
	struct ga_file *file = calloc(1, sizeof(*file));
	wchar_t *whole = file ? whole_path(path, why) : NULL;
	BY_HANDLE_FILE_INFORMATION info;

	if (!whole) {
		if (!file)
			fail(why, MHI_AGENT_FAILED, "no memory");
		free(file);
		return NULL;
	}
	file->handle = CreateFileW(whole, GENERIC_READ,
				   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
				   OPEN_EXISTING, 0, NULL);
	free(whole);
	if (file->handle == INVALID_HANDLE_VALUE) {
		fail_by(why, "cannot open the file");
	} else if (GetFileType(file->handle) != FILE_TYPE_DISK ||
		   !GetFileInformationByHandle(file->handle, &info)) {
		fail(why, MHI_AGENT_INVALID, "that is no ordinary file");
	} else {
		*mode = info.dwFileAttributes & FILE_ATTRIBUTE_READONLY ? 0444 : 0644;
		*bytes = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
		return file;
	}
	ga_file_close(file);
	return NULL;
}

long ga_file_read(struct ga_file *file, void *data, size_t bytes, struct ga_failure *why)
{
	DWORD got;

	if (ReadFile(file->handle, data, (DWORD)bytes, &got, NULL))
		return (long)got;
	fail_by(why, "cannot read the file");
	return -1;
}
