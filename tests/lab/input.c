/* SPDX-License-Identifier: MIT */
/*
 * Feeds a Linux guest by the public interface, and compares each event that arrives there: keyboard
 * and mouse of a PC first, then virtio's, with lights and ctrl-alt-delete. The guest's part is
 * tests/guest/linux/input.
 * usage: input KERNEL INITRD
 */
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define PATIENCE 100
#define SETTLE_US 200000
#define WIDTH 1024
#define HEIGHT 768

static struct mh_ctx *ctx;
static struct mh_vm *vm;
static char said[1 << 16]; /* by the guest, without carriage returns; bytes is written last */
static size_t bytes, seen; /* seen: compared so far */

static void die(const char *what)
{
	fprintf(stderr, "input: %s (%s)\n", what, mh_last_error(ctx));
	exit(EXIT_FAILURE);
}

static void listen_to(void *opaque, const void *data, size_t n)
{
	size_t at = __atomic_load_n(&bytes, __ATOMIC_RELAXED);

	fwrite(data, 1, n, stdout);
	fflush(stdout);
	for (const char *p = data; n; p++, n--)
		if (*p != '\r' && at < sizeof(said) - 1)
			said[at++] = *p;
	/* Paired with heard. */
	__atomic_store_n(&bytes, at, __ATOMIC_RELEASE);
}

static size_t heard(void)
{
	/* Paired with listen_to. */
	return __atomic_load_n(&bytes, __ATOMIC_ACQUIRE);
}

/* Everything up to this text is seen. */
static void wait_for(const char *text)
{
	time_t end = time(NULL) + PATIENCE;
	const char *at;

	while (!(at = memmem(said + seen, heard() - seen, text, strlen(text)))) {
		if (time(NULL) > end || mh_vm_state(vm) != MH_VM_RUNNING)
			die(text);
		usleep(20000);
	}
	seen = (size_t)(at - said) + strlen(text);
}

/*
 * The guest prints exactly this next. device: before each event; SYN_REPORT is written "/". events:
 * "1 30 1 / 1 30 0 /".
 */
static void expect(const char *device, const char *events)
{
	char want[4096];
	size_t length = 0;
	time_t end = time(NULL) + PATIENCE;

	for (const char *e = events; *e;) {
		int type, code, value, n = 0;

		if (*e == '/') {
			type = code = value = 0;
			n = 1;
		} else if (sscanf(e, "%d %d %d%n", &type, &code, &value, &n) != 3) {
			die(events);
		}
		length += (size_t)snprintf(want + length, sizeof(want) - length, "%s: %d %d %d\n",
					   device, type, code, value);
		for (e += n; *e == ' ';)
			e++;
	}
	while (heard() - seen < length && time(NULL) < end && mh_vm_state(vm) == MH_VM_RUNNING)
		usleep(20000);
	/* What should not come would come now. */
	usleep(SETTLE_US);
	if (heard() - seen != length || memcmp(said + seen, want, length)) {
		fprintf(stderr, "expected:\n%s", want);
		die("other events have arrived");
	}
	seen += length;
}

static void ok(int rc)
{
	if (rc)
		die(mh_err_name(rc));
}

static void key(uint32_t code)
{
	ok(mh_input_key(vm, code, 1));
	ok(mh_input_key(vm, code, 0));
}

static void ps2(void)
{
	const char *keyboard = "AT Translated Set 2 keyboard";
	const char *mouse = "ImExPS/2 Generic Explorer Mouse";

	wait_for("EVENTS: ready\n");
	key(KEY_A);
	key(KEY_F12);
	key(KEY_DELETE);
	expect(keyboard, "1 30 1 / 1 30 0 / 1 88 1 / 1 88 0 / 1 111 1 / 1 111 0 /");
	key(KEY_F7);
	key(KEY_PAUSE);
	key(KEY_102ND);
	/* The driver makes a release for the key that has none. */
	expect(keyboard, "1 65 1 / 1 65 0 / 1 119 1 / 1 119 0 / 1 86 1 / 1 86 0 /");
	ok(mh_input_motion(vm, 5, -300));
	expect(mouse, "2 0 5 2 1 -255 / 2 1 -45 /");
	ok(mh_input_button(vm, BTN_LEFT, 1));
	ok(mh_input_button(vm, BTN_SIDE, 1));
	ok(mh_input_button(vm, BTN_LEFT, 0));
	ok(mh_input_button(vm, BTN_SIDE, 0));
	expect(mouse, "1 272 1 / 1 275 1 / 1 272 0 / 1 275 0 /");
	ok(mh_input_wheel(vm, -2, 0));
	expect(mouse, "2 8 -2 /");
	key(KEY_STOP);
	wait_for("AT Translated Set 2 keyboard: 1 128 0\n");
}

