/* SPDX-License-Identifier: MIT */
/*
 * What Linux makes of the machine: its shell on COM1 is asked about ACPI, serial ports, clocks
 * (over a pause, and with the host busy) and power button, then resets and switches the machine
 * off. Uses the public API only.
 *
 * Usage: machine_guest KERNEL INITRD [shim|kvm]
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define PROMPT "guest# "
#define BOOT_MS 120000
#define STEP_MS 60000
/*
 * How far the distance between the guest's and the host's time of day may move, ever. The host in
 * the lab has no NTP: both count one TSC.
 */
#define DRIFT_MS 20
#define BUSY_THREADS 6
#define CMDLINE "console=ttyS0 quiet panic=-1 mh.shell"

/* What a serial port sent, as text. */
struct port {
	char text[1 << 16];
	size_t len, seen; /* seen: what wait_for has passed */
};

static struct {
	pthread_mutex_t lock; /* protects the ports */
	pthread_cond_t more;
	struct port port[2];
} line = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static struct mh_ctx *ctx;
static struct mh_vm *vm;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("\nFAIL: ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_Exit(1);
}

static void need(int rc, const char *what)
{
	if (rc)
		die("%s: %s: %s", what, mh_err_name(rc), mh_last_error(ctx));
}

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	struct port *p = opaque;

	if (p == &line.port[0])
		fwrite(data, 1, bytes, stdout);
	pthread_mutex_lock(&line.lock);
	if (bytes > sizeof(p->text) - 1 - p->len)
		die("the guest says too much");
	memcpy(p->text + p->len, data, bytes);
	p->len += bytes;
	pthread_cond_signal(&line.more);
	pthread_mutex_unlock(&line.lock);
}

static bool wait_for(unsigned int n, const char *word, int ms)
{
	struct port *p = &line.port[n];
	struct timespec until;
	char *found;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	pthread_mutex_lock(&line.lock);
	while (!(found = strstr(p->text + p->seen, word)) && !rc)
		rc = pthread_cond_timedwait(&line.more, &line.lock, &until);
	if (found)
		p->seen = (size_t)(found - p->text) + strlen(word);
	pthread_mutex_unlock(&line.lock);
	return found;
}

static void type(unsigned int n, const char *text)
{
	size_t left = strlen(text);
	struct timespec pause = { .tv_nsec = 1000000 };

	while (left) {
		int taken = mh_serial_input(vm, n, text, left);

		if (taken < 0)
			die("typing: %s", mh_last_error(ctx));
		text += taken;
		left -= (size_t)taken;
		if (left)
			nanosleep(&pause, NULL);
	}
}

/* Run a command in the guest's shell; it must succeed. */
static void shell(const char *command)
{
	type(0, command);
	/* The echo of the question does not hold the answer. */
	type(0, "; printf '\\n=%d=\\n' $?\n");
	if (!wait_for(0, "\n=0=", STEP_MS))
		die("in the guest: %s", command);
}

static void start_and_wait(void)
{
	pthread_mutex_lock(&line.lock);
	for (unsigned int n = 0; n < 2; n++)
		line.port[n].len = line.port[n].seen = 0;
	memset(line.port[0].text, 0, sizeof(line.port[0].text));
	memset(line.port[1].text, 0, sizeof(line.port[1].text));
	pthread_mutex_unlock(&line.lock);
	need(mh_vm_start(vm), "starting");
	if (!wait_for(0, "switches the guest off", BOOT_MS))
		die("the guest's shell did not come");
	shell("stty -echo; PS1='" PROMPT "'");
}

static void check_stop(enum mh_stop_reason want, const char *what)
{
	need(mh_vm_wait(vm, STEP_MS), what);
	if (mh_vm_stop_reason(vm) != want)
		die("%s ended with reason %d: %s", what, mh_vm_stop_reason(vm),
		    mh_vm_stop_text(vm));
}

static void check_tables(void)
{
	shell("dmesg | grep -i acpi");
	shell("! dmesg | grep -i 'acpi \\(bug\\|error\\|warning\\|exception\\)\\|firmware bug'");
	shell("dmesg | grep 'ACPI: PM: (supports S0 S5)'");
	shell("dmesg | grep 'IOAPIC\\[0\\]: .*GSI 0-23'");
	shell("test -e /sys/bus/acpi/devices/ACPI0013:00 && test -e "
	      "/sys/bus/acpi/devices/PNP0C0C:00");
	shell("test $(ls -d /sys/bus/acpi/devices/ACPI0007:* | wc -l) = 2");
}

/* COM2 is there since it is attached; both have their interrupt. */
static void check_serial(void)
{
	shell("dmesg | grep 'ttyS0 .*16550A'; dmesg | grep 'ttyS1 .*16550A'");
	shell("stty -F /dev/ttyS1 raw -echo; echo across >/dev/ttyS1");
	if (!wait_for(1, "across", STEP_MS))
		die("COM2 said nothing");
	type(0, "read word </dev/ttyS1; echo [$word]; printf '\\n=%d=\\n' $?\n");
	/* Again and again: what is typed before the shell has opened the port may be lost. */
	for (int i = 0; i < 20; i++) {
		type(1, "back\n");
		if (wait_for(0, "[back]", 1000))
			break;
		if (i == 19)
			die("the guest heard nothing on COM2");
	}
	if (!wait_for(0, "\n=0=", STEP_MS))
		die("reading COM2");
}

/*
 * It follows the host's clock, through pauses too; but not better than it was set: so many seconds
 * it may be behind.
 */
