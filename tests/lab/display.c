/* SPDX-License-Identifier: MIT */
/*
 * The host's end of drm_draw: a Linux guest with a graphics card draws, and each picture is
 * compared with what it must be, pixel by pixel, as it lies in the memory file and as it is read.
 * With "plain" the card is the plain frame buffer, which has no cursor and another size only when
 * its driver starts again.
 * usage: display KERNEL INITRD CMDLINE PICTURE [plain]
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#include "drm_pattern.h"

#define WIDTH 800u
#define HEIGHT 600u
#define OTHER_WIDTH 1280u
#define OTHER_HEIGHT 720u
#define STEPS 5u
#define STEPS_PLAIN 3u
#define GUEST_S 300
#define TRIES 1500 /* of 20 ms: what was drawn is on its way yet */

static struct {
	struct mh_ctx *ctx;
	struct mh_vm *vm;
	struct mh_dev *gpu;
	int plain;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char line[256];
	size_t bytes;
	unsigned int drawn, width, height; /* what the guest said last */
	struct mh_rect damage;		   /* the last one */
	unsigned int damages, surfaces;
	struct mh_cursor cursor;
	unsigned int wrong; /* pixels of the cursor */
} h = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "FAIL: display: %s (%s)\n", what, h.ctx ? mh_last_error(h.ctx) : "");
	exit(EXIT_FAILURE);
}

/* ---- what the guest says ---- */

static void take_line(void)
{
	unsigned int step, width, height;

	if (sscanf(h.line, "DRAWN %u %u %u", &step, &width, &height) == 3) {
		h.drawn = step;
		h.width = width;
		h.height = height;
	}
	pthread_cond_broadcast(&h.changed);
}

static void print(void *opaque, const void *data, size_t bytes)
{
	const char *text = data;

	fwrite(data, 1, bytes, stdout);
	fflush(stdout);
	pthread_mutex_lock(&h.lock);
	for (; bytes; bytes--, text++) {
		if (*text == '\n') {
			h.line[h.bytes] = '\0';
			take_line();
			h.bytes = 0;
		} else if (h.bytes + 1 < sizeof(h.line)) {
			h.line[h.bytes++] = *text;
		}
	}
	pthread_mutex_unlock(&h.lock);
}

static void wait_drawn(unsigned int step)
{
	struct timespec until;
	int n = 0;

	pthread_mutex_lock(&h.lock);
	while (h.drawn < step && n++ < GUEST_S) {
		check(mh_vm_state(h.vm) == MH_VM_RUNNING, "the guest has ended");
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&h.changed, &h.lock, &until);
	}
	check(h.drawn >= step, "the guest is silent");
	pthread_mutex_unlock(&h.lock);
}

/* ---- what is told of the display ---- */

static void on_surface(void *opaque, const struct mh_surface *surface)
{
	pthread_mutex_lock(&h.lock);
	h.surfaces++;
	pthread_mutex_unlock(&h.lock);
}

static void on_damage(void *opaque, const struct mh_rect *rects, uint32_t count)
{
	pthread_mutex_lock(&h.lock);
	h.damages++;
	h.damage = rects[count - 1];
	pthread_mutex_unlock(&h.lock);
}

static void on_cursor(void *opaque, const struct mh_cursor *cursor, uint32_t moved)
{
	pthread_mutex_lock(&h.lock);
	h.cursor = *cursor;
	h.cursor.pixels = NULL;
	h.wrong = 0;
	for (uint32_t n = 0; cursor->visible && n < cursor->width * cursor->height; n++)
		h.wrong += cursor->pixels[n] != pattern_cursor(n % CURSOR_SIDE, n / CURSOR_SIDE);
	pthread_mutex_unlock(&h.lock);
}

/* ---- what is seen ---- */

static uint32_t expected(unsigned int step, uint32_t x, uint32_t y)
{
	int part = x - PART_X < PART_WIDTH && y - PART_Y < PART_HEIGHT;

	if (step == 3 || step == 4)
		return pattern(part ? 3 : 2, x, y);
	return pattern(step, x, y);
}

static unsigned int compare(unsigned int step, const unsigned char *pixels, size_t stride)
{
	unsigned int wrong = 0;

	for (uint32_t y = 0; y < h.height; y++) {
		const uint32_t *line = (const uint32_t *)(pixels + y * stride);

		for (uint32_t x = 0; x < h.width; x++)
			wrong += (line[x] & 0xffffff) != expected(step, x, y);
	}
	return wrong;
}

/* ~0: it has another size. */
static unsigned int wrong_pixels(unsigned int step)
{
	size_t stride = h.width * 4;
	unsigned char *copy = malloc(stride * h.height), *map;
	unsigned int wrong = ~0u;
	struct mh_surface s;

	check(copy && !mh_display_surface(h.vm, &s), "surface");
	if (s.width == h.width && s.height == h.height) {
		map = mmap(NULL, s.bytes, PROT_READ, MAP_SHARED, s.fd, 0);
		check(map != MAP_FAILED, "map the display");
		wrong = compare(step, map + s.offset, s.stride);
		munmap(map, s.bytes);
		if (!wrong && !mh_display_read(h.vm, NULL, copy, stride))
			wrong = compare(step, copy, stride);
	}
	close(s.fd);
	free(copy);
	return wrong;
}

