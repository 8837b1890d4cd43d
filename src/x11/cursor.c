/* SPDX-License-Identifier: MIT */
/* Pictures of the pointer: the guest's own, or the server's for what the guest means. */
#include "x11_priv.h"

#include <stdlib.h>
#include <xcb/render.h>

/* Indices into the font "cursor" (X11's cursorfont.h); the mask is behind each. */
enum glyph {
	XC_CROSSHAIR = 34,
	XC_FLEUR = 52,
	XC_HAND2 = 60,
	XC_LEFT_PTR = 68,
	XC_SB_H_DOUBLE_ARROW = 108,
	XC_SB_V_DOUBLE_ARROW = 116,
	XC_TOP_LEFT_CORNER = 134,
	XC_TOP_RIGHT_CORNER = 136,
	XC_WATCH = 150,
	XC_X_CURSOR = 0,
	XC_XTERM = 152
};

/* RENDER multiplies no colours: they come with their alpha in them. */
static uint32_t premultiplied(uint32_t pixel)
{
	uint32_t alpha = pixel >> 24, out = alpha << 24;

	for (unsigned int shift = 0; shift < 24; shift += 8)
		out |= ((pixel >> shift & 0xff) * alpha + 127) / 255 << shift;
	return out;
}

static xcb_cursor_t from_pixels(struct mh_x11 *x, const struct mh_cursor *cursor,
				const uint32_t *pixels)
{
	xcb_pixmap_t pixmap = xcb_generate_id(x->c);
	xcb_gcontext_t gc = xcb_generate_id(x->c);
	xcb_render_picture_t picture = xcb_generate_id(x->c);
	xcb_cursor_t id = xcb_generate_id(x->c);
	uint16_t width = (uint16_t)cursor->width, height = (uint16_t)cursor->height;

	xcb_create_pixmap(x->c, 32, pixmap, x->screen->root, width, height);
	xcb_create_gc(x->c, gc, pixmap, 0, NULL);
	xcb_put_image(x->c, XCB_IMAGE_FORMAT_Z_PIXMAP, pixmap, gc, width, height, 0, 0, 0, 32,
		      (uint32_t)width * height * 4, (const uint8_t *)pixels);
	xcb_render_create_picture(x->c, picture, pixmap, x->argb, 0, NULL);
	xcb_render_create_cursor(x->c, id, picture, (uint16_t)cursor->hot_x,
				 (uint16_t)cursor->hot_y);
	xcb_render_free_picture(x->c, picture);
	xcb_free_gc(x->c, gc);
	xcb_free_pixmap(x->c, pixmap);
	return id;
}

xcb_cursor_t mhi_x_cursor(struct mh_x11 *x, const struct mh_cursor *cursor)
{
	size_t count = (size_t)cursor->width * cursor->height;
	uint32_t most = xcb_get_maximum_request_length(x->c);
	xcb_cursor_t id;
	uint32_t *pixels;

	if (!x->argb || !cursor->pixels || !count || count + 64 > most ||
	    cursor->hot_x >= cursor->width || cursor->hot_y >= cursor->height)
		return XCB_NONE;
	pixels = malloc(count * sizeof(*pixels));
	if (!pixels)
		return XCB_NONE;
	for (size_t n = 0; n < count; n++)
		pixels[n] = premultiplied(cursor->pixels[n]);
	id = from_pixels(x, cursor, pixels);
	free(pixels);
	return id;
}

xcb_cursor_t mhi_x_glyph(struct mh_x11 *x, enum mh_pointer_shape shape)
{
	static const uint16_t glyphs[] = {
		[MH_POINTER_DEFAULT] = XC_LEFT_PTR,
		[MH_POINTER_TEXT] = XC_XTERM,
		[MH_POINTER_HAND] = XC_HAND2,
		[MH_POINTER_WAIT] = XC_WATCH,
		[MH_POINTER_CROSS] = XC_CROSSHAIR,
		[MH_POINTER_MOVE] = XC_FLEUR,
		[MH_POINTER_NS] = XC_SB_V_DOUBLE_ARROW,
		[MH_POINTER_EW] = XC_SB_H_DOUBLE_ARROW,
		[MH_POINTER_NESW] = XC_TOP_RIGHT_CORNER,
		[MH_POINTER_NWSE] = XC_TOP_LEFT_CORNER,
		[MH_POINTER_NO] = XC_X_CURSOR,
	};
	uint16_t glyph = (unsigned int)shape < sizeof(glyphs) / sizeof(glyphs[0]) ? glyphs[shape]
										  : XC_LEFT_PTR;
	xcb_font_t font = xcb_generate_id(x->c);
	xcb_cursor_t id = xcb_generate_id(x->c);

	xcb_open_font(x->c, font, 6, "cursor");
	xcb_create_glyph_cursor(x->c, id, font, font, glyph, (uint16_t)(glyph + 1), 0, 0, 0, 0xffff,
				0xffff, 0xffff);
	xcb_close_font(x->c, font);
	return id;
}
