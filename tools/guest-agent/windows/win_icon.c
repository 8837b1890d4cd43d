/* SPDX-License-Identifier: MIT */
/* Pictures of icons. */
#include "win_windows.h"

#include <string.h>

#define PIXELS (MHI_AGENT_ICON_MAX * MHI_AGENT_ICON_MAX)

static HICON ask(HWND window, WPARAM which)
{
	DWORD_PTR icon = 0;

	if (!SendMessageTimeoutW(window, WM_GETICON, which, 0, SMTO_ABORTIFHUNG, WIN_ASK_MS, &icon))
		return NULL;
	return (HICON)icon;
}

HICON win_icon_source(HWND window)
{
	HICON icon = ask(window, ICON_BIG);

	if (!icon)
		icon = (HICON)GetClassLongPtrW(window, GCLP_HICON);
	if (!icon)
		icon = ask(window, ICON_SMALL);
	return icon ? icon : (HICON)GetClassLongPtrW(window, GCLP_HICONSM);
}

static bool size_of(HICON icon, LONG *width, LONG *height)
{
	ICONINFO info;
	BITMAP bitmap;
	bool got;

	if (!GetIconInfo(icon, &info))
		return false;
	got = GetObjectW(info.hbmColor ? info.hbmColor : info.hbmMask, sizeof(bitmap), &bitmap);
	if (info.hbmColor)
		DeleteObject(info.hbmColor);
	if (info.hbmMask)
		DeleteObject(info.hbmMask);
	if (!got)
		return false;
	*width = bitmap.bmWidth;
	*height = info.hbmColor ? bitmap.bmHeight : bitmap.bmHeight / 2;
	if (*width > (LONG)MHI_AGENT_ICON_MAX || *height > (LONG)MHI_AGENT_ICON_MAX)
		*width = *height = MHI_AGENT_ICON_MAX;
	return *width > 0 && *height > 0;
}

/* Draw it over a colour into pixels [width * height], 0x00RRGGBB. */
static bool draw(HICON icon, LONG width, LONG height, uint8_t colour, uint32_t *pixels)
{
	BITMAPINFO info = { .bmiHeader = { .biSize = sizeof(info.bmiHeader),
					   .biWidth = width,
					   .biHeight = -height, /* from the top down */
					   .biPlanes = 1,
					   .biBitCount = 32 } };
	size_t bytes = (size_t)width * (size_t)height * 4;
	HDC dc = CreateCompatibleDC(NULL);
	void *bits = NULL;
	HBITMAP bitmap = dc ? CreateDIBSection(dc, &info, DIB_RGB_COLORS, &bits, NULL, 0) : NULL;
	HGDIOBJ old;
	bool drawn = false;

	if (bitmap) {
		memset(bits, colour, bytes);
		old = SelectObject(dc, bitmap);
		drawn = DrawIconEx(dc, 0, 0, icon, width, height, 0, NULL, DI_NORMAL);
		GdiFlush();
		memcpy(pixels, bits, bytes);
		SelectObject(dc, old);
		DeleteObject(bitmap);
	}
	if (dc)
		DeleteDC(dc);
	return drawn;
}

static uint32_t channel(uint32_t pixel, int n)
{
	return pixel >> (8 * n) & 0xff;
}

/* How much of a pixel is seen is what black and white behind it leave equal. */
static void put_pixel(uint8_t *out, uint32_t on_black, uint32_t on_white)
{
	uint32_t black = channel(on_black, 1), white = channel(on_white, 1);
	uint32_t alpha = white < black ? 255 : 255 - (white - black);

	for (int n = 0; n < 3; n++) {
		uint32_t value = alpha ? channel(on_black, n) * 255 / alpha : 0;

		out[n] = (uint8_t)(value > 255 ? 255 : value);
	}
	out[3] = (uint8_t)alpha;
}

struct win_icon *win_icon_of(HICON source)
{
	static const uint8_t black = 0, white = 255;
	uint32_t on_black[PIXELS], on_white[PIXELS];
	struct win_icon *icon;
	LONG width, height;

	if (!size_of(source, &width, &height) || !draw(source, width, height, black, on_black) ||
	    !draw(source, width, height, white, on_white))
		return NULL;
	icon = win_icon_new((uint32_t)width, (uint32_t)height);
	for (LONG n = 0; icon && n < width * height; n++)
		put_pixel(icon->pixels + 4 * (size_t)n, on_black[n], on_white[n]);
	return icon;
}