static void see(unsigned int step)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	unsigned int wrong, n = 0;

	while ((wrong = wrong_pixels(step)) && n++ < TRIES)
		nanosleep(&pause, NULL);
	printf("display: step %u: %u x %u, %u wrong pixels\n", step, h.width, h.height, wrong);
	check(!wrong, "the picture is another one");
}

static void see_cursor(int visible)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct mh_cursor c = { 0 };
	unsigned int wrong = 0;

	for (unsigned int n = 0; n < TRIES; n++) {
		pthread_mutex_lock(&h.lock);
		c = h.cursor;
		wrong = h.wrong;
		pthread_mutex_unlock(&h.lock);
		if (c.visible ? visible && c.x == CURSOR_X + (int)c.hot_x : !visible)
			break;
		nanosleep(&pause, NULL);
	}
	printf("display: cursor %u at %d, %d, hot spot %u, %u, %u wrong pixels\n", c.visible, c.x,
	       c.y, c.hot_x, c.hot_y, wrong);
	check((int)c.visible == visible && !wrong, "the cursor is another one");
	if (visible)
		check(c.hot_x == CURSOR_HOT_X && c.hot_y == CURSOR_HOT_Y &&
			      c.x == CURSOR_X + CURSOR_HOT_X && c.y == CURSOR_Y + CURSOR_HOT_Y,
		      "the cursor is elsewhere");
}

static void shoot(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(fd >= 0 && !mh_display_png(h.vm, fd) && !close(fd), "picture");
}

/* ---- the VM ---- */

static void make(char **argv)
{
	static const struct mh_display_ops ops = { 1, on_surface, on_damage, on_cursor };
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_gpu_config gpu = MH_GPU_CONFIG_INIT;
	struct mh_framebuffer_config plain = MH_FRAMEBUFFER_CONFIG_INIT;
	struct mh_display_listener *listener;

	check(!mh_ctx_create(NULL, &h.ctx), "create context");
	config.memory_bytes = 256u << 20;
	check(!mh_vm_create(h.ctx, &config, &h.vm), "create VM");
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = argv[3];
	check(!mh_vm_boot(h.vm, &boot), "boot");
	check(!mh_serial_attach(h.vm, 0, print, NULL), "serial port");
	gpu.width = plain.width = WIDTH;
	gpu.height = plain.height = HEIGHT;
	check(h.plain ? !mh_framebuffer_attach(h.vm, &plain, &h.gpu)
		      : !mh_gpu_attach(h.vm, &gpu, &h.gpu),
	      "graphics card");
	check(!mh_display_listen(h.vm, &ops, NULL, &listener), "listen");
	check(!mh_vm_start(h.vm), "start");
}

static void step(unsigned int n, const char *picture)
{
	struct mh_rect damage;

	wait_drawn(n);
	see(n);
	pthread_mutex_lock(&h.lock);
	damage = h.damage;
	pthread_mutex_unlock(&h.lock);
	if (n == 3 && !h.plain)
		check(damage.x == PART_X && damage.y == PART_Y && damage.width == PART_WIDTH &&
			      damage.height == PART_HEIGHT,
		      "damage of another part");
	if (n >= 4)
		see_cursor(n == 4);
	if (n == 4) {
		shoot(picture);
		check(!mh_display_resize(h.vm, OTHER_WIDTH, OTHER_HEIGHT), "resize");
	}
	if (n == 1)
		check(h.width == WIDTH && h.height == HEIGHT, "the guest has another size");
	if (n == 5)
		check(h.width == OTHER_WIDTH && h.height == OTHER_HEIGHT,
		      "the guest did not follow");
	check(mh_serial_input(h.vm, 0, "on\r", 3) == 3, "input");
}

/* It is reached without the device, and compared for those who listen. */
static void count_plain(void)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	check(!mh_vm_metrics(h.vm, &m), "metrics");
	printf("display: %llu MMIO exits, %u damages\n",
	       (unsigned long long)m.services[MH_SERVICE_MMIO], h.damages);
	check(m.services[MH_SERVICE_MMIO] < WIDTH * HEIGHT / 10, "an exit for each pixel");
	check(h.damages, "no damage");
}

static void count(void)
{
	struct mh_dev_metrics m = MH_DEV_METRICS_INIT;

	check(!mh_dev_metrics(h.gpu, &m), "metrics");
	printf("display: %llu commands, %llu errors, %llu bytes; %u surfaces, %u damages\n",
	       (unsigned long long)m.requests, (unsigned long long)m.errors,
	       (unsigned long long)m.from_guest_bytes, h.surfaces, h.damages);
	check(!m.errors && m.from_guest_bytes >= 4ull * WIDTH * HEIGHT, "what the card did");
}

int main(int argc, char **argv)
{
	check(argc == 5 || argc == 6, "usage: display KERNEL INITRD CMDLINE PICTURE [plain]");
	h.plain = argc == 6;
	make(argv);
	for (unsigned int n = 1; n <= (h.plain ? STEPS_PLAIN : STEPS); n++)
		step(n, argv[4]);
	check(!mh_vm_wait(h.vm, GUEST_S * 1000), "the guest's end");
	check(mh_vm_stop_reason(h.vm) == MH_STOP_POWEROFF, mh_vm_stop_text(h.vm));
	if (h.plain)
		count_plain();
	else
		count();
	mh_vm_destroy(h.vm);
	check(!mh_ctx_destroy(h.ctx), "destroy context");
	printf("display: all is well\n");
	return EXIT_SUCCESS;
}
