/* SPDX-License-Identifier: MIT */
/* Windows' end, its clock and the size of its display. */
#include "win_agent.h"

#include <string.h>

#define EPOCH 116444736000000000ull /* of UNIX, in FILETIME's 100 ns since 1601 */

void win_shutdown(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	uint32_t mode = msg->u.shutdown.mode;
	/* Programs are asked, those that do not answer are not waited for. */
	UINT flags = (mode == MHI_AGENT_REBOOT ? EWX_REBOOT : EWX_POWEROFF) | EWX_FORCEIFHUNG;

	if (mode != MHI_AGENT_OFF && mode != MHI_AGENT_REBOOT) {
		ga_end(request, MHI_AGENT_INVALID, "there is no such way to shut down: %u", mode);
		return;
	}
	if (!win_privilege(SE_SHUTDOWN_NAME))
		ga_end(request, MHI_AGENT_DENIED, "the agent's user may not shut Windows down");
	else if (ExitWindowsEx(flags, SHTDN_REASON_MAJOR_OTHER | SHTDN_REASON_FLAG_PLANNED))
		ga_done(request);
	else
		win_fail(request, "cannot shut Windows down", GetLastError());
}

void win_set_time(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	uint64_t ticks = msg->u.set_time.unix_ns / 100 + EPOCH;
	FILETIME file = { (DWORD)ticks, (DWORD)(ticks >> 32) };
	SYSTEMTIME now;

	if (!FileTimeToSystemTime(&file, &now))
		win_fail(request, "the host's time is none of Windows", GetLastError());
	else if (!win_privilege(SE_SYSTEMTIME_NAME))
		ga_end(request, MHI_AGENT_DENIED, "the agent's user may not set the clock");
	else if (!SetSystemTime(&now))
		win_fail(request, "cannot set the clock", GetLastError());
	else
		ga_done(request);
}

void win_resize(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	DEVMODEW mode = { .dmSize = sizeof(mode), .dmFields = DM_PELSWIDTH | DM_PELSHEIGHT };
	uint32_t width = msg->u.resize.width, height = msg->u.resize.height;
	LONG rc;

	if (!width || !height || width > 32767 || height > 32767) {
		ga_end(request, MHI_AGENT_INVALID, "no display has %u by %u pixels", width, height);
		return;
	}
	mode.dmPelsWidth = width;
	mode.dmPelsHeight = height;
	rc = ChangeDisplaySettingsExW(NULL, &mode, NULL, CDS_TEST, NULL);
	if (rc == DISP_CHANGE_SUCCESSFUL)
		rc = ChangeDisplaySettingsExW(NULL, &mode, NULL, 0, NULL);
	if (rc == DISP_CHANGE_SUCCESSFUL)
		ga_done(request);
	else if (rc == DISP_CHANGE_BADMODE)
		ga_end(request, MHI_AGENT_UNSUPPORTED,
		       "the display's driver has no mode of %u by %u pixels", width, height);
	else
		ga_end(request, MHI_AGENT_FAILED,
		       "Windows cannot set %u by %u pixels: DISP_CHANGE %ld", width, height, rc);
}

void win_work_area(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	const struct mhi_msg_work_area *a = &msg->u.work_area;
	RECT rect;

	if (a->width > 32767 || a->height > 32767 || a->x < -32768 || a->x > 32767 ||
	    a->y < -32768 || a->y > 32767) {
		ga_end(request, MHI_AGENT_INVALID, "no display is that large");
		return;
	}
	rect = (RECT){ a->x, a->y, a->x + (LONG)a->width, a->y + (LONG)a->height };
	/* Nobody is told: that would wait for all programs. Who maximises a window looks. */
	if (a->width && a->height && !SystemParametersInfoW(SPI_SETWORKAREA, 0, &rect, 0))
		win_fail(request, "cannot set the work area", GetLastError());
	else
		ga_done(request);
}
