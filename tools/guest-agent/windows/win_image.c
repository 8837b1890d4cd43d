/* SPDX-License-Identifier: MIT */
/* Pictures: the clipboard's (device-independent bitmaps) and the wire's (PNG), by WIC. */
#define COBJMACROS
#include "win_clipboard.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <initguid.h>
#include <objbase.h>
#include <wincodec.h>

#define PIXELS_MAX (64u << 20)
#define BYTES_MAX (256u << 20)

static IWICImagingFactory *factory(void)
{
	IWICImagingFactory *f = NULL;

	CoCreateInstance(&CLSID_WICImagingFactory, NULL, CLSCTX_INPROC_SERVER,
			 &IID_IWICImagingFactory, (void **)&f);
	return f;
}

/* The first picture of data, 32 bits a pixel in BGRA; its size is checked. */
static IWICBitmapSource *decode(IWICImagingFactory *f, const uint8_t *data, size_t bytes,
				UINT *width, UINT *height)
{
	IWICStream *stream = NULL;
	IWICBitmapDecoder *decoder = NULL;
	IWICBitmapFrameDecode *frame = NULL;
	IWICBitmapSource *bgra = NULL;
	bool ok;

	ok = bytes <= BYTES_MAX && IWICImagingFactory_CreateStream(f, &stream) == S_OK &&
	     IWICStream_InitializeFromMemory(stream, (BYTE *)(uintptr_t)data, (DWORD)bytes) ==
		     S_OK &&
	     IWICImagingFactory_CreateDecoderFromStream(f, (IStream *)stream, NULL,
							WICDecodeMetadataCacheOnDemand,
							&decoder) == S_OK &&
	     IWICBitmapDecoder_GetFrame(decoder, 0, &frame) == S_OK &&
	     IWICBitmapFrameDecode_GetSize(frame, width, height) == S_OK && *width && *height &&
	     (uint64_t)*width * *height <= PIXELS_MAX;
	if (ok)
		WICConvertBitmapSource(&GUID_WICPixelFormat32bppBGRA, (IWICBitmapSource *)frame,
				       &bgra);
	if (frame)
		IWICBitmapFrameDecode_Release(frame);
	if (decoder)
		IWICBitmapDecoder_Release(decoder);
	if (stream)
		IWICStream_Release(stream);
	return bgra;
}

/* ---- to the wire ---- */

/* What a stream of CreateStreamOnHGlobal holds. */
static uint8_t *copy_of(IStream *stream, size_t *bytes)
{
	HGLOBAL handle;
	STATSTG stat;
	uint8_t *copy = NULL;
	void *data;

	if (IStream_Stat(stream, &stat, STATFLAG_NONAME) != S_OK ||
	    GetHGlobalFromStream(stream, &handle) != S_OK || stat.cbSize.QuadPart > BYTES_MAX)
		return NULL;
	data = GlobalLock(handle);
	if (data)
		copy = malloc((size_t)stat.cbSize.QuadPart + 1);
	if (copy)
		memcpy(copy, data, (size_t)stat.cbSize.QuadPart);
	*bytes = (size_t)stat.cbSize.QuadPart;
	GlobalUnlock(handle);
	return copy;
}

static bool encode(IWICImagingFactory *f, IWICBitmapSource *source, IStream *out)
{
	/* A bitmap's fourth byte is most often nothing at all: the picture is as if it had none. */
	WICPixelFormatGUID format = GUID_WICPixelFormat24bppBGR;
	IWICBitmapEncoder *encoder = NULL;
	IWICBitmapFrameEncode *frame = NULL;
	IWICBitmapSource *bgr = NULL;
	UINT width, height;
	bool ok;

	ok = WICConvertBitmapSource(&format, source, &bgr) == S_OK &&
	     IWICBitmapSource_GetSize(bgr, &width, &height) == S_OK &&
	     IWICImagingFactory_CreateEncoder(f, &GUID_ContainerFormatPng, NULL, &encoder) ==
		     S_OK &&
	     IWICBitmapEncoder_Initialize(encoder, out, WICBitmapEncoderNoCache) == S_OK &&
	     IWICBitmapEncoder_CreateNewFrame(encoder, &frame, NULL) == S_OK &&
	     IWICBitmapFrameEncode_Initialize(frame, NULL) == S_OK &&
	     IWICBitmapFrameEncode_SetSize(frame, width, height) == S_OK &&
	     IWICBitmapFrameEncode_SetPixelFormat(frame, &format) == S_OK &&
	     IWICBitmapFrameEncode_WriteSource(frame, bgr, NULL) == S_OK &&
	     IWICBitmapFrameEncode_Commit(frame) == S_OK &&
	     IWICBitmapEncoder_Commit(encoder) == S_OK;
	if (frame)
		IWICBitmapFrameEncode_Release(frame);
	if (encoder)
		IWICBitmapEncoder_Release(encoder);
	if (bgr)
		IWICBitmapSource_Release(bgr);
	return ok;
}