static void check_rtc(int behind)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "d=$(($(cat /sys/class/rtc/rtc0/since_epoch) - %lld)); test $d -ge %d && test $d "
		 "-lt 20",
		 (long long)time(NULL), -behind);
	shell(command);
}

static void check_clock(void)
{
	check_rtc(0);
	shell("hwclock -r -u && hwclock -w -u && hwclock -r -u");
	shell("cd /sys/devices/system/clocksource/clocksource0; cat current_clocksource && "
	      "grep -E '^(kvm-clock|tsc)$' current_clocksource && "
	      "grep -w acpi_pm available_clocksource && cd /");
}

/* ---- the guest's time of day against the host's ---- */

/* What the host's clock minus the guest's may be, in ms; each reading narrows it. */
struct distance {
	double low, high;
};

static double host_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The number behind the word, in what COM1 said last. */
static double number_after(const char *word)
{
	size_t at;

	if (!wait_for(0, word, STEP_MS))
		die("the guest does not tell '%s'", word);
	at = line.port[0].seen;
	if (!wait_for(0, "\n", STEP_MS))
		die("the guest does not end its line");
	return strtod(line.port[0].text + at, NULL);
}

/*
 * The guest's clock was read between the question and the answer, however long both took. s and us
 * are taken together, by adjtimex.
 */
static void compare(struct distance *d)
{
	double before = host_ms(), guest, after;

	type(0, "adjtimex; printf '\\n=%d=\\n' $?\n");
	guest = number_after("time.tv_sec:") * 1e3;
	guest += number_after("time.tv_usec:") / 1e3;
	after = host_ms();
	if (!wait_for(0, "=\r\n", STEP_MS))
		die("the guest is silent");
	if (before - guest > d->low)
		d->low = before - guest;
	if (after - guest < d->high)
		d->high = after - guest;
	if (d->low > d->high + DRIFT_MS)
		die("the guest's clock has moved against the host's by %.3f ms", d->low - d->high);
}

static void *compute(void *opaque)
{
	bool *end = opaque;

	while (!__atomic_load_n(end, __ATOMIC_RELAXED))
		continue;
	return NULL;
}

static void check_drift(void)
{
	struct distance d = { -1e300, 1e300 };
	pthread_t busy[BUSY_THREADS];
	bool end = false;

	for (int i = 0; i < 5; i++)
		compare(&d);
	need(mh_vm_pause(vm), "pausing");
	sleep(3);
	need(mh_vm_resume(vm), "resuming");
	for (int i = 0; i < 5; i++)
		compare(&d);
	for (int i = 0; i < BUSY_THREADS; i++)
		pthread_create(&busy[i], NULL, compute, &end);
	for (int i = 0; i < 5; i++)
		compare(&d);
	__atomic_store_n(&end, true, __ATOMIC_RELAXED);
	for (int i = 0; i < BUSY_THREADS; i++)
		pthread_join(busy[i], NULL);
	compare(&d);
	printf("\nhost - guest is between %.3f and %.3f ms\n", d.low, d.high);
	/* Early in its boot Linux counts no time; the lab is slow enough to see it. */
	if (d.high < -10000 || d.low > 10000)
		die("the guest's time of day is wrong");
	shell("! dmesg | grep -i 'lockup\\|stall\\|clocksource.*unstable\\|Marking clocksource'");
}

static void check_power_button(void)
{
	shell("ged() { awk '/ACPI:Ged/ { print $2 + $3 }' /proc/interrupts; }; before=$(ged); "
	      "echo $before");
	need(mh_vm_power_button(vm), "the power button");
	shell("for i in 1 2 3 4 5 6 7 8 9; do test $(ged) -gt $before && break; usleep 200000; "
	      "done; "
	      "test $(ged) = $((before + 1))");
}

static void make(const char *kernel, const char *initrd, const char *engine)
{
	struct mh_ctx_config cc = MH_CTX_CONFIG_INIT;
	struct mh_vm_config vc = MH_VM_CONFIG_INIT;
	struct mh_boot_config bc = MH_BOOT_CONFIG_INIT;

	cc.engine = !strcmp(engine, "kvm") ? MH_ENGINE_KVM : MH_ENGINE_SHIM;
	need(mh_ctx_create(&cc, &ctx), "the context");
	vc.name = "machine";
	vc.memory_bytes = 192u << 20;
	vc.cpus = 2;
	vc.flags = MH_VM_STOP_ON_RESET;
	need(mh_vm_create(ctx, &vc, &vm), "the VM");
	need(mh_serial_attach(vm, 0, on_serial, &line.port[0]), "COM1");
	need(mh_serial_attach(vm, 1, on_serial, &line.port[1]), "COM2");
	bc.kernel = kernel;
	bc.initrd = initrd;
	bc.cmdline = CMDLINE;
	need(mh_vm_boot(vm, &bc), "the kernel");
}

int main(int argc, char **argv)
{
	if (argc < 3)
		die("usage: machine_guest KERNEL INITRD [shim|kvm]");
	make(argv[1], argv[2], argc > 3 ? argv[3] : "shim");
	start_and_wait();
	check_tables();
	check_serial();
	check_clock();
	check_drift();
	/* hwclock has set it by the guest's clock: that is part of a second behind. */
	check_rtc(2);
	check_power_button();
	type(0, "reboot -f\n");
	check_stop(MH_STOP_RESET, "the guest's reset");
	start_and_wait();
	type(0, "poweroff -f\n");
	check_stop(MH_STOP_POWEROFF, "the guest's power-off");
	mh_vm_destroy(vm);
	need(mh_ctx_destroy(ctx), "the context's end");
	printf("\nthe machine is as Linux wants it\n");
	return 0;
}
