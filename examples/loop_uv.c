/* SPDX-License-Identifier: MIT */
/*
 * A VM in a program that has a libuv loop: the library's devices work on that loop, beside the
 * program's own timer and its watch on the VM's events.
 *
 * Usage: loop_uv KERNEL INITRD COMMAND-LINE      cc loop_uv.c $(pkg-config ... macrohard libuv)
 */
#include <stdio.h>
#include <stdlib.h>

#include <macrohard/macrohard.h>
#include <macrohard/uv.h>

struct program {
	uv_loop_t loop;
	uv_timer_t timer;
	uv_poll_t events;
	unsigned int ticks;
	struct mh_ctx *ctx;
	struct mh_vm *vm;
};

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
}

static void on_tick(uv_timer_t *timer)
{
	struct program *p = timer->data;

	p->ticks++;
}

/* At the VM's end everything is taken off the loop, and uv_run returns. */
static void on_events(uv_poll_t *poll, int status, int events)
{
	struct mh_event event = MH_EVENT_INIT;
	struct program *p = poll->data;

	while (!mh_vm_event_read(p->vm, &event)) {
		printf("event %u: %s\n", (unsigned int)event.number, event.text);
		if (event.kind != MH_EVENT_STATE || event.state != MH_VM_STOPPED)
			continue;
		uv_stop(&p->loop);
		return;
	}
}

static int make_vm(struct program *p, char **argv)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	int rc;

	config.memory_bytes = 256u << 20;
	rc = mh_vm_create(p->ctx, &config, &p->vm);
	if (rc)
		return rc;
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = argv[3];
	rc = mh_vm_boot(p->vm, &boot);
	if (!rc)
		rc = mh_serial_attach(p->vm, 0, on_serial, NULL);
	return rc ? rc : mh_rng_attach(p->vm, NULL, NULL);
}

static int run(struct program *p)
{
	int fd = mh_vm_events_fd(p->vm), rc;

	if (fd < 0 || uv_poll_init(&p->loop, &p->events, fd))
		return MH_EIO;
	uv_timer_init(&p->loop, &p->timer);
	p->events.data = p;
	p->timer.data = p;
	rc = mh_vm_start(p->vm);
	if (!rc) {
		uv_poll_start(&p->events, UV_READABLE, on_events);
		uv_timer_start(&p->timer, on_tick, 1000, 1000);
		uv_run(&p->loop, UV_RUN_DEFAULT);
	}
	uv_close((uv_handle_t *)&p->events, NULL);
	uv_close((uv_handle_t *)&p->timer, NULL);
	/* The watch is gone before the descriptor is. */
	uv_run(&p->loop, UV_RUN_NOWAIT);
	return rc;
}

int main(int argc, char **argv)
{
	static struct program p;
	int rc;

	if (argc != 4) {
		fprintf(stderr, "usage: loop_uv KERNEL INITRD COMMAND-LINE\n");
		return 2;
	}
	if (uv_loop_init(&p.loop) || mh_ctx_create_uv(NULL, &p.loop, &p.ctx)) {
		fprintf(stderr, "loop_uv: out of memory\n");
		return EXIT_FAILURE;
	}
	rc = make_vm(&p, argv);
	if (!rc)
		rc = run(&p);
	if (rc)
		fprintf(stderr, "loop_uv: %s\n", mh_last_error(p.ctx));
	else
		printf("the loop ticked meanwhile: %s\n", p.ticks ? "yes" : "no");
	mh_vm_destroy(p.vm);
	mh_ctx_destroy(p.ctx);
	/* One turn for what is left of the context. */
	uv_run(&p.loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&p.loop))
		rc = MH_ESTATE;
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
