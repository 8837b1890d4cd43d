/* SPDX-License-Identifier: MIT */
/*
 * The frame buffer at boot: SeaBIOS with its VGA BIOS writes text on it, and waits, for there is
 * nothing to boot. The picture is text: few pixels, of one colour on black; what was written has
 * been told as damage; and the guest has written it without an exit for each pixel.
 * usage: screen PICTURE DISK
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define WIDTH 800u
#define HEIGHT 600u
#define TRIES 3000 /* of 50 ms */
#define END "No bootable device"

static struct {
	struct mh_ctx *ctx;
	struct mh_vm *vm;
	pthread_mutex_t lock;
	char text[65536]; /* what the serial port has said */
	size_t bytes;
	unsigned int surfaces, damages, damaged; /* lines */
} s = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "FAIL: screen: %s (%s)\n", what, s.ctx ? mh_last_error(s.ctx) : "");
	exit(EXIT_FAILURE);
}

static void print(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
	fflush(stdout);
	pthread_mutex_lock(&s.lock);
	if (bytes < sizeof(s.text) - s.bytes) {
		memcpy(s.text + s.bytes, data, bytes);
		s.bytes += bytes;
	}
	pthread_mutex_unlock(&s.lock);
}

static int said(const char *text)
{
	int found;

	pthread_mutex_lock(&s.lock);
	found = memmem(s.text, s.bytes, text, strlen(text)) != NULL;
	pthread_mutex_unlock(&s.lock);
	return found;
}

static void on_surface(void *opaque, const struct mh_surface *surface)
{
	pthread_mutex_lock(&s.lock);
	s.surfaces++;
	pthread_mutex_unlock(&s.lock);
}

static void on_damage(void *opaque, const struct mh_rect *rects, uint32_t count)
{
	pthread_mutex_lock(&s.lock);
	s.damages++;
	for (uint32_t n = 0; n < count; n++)
		s.damaged += rects[n].height;
	pthread_mutex_unlock(&s.lock);
}

static void make(const char *image)
{
	static const struct mh_display_ops ops = { 1, on_surface, on_damage, NULL };
	struct mh_framebuffer_config framebuffer = MH_FRAMEBUFFER_CONFIG_INIT;
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_disk_config disk = MH_DISK_CONFIG_INIT;
	struct mh_display_listener *listener;

	check(!mh_ctx_create(NULL, &s.ctx), "create context");
	config.memory_bytes = 64u << 20;
	check(!mh_vm_create(s.ctx, &config, &s.vm), "create VM");
	boot.firmware = MH_FIRMWARE_BIOS;
	check(!mh_vm_boot(s.vm, &boot), "boot");
	check(!mh_serial_attach(s.vm, 0, print, NULL), "serial port");
	disk.path = image;
	check(!mh_disk_attach(s.vm, &disk, NULL), "disk");
	framebuffer.width = WIDTH;
	framebuffer.height = HEIGHT;
	check(!mh_framebuffer_attach(s.vm, &framebuffer, NULL), "frame buffer");
	check(!mh_display_listen(s.vm, &ops, NULL, &listener), "listen");
}

/* Until the picture stays as it is. */
static uint32_t *wait_picture(struct mh_surface *out)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	size_t bytes = WIDTH * HEIGHT * 4;
	uint32_t *now = calloc(1, bytes), *before = calloc(1, bytes);
	int same = 0;

	check(now && before, "memory");
	for (int n = 0; n < TRIES && same < 20; n++) {
		nanosleep(&pause, NULL);
		check(!mh_display_surface(s.vm, out) && !close(out->fd), "surface");
		if (!said(END) || out->width != WIDTH || out->height != HEIGHT)
			continue;
		check(!mh_display_read(s.vm, NULL, now, WIDTH * 4), "read");
		same = memcmp(now, before, bytes) ? 0 : same + 1;
		memcpy(before, now, bytes);
	}
	printf("screen: %u x %u, %u surfaces\n", out->width, out->height, s.surfaces);
	check(same == 20, "the firmware's picture does not come");
	free(before);
	return now;
}

static void look(const uint32_t *pixels)
{
	uint32_t colour = 0, lit = 0, others = 0;

	for (uint32_t n = 0; n < WIDTH * HEIGHT; n++) {
		uint32_t pixel = pixels[n] & 0xffffff;

		if (!pixel)
			continue;
		if (!colour)
			colour = pixel;
		lit++;
		others += pixel != colour;
	}
	printf("screen: %u pixels of 0x%06x, %u of other colours\n", lit, colour, others);
	check(lit > 1000 && lit < WIDTH * HEIGHT / 10, "this is no text");
	check(others < lit / 2, "many colours");
}

static void count(void)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	check(!mh_vm_metrics(s.vm, &m), "metrics");
	printf("screen: %llu MMIO exits, %llu page faults; %u surfaces, %u damages, %u lines\n",
	       (unsigned long long)m.services[MH_SERVICE_MMIO], (unsigned long long)m.faults,
	       s.surfaces, s.damages, s.damaged);
	check(m.services[MH_SERVICE_MMIO] < WIDTH * HEIGHT / 10, "an exit for each pixel");
	check(s.surfaces >= 2 && s.damages && s.damaged >= HEIGHT, "what was told");
}

int main(int argc, char **argv)
{
	struct mh_surface surface;
	uint32_t *pixels;
	int fd;

	check(argc == 3, "usage: screen PICTURE DISK");
	make(argv[2]);
	/* Again after a reset: then the memory is somewhere else, or nowhere, for a while. */
	for (int n = 0; n < 2; n++) {
		check(n ? !mh_vm_reset(s.vm) : !mh_vm_start(s.vm), "start");
		pthread_mutex_lock(&s.lock);
		s.bytes = 0;
		pthread_mutex_unlock(&s.lock);
		pixels = wait_picture(&surface);
		look(pixels);
		free(pixels);
		count();
	}
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0 && !mh_display_png(s.vm, fd) && !close(fd), "picture");
	check(!mh_vm_stop(s.vm), "stop");
	mh_vm_destroy(s.vm);
	check(!mh_ctx_destroy(s.ctx), "destroy context");
	printf("screen: all is well\n");
	return EXIT_SUCCESS;
}
