// SPDX-License-Identifier: MIT
/*
 * The VNC server over a display and input devices of the test's: pictures and their changes, other
 * sizes, keys, pointers, who may connect, several servers. The client is a few lines of RFB (RFC
 * 6143).
 */
#include "unit.h"
#include "base/types.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "macrohard/display.h"
#include "macrohard/input.h"
#include "macrohard/sandbox.h"
#include "macrohard/vnc.h"

#define BYTES (1u << 20)
#define STRIDE 1024u
#define PATIENCE_MS 20000
#define WIDTH 200u
#define HEIGHT 100u
#define OFFSET 4096u

/* ---- the library, as the server sees it ---- */

struct mh_display_listener {
	struct mh_display_ops ops;
	void *opaque;
};

static struct mh_display_listener listener[2];
static unsigned int listeners;
static bool has_display;
static int memory;
static u8 *pixels;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static char said[1024];

static struct mh_surface surface(u32 width, u32 height, u64 offset)
{
	return (struct mh_surface){ memory, width, height, STRIDE, offset, BYTES };
}

int mh_display_listen(struct mh_vm *vm, const struct mh_display_ops *ops, void *opaque,
		      struct mh_display_listener **out)
{
	const struct mh_surface s = surface(WIDTH, HEIGHT, OFFSET);
	const struct mh_cursor none = { .visible = 0 };

	if (!has_display)
		return MH_ENOENT;
	*out = &listener[listeners++];
	**out = (struct mh_display_listener){ *ops, opaque };
	ops->surface(opaque, &s);
	ops->cursor(opaque, &none, 0);
	return 0;
}

void mh_display_unlisten(struct mh_display_listener *l)
{
	if (l)
		listeners--;
}

static void say(const char *fmt, int a, int b)
{
	pthread_mutex_lock(&lock);
	snprintf(said + strlen(said), sizeof(said) - strlen(said), fmt, a, b);
	pthread_cond_broadcast(&told);
	pthread_mutex_unlock(&lock);
}

int mh_input_key(struct mh_vm *vm, uint32_t code, int down)
{
	say("key %d %d;", (int)code, down);
	return 0;
}

int mh_input_pointer(struct mh_vm *vm, int32_t x, int32_t y, uint32_t width, uint32_t height)
{
	say("at %d,%d", x, y);
	say(" of %dx%d;", (int)width, (int)height);
	return MH_ESTATE;
}

int mh_input_button(struct mh_vm *vm, uint32_t code, int down)
{
	say("button %d %d;", (int)code, down);
	return MH_EBUSY;
}

static pthread_t confined;

int mh_sandbox_thread(struct mh_vm *vm)
{
	confined = pthread_self();
	return MH_ESTATE;
}

int mh_input_wheel(struct mh_vm *vm, int32_t vertical, int32_t horizontal)
{
	say("wheel %d %d;", vertical, horizontal);
	return 0;
}

static void expect_said(const char *text)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&lock);
	while (strlen(said) < strlen(text))
		if (pthread_cond_timedwait(&told, &lock, &end))
			break;
	ck_assert_str_eq(said, text);
	said[0] = '\0';
	pthread_mutex_unlock(&lock);
}

/* ---- servers ---- */

static char folder[64], path[2][96], why[256];