static void keyboard(void)
{
	const char *name = "macrohard keyboard";
	time_t end = time(NULL) + PATIENCE;
	uint32_t leds = 0;

	key(KEY_A);
	key(KEY_PAUSE);
	key(KEY_MICMUTE);
	expect(name, "1 30 1 / 1 30 0 / 1 119 1 / 1 119 0 / 1 248 1 / 1 248 0 /");
	ok(mh_input_key(vm, KEY_CAPSLOCK, 1));
	expect(name, "1 58 1 /");
	while (!(leds & MH_INPUT_LED_CAPS) && time(NULL) < end) {
		ok(mh_input_leds(vm, &leds));
		usleep(20000);
	}
	if (leds != MH_INPUT_LED_CAPS)
		die("the light is not on");
	/* Down in the pause, and let go meanwhile. */
	ok(mh_vm_pause(vm));
	ok(mh_input_key(vm, KEY_CAPSLOCK, 0));
	ok(mh_vm_resume(vm));
	expect(name, "1 58 0 /");
}

static void pointers(void)
{
	ok(mh_input_pointer(vm, WIDTH - 1, 0, WIDTH, HEIGHT));
	ok(mh_input_pointer(vm, WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT));
	ok(mh_input_pointer(vm, 100, 200, WIDTH, HEIGHT));
	/* The kernel leaves out what has not changed. */
	expect("macrohard tablet", "3 0 32767 / 3 1 32767 / 3 0 3203 3 1 8544 /");
	ok(mh_input_button(vm, BTN_RIGHT, 1));
	ok(mh_input_button(vm, BTN_RIGHT, 0));
	ok(mh_input_wheel(vm, 1, -3));
	expect("macrohard tablet", "1 273 1 / 1 273 0 / 2 8 1 2 6 -3 /");
	ok(mh_input_motion(vm, -1000, 7));
	ok(mh_input_button(vm, BTN_EXTRA, 1));
	ok(mh_input_button(vm, BTN_EXTRA, 0));
	expect("macrohard mouse", "2 0 -1000 2 1 7 / 1 276 1 / 1 276 0 /");
}

static void touch(void)
{
	ok(mh_input_touch(vm, 0, 0, 767, WIDTH, HEIGHT));
	ok(mh_input_touch(vm, 4, 1023, 0, WIDTH, HEIGHT));
	ok(mh_input_touch(vm, 4, 1023, 767, WIDTH, HEIGHT));
	ok(mh_input_lift(vm, 0));
	ok(mh_input_lift(vm, 4));
	expect("macrohard touch screen",
	       "3 57 0 3 54 32767 1 330 1 3 1 32767 / 3 47 4 3 57 1 3 53 32767 / 3 54 32767 / "
	       "3 47 0 3 57 -1 / 3 47 4 3 57 -1 1 330 0 /");
}

static void start(char **argv)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_input_config input = MH_INPUT_CONFIG_INIT;

	config.memory_bytes = 256ull << 20;
	config.flags = MH_VM_STOP_ON_RESET;
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = "console=ttyS0 quiet panic=-1 mh.run=input mh.arg.count=4";
	input.kinds |= MH_INPUT_TOUCH | MH_INPUT_MOUSE;
	if (mh_ctx_create(NULL, &ctx) || mh_vm_create(ctx, &config, &vm) || mh_vm_boot(vm, &boot) ||
	    mh_serial_attach(vm, 0, listen_to, NULL) || mh_input_attach(vm, &input, NULL) ||
	    mh_vm_start(vm))
		die("cannot start the guest");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	start(argv);
	ps2();
	wait_for("EVENTS: ready\n");
	keyboard();
	pointers();
	touch();
	ok(mh_input_key(vm, KEY_LEFTCTRL, 1));
	ok(mh_input_key(vm, KEY_LEFTALT, 1));
	ok(mh_input_key(vm, KEY_DELETE, 1));
	if (mh_vm_wait(vm, PATIENCE * 1000) || mh_vm_stop_reason(vm) != MH_STOP_RESET)
		die("the guest does not reset itself");
	mh_vm_destroy(vm);
	return mh_ctx_destroy(ctx) != 0;
}
