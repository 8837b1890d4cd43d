/* SPDX-License-Identifier: MIT */
/* The scenario's parts about the clipboard. */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bytes text_of(const char *text)
{
	return (struct bytes){ (uint8_t *)(uintptr_t)text, strlen(text) };
}

void offer(uint32_t kind, const void *data, size_t bytes)
{
	struct mhi_msg_clip_offer msg = { MHI_AGENT_SEL_CLIPBOARD, ++peer.our_offer, kind, 0 };

	for (int n = 0; n < 4; n++) {
		free(peer.content[n].data);
		peer.content[n] = (struct bytes){ NULL, 0 };
		if (kind == 1u << n)
			add(&peer.content[n], data, bytes);
	}
	peer.our_types = kind;
	peer_send(&peer, MHI_MSG_CLIP_OFFER, 0, &msg);
}

/* What the agent offers next after offers; its kinds have kind. */
static struct call *take(uint32_t offers, uint32_t kind)
{
	uint64_t end = now_ms() + PEER_MS;
	struct mhi_msg_clip_request msg = { MHI_AGENT_SEL_CLIPBOARD, 0, kind, 0 };
	struct call *c;

	while ((peer.offers == offers || !(peer.types & kind)) && now_ms() < end)
		peer_pump(&peer, 100);
	if (!(peer.types & kind))
		fail("the agent does not offer kind %u, but %#x", kind, peer.types);
	msg.offer = peer.offer;
	c = peer_ask(&peer, MHI_MSG_CLIP_REQUEST, &msg);
	peer_finish(&peer, c);
	if (c->code || c->size != c->out[0].bytes)
		fail("the clipboard: code %u (%s)", c->code, c->text);
	add(&c->out[0], "", 0);
	return c;
}

static void must_take(uint32_t offers, uint32_t kind, const char *expected)
{
	struct call *c = take(offers, kind);

	if (strcmp((char *)c->out[0].data, expected))
		fail("the clipboard has \"%s\", not \"%s\"", (char *)c->out[0].data, expected);
	call_end(c);
}

void part_clipboard(void)
{
	static const char lines[] = "\xc3\x84rger\n\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80\n\nx";
	static const char crlf[] =
		"\xc3\x84rger\r\n\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80\r\n\r\nx";
	struct mhi_msg_clip_request stale = { 0, 0, MHI_AGENT_CLIP_TEXT, 0 };
	struct bytes text = text_of(crlf);
	uint32_t offers = peer.offers, requests;
	size_t bytes = 8 << 20;
	char *large = malloc(bytes + 1);

	must("set", "text", NULL, &text);
	must_take(offers, MHI_AGENT_CLIP_TEXT, lines);
	stale.offer = peer.offer - 1;
	peer_expect(&peer, MHI_MSG_CLIP_REQUEST, &stale, MHI_AGENT_MISSING);
	/* To Windows, when it is pasted and not before. */
	requests = peer.requests;
	offer(MHI_AGENT_CLIP_TEXT, lines, strlen(lines));
	must_say("get", "text", crlf);
	if (peer.requests <= requests)
		fail("the text came without a request");
	/* Our own offer is not offered to us. */
	offers = peer.offers;
	for (int n = 0; n < 5; n++)
		peer_pump(&peer, 100);
	if (peer.offers != offers)
		fail("the host's offer came back");
	memset(large, 'x', bytes);
	large[bytes] = 0;
	offer(MHI_AGENT_CLIP_TEXT, large, bytes);
	must_say("get", "text", large);
	offer(0, NULL, 0);
	free(large);
}

/* What Windows has of an offer of the host's comes back as it was. */
static void there_and_back(uint32_t kind, const char *format, const char *content,
			   const char *on_windows)
{
	uint32_t offers;
	struct call *c;
	bool has = false;

	offer(kind, content, strlen(content));
	c = run("get", format, NULL, NULL);
	for (size_t n = 0; n + strlen(on_windows) <= c->out[1].bytes && !has; n++)
		has = !memcmp(c->out[1].data + n, on_windows, strlen(on_windows));
	if (c->status || !has)
		fail("%s on Windows: %s", format, (char *)c->out[1].data);
	offers = peer.offers;
	must("set", format, NULL, &c->out[1]);
	must_take(offers, kind, content);
	call_end(c);
}

void part_formats(void)
{
	there_and_back(MHI_AGENT_CLIP_HTML, "html", "<b>\xc3\x84</b>",
		       "StartFragment:0000000139\r\nEndFragment:0000000148\r\n");
	there_and_back(MHI_AGENT_CLIP_FILES, "files", "C:\\a b\nD:\\x\n", "D");
	there_and_back(MHI_AGENT_CLIP_TEXT, "text", "", "");
}

#define WIDTH 1400u
#define HEIGHT 1250u

/* A bitmap of noise: 24 bits a pixel, more than 5 MiB. */
static struct bytes noise(void)
{
	static const uint8_t head[40] = {
		40, 0, 0, 0, WIDTH & 0xff, WIDTH >> 8, 0, 0, HEIGHT & 0xff, HEIGHT >> 8, 0,
		0,  1, 0, 24
	};
	struct bytes dib = { NULL, 0 };
	uint32_t seed = 1;

	add(&dib, head, sizeof(head));
	for (size_t n = 0; n < WIDTH * HEIGHT; n++) {
		seed = seed * 1664525 + 1013904223;
		add(&dib,
		    (uint8_t[]){ (uint8_t)(seed >> 8), (uint8_t)(seed >> 16),
				 (uint8_t)(seed >> 24) },
		    3);
	}
	return dib;
}

static void same_picture(const struct bytes *a, const struct bytes *b)
{
	const uint8_t *from = a->data + 40, *to = b->data + 40;

	if (b->bytes != 40 + (size_t)WIDTH * HEIGHT * 4 || b->data[14] != 32)
		fail("the picture comes back as %zu bytes", b->bytes);
	for (size_t n = 0; n < WIDTH * HEIGHT; n++)
		if (memcmp(from + 3 * n, to + 4 * n, 3))
			fail("pixel %zu of the picture is another one", n);
}

/* A picture, as a program that knows no PNG puts and gets it. */
void part_picture(void)
{
	struct bytes dib = noise(), png = { NULL, 0 };
	uint32_t offers = peer.offers;
	struct call *c;

	must("set", "dib", NULL, &dib);
	c = take(offers, MHI_AGENT_CLIP_PNG);
	png = c->out[0];
	c->out[0] = (struct bytes){ NULL, 0 };
	call_end(c);
	printf("a picture of %zu bytes is a PNG of %zu\n", dib.bytes, png.bytes);
	if (png.bytes < 5 << 20 || memcmp(png.data, "\x89PNG\r\n\x1a\n", 8))
		fail("the picture is no PNG");
	offer(MHI_AGENT_CLIP_PNG, png.data, png.bytes);
	c = run("get", "dib", NULL, NULL);
	same_picture(&dib, &c->out[1]);
	call_end(c);
	c = run("get", "png", NULL, NULL);
	if (c->out[1].bytes < png.bytes || memcmp(c->out[1].data, png.data, png.bytes))
		fail("the PNG comes back as another one");
	call_end(c);
	free(dib.data);
	free(png.data);
}