static void set_up(void)
{
	memory = memfd_create("display", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(memory, BYTES), 0);
	pixels = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	for (u32 n = 0; n < BYTES / 4; n++)
		((u32 *)(void *)pixels)[n] = n * 2654435761u;
	has_display = true;
	said[0] = '\0';
	snprintf(folder, sizeof(folder), "/tmp/vnc-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path[0], sizeof(path[0]), "%s/socket", folder);
	snprintf(path[1], sizeof(path[1]), "%s/other", folder);
}

static void tear_down(void)
{
	ck_assert_uint_eq(listeners, 0);
	/* No socket is left. */
	ck_assert_int_eq(rmdir(folder), 0);
	munmap(pixels, BYTES);
	close(memory);
}

static struct mh_vnc_config config_of(unsigned int n)
{
	struct mh_vnc_config c = MH_VNC_CONFIG_INIT;

	c.path = path[n];
	c.why = why;
	c.why_bytes = sizeof(why);
	return c;
}

static struct mh_vnc *start(unsigned int n)
{
	struct mh_vnc_config c = config_of(n);
	struct mh_vnc *vnc = NULL;

	ck_assert_msg(!mh_vnc_start((struct mh_vm *)&listener, &c, &vnc), "%s", why);
	return vnc;
}

/* ---- a client ---- */

static void get(int fd, void *data, size_t bytes)
{
	struct pollfd p = { fd, POLLIN, 0 };
	u8 *to = data;

	while (bytes) {
		ssize_t n;

		ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
		n = read(fd, to, bytes);
		ck_assert_int_gt(n, 0);
		to += n;
		bytes -= (size_t)n;
	}
}

static void put(int fd, const void *data, size_t bytes)
{
	ck_assert_int_eq(send(fd, data, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
}

static u32 get32(int fd)
{
	u32 value;

	get(fd, &value, sizeof(value));
	return ntohl(value);
}

static u16 get16(int fd)
{
	u16 value;

	get(fd, &value, sizeof(value));
	return ntohs(value);
}

static int dial(const char *to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", to);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Up to the encodings: Raw, and which others. */
static int client(unsigned int n, u32 width, u32 height, s32 other)
{
	const u8 set[] = { 2, 0, 0, 2, 0, 0, 0, 0 };
	u32 encoding = htonl((u32)other);
	int fd = dial(path[n]);
	u8 text[64];

	get(fd, text, 12);
	ck_assert(!memcmp(text, "RFB 003.008\n", 12));
	put(fd, "RFB 003.008\n", 12);
	get(fd, text, 2);
	ck_assert_uint_eq(text[0], 1);
	ck_assert_uint_eq(text[1], 1);
	put(fd, "\1", 1);
	ck_assert_uint_eq(get32(fd), 0);
	put(fd, "\1", 1);
	ck_assert_uint_eq(get16(fd), width);
	ck_assert_uint_eq(get16(fd), height);
	get(fd, text, 16);
	ck_assert_uint_eq(text[0], 32);
	ck_assert_uint_eq(get32(fd), strlen("macrohard"));
	get(fd, text, strlen("macrohard"));
	put(fd, set, sizeof(set));
	put(fd, &encoding, sizeof(encoding));
	return fd;
}

static void ask(int fd, bool incremental, u32 width, u32 height)
{
	const u8 request[] = { 3,	  incremental,	     0,		0, 0, 0, (u8)(width >> 8),
			       (u8)width, (u8)(height >> 8), (u8)height };

	put(fd, request, sizeof(request));
}

/* What clients know of the screen. */
#define SCREEN_WIDTH 640u
#define SCREEN_HEIGHT 480u
static u32 screen[SCREEN_HEIGHT][SCREEN_WIDTH];
static u32 area; /* of the last update */
static u32 new_width, new_height;

static void get_rect(int fd)
{
	u32 x = get16(fd), y = get16(fd), width = get16(fd), height = get16(fd);
	s32 encoding = (s32)get32(fd);

	if (encoding == -223) {
		new_width = width;
		new_height = height;
		return;
	}
	if (encoding == -258)
		return;
	ck_assert_int_eq(encoding, 0);
	ck_assert_uint_le(x + width, SCREEN_WIDTH);
	ck_assert_uint_le(y + height, SCREEN_HEIGHT);
	area += width * height;
	for (u32 line = 0; line < height; line++)
		get(fd, &screen[y + line][x], (size_t)width * 4);
}

static void get_update(int fd)
{
	u8 head[2];
	u16 rects;

	area = 0;
	get(fd, head, 2);
	ck_assert_uint_eq(head[0], 0);
	for (rects = get16(fd); rects; rects--)
		get_rect(fd);
}

static void expect_screen(u32 width, u32 height, u64 offset)
{
	for (u32 y = 0; y < height; y++)
		for (u32 x = 0; x < width; x++) {
			u32 want;

			memcpy(&want, pixels + offset + (u64)y * STRIDE + (u64)x * 4, 4);
			ck_assert_msg(!((screen[y][x] ^ want) & 0xffffff),
				      "%u,%u is 0x%x, not 0x%x", x, y, screen[y][x], want);
		}
}

/* ---- tests ---- */

/* The thread itself is confined, and has been when the call returns. */
START_TEST(sandbox)
{
	struct mh_vnc *vnc;

	set_up();
	vnc = start(0);
	confined = pthread_self();
	ck_assert_int_eq(mh_vnc_sandbox(NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vnc_sandbox(vnc), MH_ESTATE);
	ck_assert(!pthread_equal(confined, pthread_self()));
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

START_TEST(pictures)
{
	const struct mh_rect rect = { 64, 32, 32, 32 };
	struct mh_vnc *vnc;
	struct stat st;
	int fd;

	set_up();
	vnc = start(0);
	ck_assert_int_eq(stat(path[0], &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	fd = client(0, WIDTH, HEIGHT, 0);
	ask(fd, false, WIDTH, HEIGHT);
	get_update(fd);
	expect_screen(WIDTH, HEIGHT, OFFSET);
	/* What changes, and no more. */
	ask(fd, true, WIDTH, HEIGHT);
	for (u32 y = 32; y < 64; y++)
		memset(pixels + OFFSET + y * STRIDE + 64 * 4, 0x5a, 32 * 4);
	listener[0].ops.damage(listener[0].opaque, &rect, 1);
	get_update(fd);
	expect_screen(WIDTH, HEIGHT, OFFSET);
	ck_assert_uint_ge(area, 32 * 32);
	ck_assert_uint_lt(area, WIDTH * HEIGHT);
	close(fd);
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

START_TEST(sizes)
{
	struct mh_surface s = { 0 };
	struct mh_vnc *vnc;
	int fd;

	set_up();
	vnc = start(0);
	fd = client(0, WIDTH, HEIGHT, -223);
	ask(fd, false, WIDTH, HEIGHT);
	get_update(fd);
	s = surface(100, 160, 65536);
	listener[0].ops.surface(listener[0].opaque, &s);
	for (new_width = area = 0; !new_width || !area;) {
		ask(fd, false, 100, 160);
		get_update(fd);
	}
	ck_assert_uint_eq(new_width, 100);
	ck_assert_uint_eq(new_height, 160);
	expect_screen(100, 160, 65536);
	/* Nothing: black. */
	s.width = s.height = 0;
	listener[0].ops.surface(listener[0].opaque, &s);
	for (new_width = 0; !new_width;) {
		ask(fd, true, 100, 160);
		get_update(fd);
	}
	ck_assert_uint_eq(new_width, 640);
	ck_assert_uint_eq(new_height, 480);
	ck_assert_uint_eq(screen[479][639], 0);
	close(fd);
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

static void key(int fd, u32 keysym, bool down)
{
	u8 message[8] = { 4, down };

	keysym = htonl(keysym);
	memcpy(message + 4, &keysym, 4);
	put(fd, message, sizeof(message));
}

static void pointer(int fd, u8 buttons, u16 x, u16 y)
{
	const u8 message[] = { 5, buttons, (u8)(x >> 8), (u8)x, (u8)(y >> 8), (u8)y };

	put(fd, message, sizeof(message));
}

START_TEST(input)
{
	const u8 e0_up[] = { 255, 0, 0, 1, 0, 0, 0xff, 0x52, 0, 0, 0, 0xc8 };
	struct mh_vnc *vnc;
	int fd, other;

	set_up();
	vnc = start(0);
	fd = client(0, WIDTH, HEIGHT, 0);
	key(fd, 0xffe1, true);
	key(fd, 'A', true);
	key(fd, 'A', false);
	key(fd, 0xffe1, false);
	key(fd, '~', true);
	key(fd, '~', false);
	key(fd, 0xffff, true);
	key(fd, 0x12345678, true);
	expect_said("key 42 1;key 30 1;key 30 0;key 42 0;key 41 1;key 41 0;key 111 1;");
	pointer(fd, 0, 199, 99);
	pointer(fd, 5, 1, 2);
	pointer(fd, 1, 1, 2);
	pointer(fd, 9, 1, 2);
	pointer(fd, 1, 1, 2);
	/* Outside. */
	pointer(fd, 17, 200, 2);
	expect_said("at 199,99 of 200x100;at 1,2 of 200x100;button 272 1;button 273 1;"
		    "at 1,2 of 200x100;button 273 0;at 1,2 of 200x100;wheel 1 0;at 1,2 of 200x100;"
		    "wheel -1 0;");
	/* Who leaves lets go what it held. */
	other = client(0, WIDTH, HEIGHT, 0);
	key(other, 'b', true);
	expect_said("key 48 1;");
	close(fd);
	expect_said("key 111 0;button 272 0;");
	close(other);
	expect_said("key 48 0;");
	/* Clients that tell of keys, not of what is on them. */
	fd = client(0, WIDTH, HEIGHT, -258);
	ask(fd, false, WIDTH, HEIGHT);
	get_update(fd);
	put(fd, e0_up, sizeof(e0_up));
	expect_said("key 103 1;");
	close(fd);
	expect_said("key 103 0;");
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

static void refuse(const struct mh_vnc_config *c, int error, const char *text)
{
	struct mh_vnc *vnc = NULL;

	why[0] = '\0';
	ck_assert_int_eq(mh_vnc_start((struct mh_vm *)&listener, c, &vnc), error);
	ck_assert_msg(strstr(why, text), "\"%s\" is not in \"%s\"", text, why);
	ck_assert_ptr_null(vnc);
}

START_TEST(refused)
{
	struct mh_vnc_config c;
	struct mh_vnc *vnc;
	char longer[128];

	set_up();
	c = config_of(0);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	c.path = longer;
	refuse(&c, MH_EINVAL, "127 bytes");
	c.path = "/nowhere/at/all";
	refuse(&c, MH_EIO, "/nowhere/at/all");
	c.path = path[0];
	c.size--;
	refuse(&c, MH_EINVAL, "");
	c.size++;
	c.clients = 33;
	refuse(&c, MH_EINVAL, "33 clients");
	c.clients = 32;
	has_display = false;
	refuse(&c, MH_ENOENT, "no display");
	has_display = true;
	vnc = start(0);
	refuse(&c, MH_EEXIST, "already");
	mh_vnc_stop(vnc);
	mh_vnc_stop(NULL);
	tear_down();
}
END_TEST

/* Several of them, with clients that stay. */
START_TEST(servers)
{
	struct mh_vnc *vnc[2];
	int fd[2];
	u8 byte;

	set_up();
	for (unsigned int n = 0; n < 2; n++)
		vnc[n] = start(n);
	for (unsigned int n = 0; n < 2; n++) {
		fd[n] = client(n, WIDTH, HEIGHT, 0);
		ask(fd[n], false, WIDTH, HEIGHT);
		get_update(fd[n]);
		expect_screen(WIDTH, HEIGHT, OFFSET);
	}
	mh_vnc_stop(vnc[0]);
	ck_assert_int_eq(read(fd[0], &byte, 1), 0);
	ask(fd[1], false, WIDTH, HEIGHT);
	get_update(fd[1]);
	mh_vnc_stop(vnc[1]);
	ck_assert_int_eq(read(fd[1], &byte, 1), 0);
	close(fd[0]);
	close(fd[1]);
	/* And again, from the start. */
	vnc[0] = start(0);
	mh_vnc_stop(vnc[0]);
	tear_down();
}
END_TEST

static void put_format(int fd, const u8 format[16])
{
	u8 message[20] = { 0 };

	memcpy(message + 4, format, 16);
	put(fd, message, sizeof(message));
}

/* The first pixels of a picture in formats that clients ask for. */
START_TEST(formats)
{
	static const struct {
		u8 format[16], bytes, want[2][4];
	} pixel_formats[] = {
		{ { 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0 },
		  2,
		  { { 0xe0, 0xff }, { 0x1f } } },
		{ { 16, 16, 1, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0 },
		  2,
		  { { 0xff, 0xe0 }, { 0, 0x1f } } },
		{ { 8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 5, 2, 0 }, 1, { { 0xfc }, { 0x03 } } },
		{ { 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16 },
		  4,
		  { { 0xff, 0xff, 0, 0 }, { 0, 0, 0xff, 0 } } },
		{ { 32, 24, 1, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0 },
		  4,
		  { { 0, 0xff, 0xff, 0 }, { 0, 0, 0, 0xff } } },
	};
	static const u8 colour_map[16] = { 8, 8, 0, 0 };
	struct mh_vnc *vnc;
	u8 got[64], byte;
	int fd;

	set_up();
	vnc = start(0);
	for (unsigned int n = 0; n < MHI_COUNT(pixel_formats); n++) {
		/* Yellow and blue. */
		((u32 *)(void *)(pixels + OFFSET))[0] = 0xaaffff00;
		((u32 *)(void *)(pixels + OFFSET))[1] = 0x000000ff;
		fd = client(0, WIDTH, HEIGHT, 0);
		put_format(fd, pixel_formats[n].format);
		ask(fd, false, WIDTH, HEIGHT);
		get(fd, got, 4 + 12);
		get(fd, got, pixel_formats[n].bytes * 2u);
		ck_assert_msg(!memcmp(got, pixel_formats[n].want[0], pixel_formats[n].bytes) &&
				      !memcmp(got + pixel_formats[n].bytes,
					      pixel_formats[n].want[1], pixel_formats[n].bytes),
			      "format %u", n);
		close(fd);
	}
	fd = client(0, WIDTH, HEIGHT, 0);
	put_format(fd, colour_map);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

START_TEST(cursors)
{
	static const u32 arrow[3 * 2] = { 0xffff0000, 0, 0xff00ff00, 0x80000000, 0x7f000000, 0 };
	struct mh_cursor cursor = { 1, 5, 5, 3, 2, 1, 0, arrow };
	const u32 wanted[] = { 0xff0000, 0, 0x00ff00, 0, 0, 0 };
	struct mh_vnc *vnc;
	u8 mask[2], head[2];
	u32 got[6];
	int fd;

	set_up();
	vnc = start(0);
	fd = client(0, WIDTH, HEIGHT, -239);
	ask(fd, false, WIDTH, HEIGHT);
	/* None. */
	get(fd, head, 2);
	ck_assert_uint_eq(get16(fd), 1 + 2);
	for (unsigned int n = 0; n < 2; n++)
		ck_assert_uint_eq(get32(fd), 0);
	ck_assert_uint_eq(get32(fd), (u32)-239);
	get_rect(fd);
	get_rect(fd);
	listener[0].ops.cursor(listener[0].opaque, &cursor, 0);
	ask(fd, true, WIDTH, HEIGHT);
	get(fd, head, 2);
	ck_assert_uint_eq(get16(fd), 1);
	ck_assert_uint_eq(get32(fd), 1 << 16);
	ck_assert_uint_eq(get32(fd), 3 << 16 | 2);
	ck_assert_uint_eq(get32(fd), (u32)-239);
	get(fd, got, sizeof(got));
	get(fd, mask, sizeof(mask));
	for (unsigned int n = 0; n < 6; n++)
		ck_assert_uint_eq(got[n], n == 4 ? 0 : wanted[n]);
	ck_assert_uint_eq(mask[0], 0xa0);
	ck_assert_uint_eq(mask[1], 0x80);
	close(fd);
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

/* More clients than may be, and one that reads nothing: the others are served. */
START_TEST(crowd)
{
	struct mh_vnc_config c;
	struct mh_vnc *vnc = NULL;
	int fd[3], slow;
	u8 byte;

	set_up();
	c = config_of(0);
	c.clients = 2;
	ck_assert_int_eq(mh_vnc_start((struct mh_vm *)&listener, &c, &vnc), 0);
	slow = client(0, WIDTH, HEIGHT, 0);
	for (unsigned int n = 0; n < 2000; n++)
		ask(slow, false, WIDTH, HEIGHT);
	fd[0] = client(0, WIDTH, HEIGHT, 0);
	fd[1] = dial(path[0]);
	ck_assert_int_eq(read(fd[1], &byte, 1), 0);
	ask(fd[0], false, WIDTH, HEIGHT);
	get_update(fd[0]);
	expect_screen(WIDTH, HEIGHT, OFFSET);
	close(slow);
	close(fd[0]);
	close(fd[1]);
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

/* There is no descriptor for one more client: it is turned away, and a later one is served. */
START_TEST(no_descriptor)
{
	struct rlimit old, low;
	struct mh_vnc_config c;
	struct mh_vnc *vnc = NULL;
	int fd[64], count = 0, turned;
	u8 byte;

	set_up();
	c = config_of(0);
	ck_assert_int_eq(mh_vnc_start((struct mh_vm *)&listener, &c, &vnc), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (count < 64 && (fd[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	close(fd[--count]);
	turned = dial(path[0]);
	ck_assert_int_eq(read(turned, &byte, 1), 0);
	while (count--)
		close(fd[count]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(turned);
	turned = client(0, WIDTH, HEIGHT, 0);
	ask(turned, false, WIDTH, HEIGHT);
	get_update(turned);
	close(turned);
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

/* Clients that are none. */
START_TEST(hostile)
{
	static const u8 huge[] = { 6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
	struct mh_vnc *vnc;
	int fd;

	set_up();
	vnc = start(0);
	for (unsigned int n = 0; n < 20; n++) {
		u8 noise[512];

		for (unsigned int i = 0; i < sizeof(noise); i++)
			noise[i] = (u8)(n * 31 + i * 17);
		fd = n & 1 ? client(0, WIDTH, HEIGHT, 0) : dial(path[0]);
		send(fd, n < 10 ? noise : huge, n < 10 ? sizeof(noise) : sizeof(huge),
		     MSG_NOSIGNAL);
		close(fd);
	}
	fd = client(0, WIDTH, HEIGHT, 0);
	ask(fd, false, WIDTH, HEIGHT);
	get_update(fd);
	expect_screen(WIDTH, HEIGHT, OFFSET);
	close(fd);
	mh_vnc_stop(vnc);
	tear_down();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, sandbox);
	tcase_add_test(tcase, pictures);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, input);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, servers);
	tcase_add_test(tcase, formats);
	tcase_add_test(tcase, cursors);
	tcase_add_test(tcase, crowd);
	tcase_add_test(tcase, no_descriptor);
	tcase_add_test(tcase, hostile);
}

UNIT_MAIN("vnc", add_tests)
