/* SPDX-License-Identifier: MIT */
/*
 * The part of libmacrohard's API that the X11 library calls: each call is a line on standard
 * output. So that the library is tested without a VM.
 */
#include "fake_mh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mh_err_name(int error)
{
#define NAME(name, value, text) \
	case value:             \
		return "MH_" #name;
	switch (error) {
		MH_ERROR_LIST(NAME)
	default:
		return "MH_UNKNOWN";
	}
}

/* ---- display ---- */

int mh_display_listen(struct mh_vm *vm, const struct mh_display_ops *ops, void *opaque,
		      struct mh_display_listener **out)
{
	vm->display = ops;
	vm->display_opaque = opaque;
	ops->surface(opaque, &vm->surface);
	*out = (struct mh_display_listener *)vm;
	return 0;
}

void mh_display_unlisten(struct mh_display_listener *listener)
{
	if (listener)
		((struct mh_vm *)listener)->display = NULL;
}

int mh_display_resize(struct mh_vm *vm, uint32_t width, uint32_t height)
{
	printf("resize %u %u\n", width, height);
	return 0;
}

int mh_vm_power_button(struct mh_vm *vm)
{
	printf("power\n");
	return 0;
}

/* ---- input ---- */

int mh_input_key(struct mh_vm *vm, uint32_t code, int down)
{
	printf("key %u %d\n", code, down);
	return 0;
}

int mh_input_pointer(struct mh_vm *vm, int32_t x, int32_t y, uint32_t width, uint32_t height)
{
	printf("pointer %d %d\n", x, y);
	return 0;
}

int mh_input_button(struct mh_vm *vm, uint32_t code, int down)
{
	printf("button %u %d\n", code, down);
	return 0;
}

int mh_input_wheel(struct mh_vm *vm, int32_t vertical, int32_t horizontal)
{
	printf("wheel %d %d\n", vertical, horizontal);
	return 0;
}

int mh_agent_key(struct mh_agent *agent, uint32_t code, uint32_t down)
{
	printf("agent-key %u %u\n", code, down);
	return 0;
}

int mh_agent_pointer(struct mh_agent *agent, int32_t x, int32_t y)
{
	printf("agent-pointer %d %d\n", x, y);
	return 0;
}

int mh_agent_button(struct mh_agent *agent, uint32_t code, uint32_t down)
{
	printf("agent-button %u %u\n", code, down);
	return 0;
}

int mh_agent_wheel(struct mh_agent *agent, int32_t vertical, int32_t horizontal)
{
	printf("agent-wheel %d %d\n", vertical, horizontal);
	return 0;
}

/* ---- windows ---- */

int mh_seamless_start(struct mh_agent *agent, const struct mh_seamless_ops *ops, void *opaque)
{
	if (agent->windows)
		return MH_EBUSY;
	agent->windows = ops;
	agent->windows_opaque = opaque;
	return 0;
}

int mh_seamless_stop(struct mh_agent *agent)
{
	agent->windows = NULL;
	return 0;
}

int mh_window_configure(struct mh_agent *agent, uint64_t id, const struct mh_rect *r)
{
	printf("configure %lu %d %d %u %u\n", (unsigned long)id, r->x, r->y, r->width, r->height);
	return 0;
}

int mh_window_act(struct mh_agent *agent, uint64_t id, uint32_t action)
{
	printf("act %lu %u\n", (unsigned long)id, action);
	return 0;
}

int mh_seamless_work_area(struct mh_agent *agent, const struct mh_rect *area, uint32_t scale)
{
	printf("work %d %d %u %u %u\n", area->x, area->y, area->width, area->height, scale);
	return 0;
}

/* ---- clipboard ---- */

int mh_clipboard_start(struct mh_agent *agent, const struct mh_clip_policy *policy,
		       const struct mh_clipboard_ops *ops, void *opaque)
{
	if (agent->clip)
		return MH_EBUSY;
	agent->clip = ops;
	agent->clip_opaque = opaque;
	return 0;
}

int mh_clipboard_stop(struct mh_agent *agent)
{
	agent->clip = NULL;
	return 0;
}

int mh_clipboard_offer(struct mh_agent *agent, uint32_t selection, uint32_t kinds)
{
	printf("offer %u %u\n", selection, kinds);
	return 0;
}

int mh_clipboard_get(struct mh_agent *agent, uint32_t selection, uint32_t kind, mh_clipboard_fn *fn,
		     void *opaque)
{
	printf("get %u %u\n", selection, kind);
	if (agent->content)
		fn(opaque, 0, agent->content, agent->content_bytes);
	else
		fn(opaque, MH_ENOENT, NULL, 0);
	return 0;
}

/* Short ones are told whole, of others the size and a sum. */
int mh_clipboard_answer(struct mh_clip_request *request, const void *data, size_t bytes)
{
	const unsigned char *c = data;
	unsigned int sum = 0;

	for (size_t n = 0; n < bytes; n++)
		sum = sum * 31 + c[n];
	printf("answer %zu %u ", bytes, sum);
	for (size_t n = 0; n < bytes && bytes < 100; n++)
		printf("%02x", c[n]);
	printf("\n");
	free(request);
	return 0;
}

int mh_clipboard_refuse(struct mh_clip_request *request)
{
	printf("refuse\n");
	free(request);
	return 0;
}
