/* SPDX-License-Identifier: MIT */
/* Ways to the host: serial ports, virtio's among them, and TCP for agents without a VM. */
#include "win_agent.h"

#include <winsock2.h>
#include <ws2tcpip.h>

/* Bytes of the driver's buffer, which has 4096 at least, that flow control leaves free. */
#define PORT_MARGIN 1024

/* A serial port passes each byte on as it is, at the speed that UARTs have. False: it is none. */
static bool set_port(HANDLE handle)
{
	/* Reads return with what is there, or after a second with nothing (COMMTIMEOUTS). */
	COMMTIMEOUTS times = { MAXDWORD, MAXDWORD, 1000, 0, 0 };
	DCB dcb = { .DCBlength = sizeof(dcb) };

	if (!GetCommState(handle, &dcb))
		return false;
	dcb = (DCB){ .DCBlength = sizeof(dcb), .BaudRate = CBR_115200, .ByteSize = 8 };
	dcb.fBinary = TRUE;
	dcb.fDtrControl = DTR_CONTROL_ENABLE;
	/* The host waits while the driver's buffer is full. */
	dcb.fRtsControl = RTS_CONTROL_HANDSHAKE;
	dcb.XonLim = dcb.XoffLim = PORT_MARGIN;
	return SetCommState(handle, &dcb) && SetCommTimeouts(handle, &times);
}

static HANDLE open_port(const wchar_t *path, uint32_t *flags)
{
	HANDLE handle = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
				    FILE_FLAG_OVERLAPPED, NULL);

	*flags = handle != INVALID_HANDLE_VALUE && set_port(handle) ? WIN_STREAM_SERIAL : 0;
	return handle;
}

static HANDLE open_tcp(const struct win_way *way)
{
	ADDRINFOW hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *list, *a;
	SOCKET s = INVALID_SOCKET;
	int on = 1;

	if (GetAddrInfoW(way->name, way->service, &hints, &list))
		return INVALID_HANDLE_VALUE;
	for (a = list; a && s == INVALID_SOCKET; a = a->ai_next) {
		s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
		if (s != INVALID_SOCKET && connect(s, a->ai_addr, (int)a->ai_addrlen)) {
			closesocket(s);
			s = INVALID_SOCKET;
		}
	}
	FreeAddrInfoW(list);
	if (s != INVALID_SOCKET)
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
	return s == INVALID_SOCKET ? INVALID_HANDLE_VALUE : (HANDLE)s;
}

static void close_handle(struct win_way *way)
{
	if (way->kind == WIN_WAY_TCP)
		closesocket((SOCKET)way->handle);
	else
		CloseHandle(way->handle);
}

int win_way_open(struct win_way *way, HANDLE wake)
{
	uint32_t flags = 0;

	if (way->kind == WIN_WAY_TCP)
		way->handle = open_tcp(way);
	else
		way->handle = open_port(way->name, &flags);
	if (way->handle == INVALID_HANDLE_VALUE)
		return -1;
	way->in = win_stream_open(way->handle, wake, flags);
	way->out = win_stream_open(way->handle, wake, WIN_STREAM_WRITES | flags);
	way->open = way->in && way->out;
	if (way->open)
		return 0;
	win_way_close(way);
	return -1;
}

void win_way_close(struct win_way *way)
{
	win_stream_close(way->in);
	win_stream_close(way->out);
	way->in = way->out = NULL;
	if (way->handle && way->handle != INVALID_HANDLE_VALUE)
		close_handle(way);
	way->handle = NULL;
	way->open = false;
}