/* Bytes of a bitmap's head and colours: where its pixels begin (Win32, BITMAPINFOHEADER). */
static size_t pixels_at(const uint8_t *dib, size_t bytes)
{
	BITMAPINFOHEADER head;
	uint64_t colours = 0, at;

	if (bytes < sizeof(head))
		return 0;
	memcpy(&head, dib, sizeof(head));
	if (head.biSize < sizeof(head) || head.biSize > 4096)
		return 0;
	if (head.biCompression == BI_BITFIELDS && head.biSize == sizeof(head))
		colours = 3;
	else if (head.biClrUsed)
		colours = head.biClrUsed;
	else if (head.biBitCount && head.biBitCount <= 8)
		colours = 1u << head.biBitCount;
	at = head.biSize + 4 * colours;
	return at < bytes ? (size_t)at : 0;
}

/* It becomes a file in memory, which WIC knows. */
static uint8_t *file_of(const uint8_t *dib, size_t bytes)
{
	size_t at = pixels_at(dib, bytes);
	BITMAPFILEHEADER head = { .bfType = 0x4d42 }; /* "BM" */
	uint8_t *file = at && bytes <= BYTES_MAX ? malloc(sizeof(head) + bytes) : NULL;

	if (!file)
		return NULL;
	head.bfSize = (DWORD)(sizeof(head) + bytes);
	head.bfOffBits = (DWORD)(sizeof(head) + at);
	memcpy(file, &head, sizeof(head));
	memcpy(file + sizeof(head), dib, bytes);
	return file;
}

uint8_t *win_png_of_dib(const uint8_t *dib, size_t bytes, size_t *out)
{
	IWICImagingFactory *f = factory();
	uint8_t *file = file_of(dib, bytes), *png = NULL;
	IWICBitmapSource *source = NULL;
	IStream *stream = NULL;
	UINT width, height;

	if (f && file)
		source = decode(f, file, sizeof(BITMAPFILEHEADER) + bytes, &width, &height);
	if (source && CreateStreamOnHGlobal(NULL, TRUE, &stream) == S_OK &&
	    encode(f, source, stream))
		png = copy_of(stream, out);
	if (stream)
		IStream_Release(stream);
	if (source)
		IWICBitmapSource_Release(source);
	if (f)
		IWICImagingFactory_Release(f);
	free(file);
	return png;
}

/* ---- from the wire ---- */

/* White behind it: who pastes a bitmap knows nothing of what is transparent. */
static void over_white(uint8_t *pixel)
{
	uint32_t alpha = pixel[3];

	for (int n = 0; n < 3; n++)
		pixel[n] = (uint8_t)((pixel[n] * alpha + 255 * (255 - alpha) + 127) / 255);
	pixel[3] = 255;
}

static uint8_t *dib_of(IWICBitmapSource *source, UINT width, UINT height, size_t *out)
{
	BITMAPINFOHEADER head = { .biSize = sizeof(head),
				  .biWidth = (LONG)width,
				  .biHeight = (LONG)height,
				  .biPlanes = 1,
				  .biBitCount = 32 };
	size_t line = (size_t)width * 4, all = line * height;
	uint8_t *dib = malloc(sizeof(head) + all);

	if (!dib)
		return NULL;
	head.biSizeImage = (DWORD)all;
	memcpy(dib, &head, sizeof(head));
	/* From the bottom up, as all know it. */
	for (UINT y = 0; y < height; y++) {
		WICRect rect = { 0, (INT)y, (INT)width, 1 };
		uint8_t *at = dib + sizeof(head) + line * (height - 1 - y);

		if (IWICBitmapSource_CopyPixels(source, &rect, (UINT)line, (UINT)line, at) !=
		    S_OK) {
			free(dib);
			return NULL;
		}
		for (size_t x = 0; x < line; x += 4)
			over_white(at + x);
	}
	*out = sizeof(head) + all;
	return dib;
}

uint8_t *win_dib_of_png(const uint8_t *png, size_t bytes, size_t *out)
{
	IWICImagingFactory *f = factory();
	IWICBitmapSource *source = NULL;
	uint8_t *dib = NULL;
	UINT width, height;

	if (f)
		source = decode(f, png, bytes, &width, &height);
	if (source)
		dib = dib_of(source, width, height, out);
	if (source)
		IWICBitmapSource_Release(source);
	if (f)
		IWICImagingFactory_Release(f);
	return dib;
}
