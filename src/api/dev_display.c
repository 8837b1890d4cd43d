/* SPDX-License-Identifier: MIT */
/* Looking at a VM's display. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/impl.h"
#include "core/display.h"
#include "core/pipe.h"
#include "core/png.h"

static int no_display(struct mh_vm *vm)
{
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ENOENT,
			   "display of VM \"%s\": it has none; give it a graphics card "
			   "(mh_gpu_attach) first",
			   vm->name);
}

static int shows_nothing(struct mh_vm *vm)
{
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE,
			   "display of VM \"%s\": the guest shows nothing; wait until its driver "
			   "does",
			   vm->name);
}

static int no_pointer(struct mh_vm *vm, const char *name)
{
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
			   "display of VM \"%s\": %s is NULL; pass one", vm->name, name);
}

int mh_display_listen(struct mh_vm *vm, const struct mh_display_ops *ops, void *opaque,
		      struct mh_display_listener **out)
{
	struct mhi_display *display;
	int rc;

	if (!vm)
		return MH_EINVAL;
	display = mhi_vm_display(vm);
	if (!display)
		return no_display(vm);
	if (!ops || !out)
		return no_pointer(vm, ops ? "out" : "ops");
	if (ops->version != 1)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "display of VM \"%s\": ops.version is %u; set it to 1", vm->name,
				   ops->version);
	rc = mhi_display_listen(display, ops, opaque, out);
	return rc ? mhi_err_set(mhi_ctx_err(vm->ctx), rc, "display of VM \"%s\": " MHI_NO_MEMORY,
				vm->name)
		  : 0;
}

void mh_display_unlisten(struct mh_display_listener *listener)
{
	mhi_display_unlisten(listener);
}

int mh_display_surface(struct mh_vm *vm, struct mh_surface *out)
{
	struct mhi_display *display;
	struct mh_surface surface;

	if (!vm)
		return MH_EINVAL;
	display = mhi_vm_display(vm);
	if (!display)
		return no_display(vm);
	if (!out)
		return no_pointer(vm, "out");
	mhi_display_surface(display, &surface);
	surface.fd = fcntl(surface.fd, F_DUPFD_CLOEXEC, 0);
	if (surface.fd < 0)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ENOMEM,
				   "display of VM \"%s\": no file descriptor is left; raise the "
				   "limit (ulimit -n)",
				   vm->name);
	*out = surface;
	return 0;
}

int mh_display_read(struct mh_vm *vm, const struct mh_rect *rect, void *pixels, size_t stride)
{
	struct mhi_display *display;
	struct mh_rect all = { 0 };
	struct mh_surface now;
	int rc;

	if (!vm)
		return MH_EINVAL;
	display = mhi_vm_display(vm);
	if (!display)
		return no_display(vm);
	if (!pixels)
		return no_pointer(vm, "pixels");
	mhi_display_surface(display, &now);
	all.width = now.width;
	all.height = now.height;
	if (!rect)
		rect = &all;
	if (stride / 4 < rect->width)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "display of VM \"%s\": stride is %zu, less than a line of %u "
				   "pixels; pass at least 4 bytes for each",
				   vm->name, stride, rect->width);
	rc = mhi_display_read(display, rect, pixels, stride);
	if (rc == MH_ESTATE)
		return shows_nothing(vm);
	return rc ? mhi_err_set(mhi_ctx_err(vm->ctx), rc,
				"display of VM \"%s\": rect leaves its %u x %u pixels; choose one "
				"within",
				vm->name, now.width, now.height)
		  : 0;
}

/* ---- PNG ---- */

struct file {
	int fd, error;
};

static int write_all(void *opaque, const void *bytes, size_t count)
{
	struct file *f = opaque;
	const char *p = bytes;

	while (count) {
		ssize_t n = write(f->fd, p, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			f->error = n ? errno : ENOSPC;
			return MH_EIO;
		}
		p += n;
		count -= (size_t)n;
	}
	return 0;
}

int mh_display_png(struct mh_vm *vm, int fd)
{
	struct file f = { .fd = fd };
	struct mhi_display *display;
	u32 *pixels, width, height;
	struct mhi_pipe pipe;
	int rc;

	if (!vm)
		return MH_EINVAL;
	display = mhi_vm_display(vm);
	if (!display)
		return no_display(vm);
	rc = mhi_display_picture(display, &pixels, &width, &height);
	if (!rc) {
		mhi_pipe_begin(&pipe);
		rc = mhi_png_write(pixels, width, height, write_all, &f);
		mhi_pipe_end(&pipe);
		free(pixels);
	}
	if (rc == MH_ESTATE)
		return shows_nothing(vm);
	if (rc == MH_EIO)
		return mhi_err_set(mhi_ctx_err(vm->ctx), rc,
				   "picture of VM \"%s\": writing failed: %s; pass a file, pipe or "
				   "socket that takes it",
				   vm->name, strerror(f.error));
	return rc ? mhi_err_set(mhi_ctx_err(vm->ctx), rc, "picture of VM \"%s\": " MHI_NO_MEMORY,
				vm->name)
		  : 0;
}

int mh_display_resize(struct mh_vm *vm, uint32_t width, uint32_t height)
{
	struct mhi_display *display;

	if (!vm)
		return MH_EINVAL;
	display = mhi_vm_display(vm);
	if (!display)
		return no_display(vm);
	if (mhi_display_resize(display, width, height))
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "display of VM \"%s\": %u x %u cannot be; choose each from %u "
				   "to %u, and so that 4 bytes for each pixel fit into its %llu of "
				   "video memory",
				   vm->name, width, height, MH_DISPLAY_SIDE_MIN,
				   MH_DISPLAY_SIDE_MAX, mhi_display_vram_bytes(display));
	return 0;
}
