/* SPDX-License-Identifier: MIT */
/*
 * Shared folders. Windows shows one share of virtio-fs as a drive: virtio-win's driver and service,
 * on WinFsp. What this program can do is to see that they are there, and to start the service.
 */
#include "win_agent.h"

#define DRIVER L"VirtioFsDrv"
#define SERVICE L"VirtioFsSvc"
#define WINFSP L"WinFsp.Launcher"

#define GUIDE "; docs/desktop.md of libmacrohard says how"

static bool is_there(SC_HANDLE manager, const wchar_t *name)
{
	SC_HANDLE service = OpenServiceW(manager, name, SERVICE_QUERY_STATUS);
	bool there = service || GetLastError() != ERROR_SERVICE_DOES_NOT_EXIST;

	if (service)
		CloseServiceHandle(service);
	return there;
}

static bool runs(SC_HANDLE service)
{
	SERVICE_STATUS status;

	return QueryServiceStatus(service, &status) &&
	       (status.dwCurrentState == SERVICE_RUNNING ||
		status.dwCurrentState == SERVICE_START_PENDING);
}

static void start(SC_HANDLE manager, struct ga_request *request)
{
	SC_HANDLE service = OpenServiceW(manager, SERVICE, SERVICE_QUERY_STATUS);
	DWORD error = 0;
	bool done;

	if (!service) {
		win_fail(request, "cannot ask for the service VirtioFsSvc", GetLastError());
		return;
	}
	done = runs(service);
	CloseServiceHandle(service);
	if (done) {
		ga_done(request);
		return;
	}
	service = OpenServiceW(manager, SERVICE, SERVICE_START);
	if (!service || !StartServiceW(service, 0, NULL))
		error = GetLastError();
	if (service)
		CloseServiceHandle(service);
	if (error && error != ERROR_SERVICE_ALREADY_RUNNING)
		win_fail(request, "cannot start the service VirtioFsSvc", error);
	else
		ga_done(request);
}

void win_mount(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	SC_HANDLE manager;

	if (!(msg->u.mount.flags & MHI_AGENT_MOUNT_VIRTIOFS)) {
		ga_end(request, MHI_AGENT_UNSUPPORTED,
		       "Windows has no driver for 9P: share the folder by virtio-fs" GUIDE);
		return;
	}
	manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	if (!manager)
		win_fail(request, "cannot ask for services", GetLastError());
	else if (!is_there(manager, DRIVER))
		ga_end(request, MHI_AGENT_UNSUPPORTED,
		       "virtio-win's driver for virtio-fs (viofs) is not installed" GUIDE);
	else if (!is_there(manager, WINFSP))
		ga_end(request, MHI_AGENT_UNSUPPORTED, "WinFsp is not installed" GUIDE);
	else if (!is_there(manager, SERVICE))
		ga_end(request, MHI_AGENT_UNSUPPORTED,
		       "virtio-win's service VirtioFsSvc is not installed" GUIDE);
	else
		start(manager, request);
	if (manager)
		CloseServiceHandle(manager);
}

void win_unmount(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	ga_end(request, MHI_AGENT_UNSUPPORTED,
	       "the share's drive is there while the service VirtioFsSvc runs: stop that");
}
