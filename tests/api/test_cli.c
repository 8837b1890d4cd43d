/* SPDX-License-Identifier: MIT */
/*
 * The CLI over a fake library, on a pseudo-terminal and on pipes: what a person and a script see.
 */
#include "cli_run.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const files[] = { "k", "bz", "rd", "a.img", "b", "a,b,.img", "bios" };
static const char *const folders[] = { "a:b", "d" };

static void assert_raw(struct run *r)
{
	struct termios now;

	ck_assert_int_eq(tcgetattr(r->in, &now), 0);
	ck_assert_uint_eq(now.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
	ck_assert_uint_eq(now.c_oflag & OPOST, 0);
	ck_assert_uint_eq(now.c_iflag & (ICRNL | IXON), 0);
}

static void assert_restored(struct run *r)
{
	struct termios now;

	ck_assert_int_eq(tcgetattr(r->in, &now), 0);
	ck_assert_uint_eq(now.c_lflag, r->before.c_lflag);
	ck_assert_uint_eq(now.c_oflag, r->before.c_oflag);
	ck_assert_uint_eq(now.c_iflag, r->before.c_iflag);
	ck_assert_uint_eq(now.c_cflag, r->before.c_cflag);
	ck_assert_mem_eq(now.c_cc, r->before.c_cc, sizeof(now.c_cc));
}

/* Ends a run on a terminal: the mode is read while the terminal still exists. */
static void finish_tty(struct run *r, int status)
{
	ck_assert_uint_ne(r->before.c_lflag & ICANON, 0);
	ck_assert_int_eq(finish(r), status);
	close(r->in);
}

/*
 * A second holder of the terminal keeps it alive after the CLI's end, so that its mode can be read.
 */
static void run_tty_to_end(char *const *args, const char *typed, int signal_nr, int status,
			   const char *said)
{
	int keep, wait_status;
	struct run r;

	start_tty(&r, args);
	keep = open(ptsname(r.in), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(keep, 0);
	expect(&r, "READY");
	assert_raw(&r);
	if (typed)
		type(&r, typed);
	if (signal_nr)
		kill(r.pid, signal_nr);
	if (said)
		expect(&r, said);
	ck_assert_int_eq(waitpid(r.pid, &wait_status, 0), r.pid);
	ck_assert_msg(WIFEXITED(wait_status), "killed by signal %d", WTERMSIG(wait_status));
	ck_assert_int_eq(WEXITSTATUS(wait_status), status);
	assert_restored(&r);
	close(keep);
	close(r.in);
}

#define RUN ARGS("run", "--kernel", "k")

START_TEST(ways_out_restore_the_terminal)
{
	run_tty_to_end(RUN, "off\r", 0, 0, NULL);
	run_tty_to_end(RUN, "reset\r", 0, 10, "the guest reset itself");
	run_tty_to_end(RUN, "triple\r", 0, 11, "the guest's last words");
	run_tty_to_end(RUN, "error\r", 0, 1, "the guest's last words");
	run_tty_to_end(RUN, "\x1d", 0, 12, NULL);
	run_tty_to_end(RUN, NULL, SIGTERM, 0, "pressed the guest's power button; it has 30 s");
	run_tty_to_end(ARGS("run", "--kernel", "k", "--grace", "0"), NULL, SIGTERM, 128 + SIGTERM,
		       NULL);
	run_tty_to_end(RUN, NULL, SIGINT, 128 + SIGINT, NULL);
	run_tty_to_end(RUN, NULL, SIGHUP, 128 + SIGHUP, NULL);
	run_tty_to_end(RUN, NULL, SIGQUIT, 128 + SIGQUIT, NULL);
}
END_TEST

/* A guest that does not care for its power button. */
START_TEST(second_signal_or_time_ends)
{
	struct run r;

	start_pipes(&r, RUN);
	expect(&r, "READY");
	type(&r, "deaf\n");
	expect(&r, "got deaf");
	kill(r.pid, SIGTERM);
	expect(&r, "BUTTON");
	type(&r, "hello\n");
	expect(&r, "got hello");
	kill(r.pid, SIGTERM);
	ck_assert_int_eq(finish(&r), 128 + SIGTERM);
	ck_assert_ptr_eq(strstr(strstr(r.text, "BUTTON") + 1, "BUTTON"), NULL);
	start_pipes(&r, ARGS("run", "--kernel", "k", "--grace", "1"));
	expect(&r, "READY");
	type(&r, "deaf\n");
	expect(&r, "got deaf");
	kill(r.pid, SIGTERM);
	ck_assert_int_eq(finish(&r), 128 + SIGTERM);
}
END_TEST

START_TEST(escape_key)
{
	struct run r;

	start_tty(&r, RUN);
	expect(&r, "Ctrl-] ends the VM");
	expect(&r, "READY");
	/* Ctrl-C, Ctrl-Z and Ctrl-\ are the guest's. */
	type(&r, "a\x03\x1a\x1c"
		 "b\r");
	expect(&r, "got a\x03\x1a\x1c"
		   "b");
	type(&r, "last\r\x1d and not this");
	finish_tty(&r, 12);
	start_tty(&r, ARGS("run", "--kernel", "k", "--escape", "ctrl-a"));
	expect(&r, "Ctrl-A ends the VM");
	expect(&r, "READY");
	type(&r, "x\x1dy\r");
	expect(&r, "got x\x1dy");
	type(&r, "\x01");
	finish_tty(&r, 12);
	start_tty(&r, ARGS("run", "--kernel", "k", "--escape", "none"));
	expect(&r, "READY");
	ck_assert_ptr_null(strstr(r.text, "ends the VM"));
	type(&r, "\x1d\x01\r");
	expect(&r, "got \x1d\x01");
	type(&r, "off\r");
	finish_tty(&r, 0);
}
END_TEST

START_TEST(window_left_as_it_was)
{
	struct run r;
	char *end;

	start_tty(&r, RUN);
	expect(&r, "READY");
	type(&r, "modes\roff\r");
	finish_tty(&r, 0);
	end = strstr(r.text, "\033[31m");
	ck_assert_ptr_nonnull(end);
	ck_assert_ptr_nonnull(strstr(end, "\033[?25h"));
	ck_assert_ptr_nonnull(strstr(end, "\033[?1049l"));
	ck_assert_ptr_nonnull(strstr(end, "\033[m"));
	ck_assert_ptr_null(strstr(end, "\033[?2004l"));
	ck_assert_ptr_null(strstr(end, "\033[?7"));
	/* The shell's prompt starts on a line of its own. */
	start_tty(&r, RUN);
	expect(&r, "READY");
	type(&r, "prompt\roff\r");
	finish_tty(&r, 0);
	ck_assert_str_eq(strstr(r.text, "prompt>"), "prompt> \r\n");
}
END_TEST

START_TEST(stopped_and_continued)
{
	struct run r;
	int status;

	start_tty(&r, RUN);
	expect(&r, "READY");
	kill(r.pid, SIGTSTP);
	ck_assert_int_eq(waitpid(r.pid, &status, WUNTRACED), r.pid);
	ck_assert(WIFSTOPPED(status));
	assert_restored(&r);
	kill(r.pid, SIGCONT);
	type(&r, "hello\r");
	expect(&r, "got hello");
	assert_raw(&r);
	type(&r, "off\r");
	finish_tty(&r, 0);
}
END_TEST

START_TEST(pipes)
{
	struct run r;

	/* The end of input ends nothing, and bytes that would be keys are data. */
	start_pipes(&r, RUN);
	expect(&r, "READY");
	type(&r, "one\x1d\x03\n");
	expect(&r, "got one\x1d\x03\r\n");
	type(&r, "modes\nprompt\noff\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	/* Not a byte more than the guest printed. */
	ck_assert_str_eq(strstr(r.text, "prompt>"), "prompt> ");
	start_pipes(&r, RUN);
	close(r.in);
	expect(&r, "READY");
	kill(r.pid, SIGINT);
	ck_assert_int_eq(finish(&r), 128 + SIGINT);
	close(r.out);
}
END_TEST

START_TEST(typing_faster_than_the_guest_reads)
{
	char line[4003], answer[4010];
	struct run r;

	memset(line, 'x', 4000);
	strncpy(line + 4000, "!\n", 3);
	snprintf(answer, sizeof(answer), "got %.4001s", line);
	start_pipes(&r, RUN);
	type(&r, line);
	expect(&r, answer);
	type(&r, "off\n");
	ck_assert_int_eq(finish(&r), 0);
	close(r.in);
	close(r.out);
}
END_TEST

START_TEST(output_that_nobody_reads)
{
	int in[2], out[2], status;
	struct run r = { .bytes = 0 };

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	close(out[0]);
	start(&r, in[0], out[1], RUN);
	close(out[1]);
	ck_assert_int_eq(waitpid(r.pid, &status, 0), r.pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	close(in[0]);
	close(in[1]);
}
END_TEST

static const struct {
	char *option, *value, *said;
} wrong[] = {
	{ "--memory", "12x", "--memory: '12x' is no such value" },
	{ "--memory", "0", "--memory" },
	{ "--disk", "", "--disk" },
	{ "--console", "vga", "--console" },
	{ "--disk", "f,colour=red", "--disk" },
	{ "--disk", "f,readonly=maybe", "--disk" },
	{ "--disk", "f,queues=17", "command line: /devices/disks/0/queues: out of range; write" },
	{ "--disk", "f,size=1G", "--disk: 'size=1G' is no such setting" },
	{ "--disk", "f,slot=32", "/devices/disks/0/slot: out of range" },
	{ "--disk", "f,serial", "--disk: 'serial' is no such setting" },
	{ "--disk", "f,", "--disk" },
	{ "--net", "bridge", "'bridge' is no user|tap=NAME|fd=N[:N]...|none" },
	{ "--net", "tap=", "--net" },
	{ "--net", "fd=x", "--net" },
	{ "--net", "user,mac=02:00:00:00:00", "/devices/nets/0/mac: this is no address" },
	{ "--net", "user,mac=02:00:00:00:00:0g", "/devices/nets/0/mac" },
	{ "--net", "user,mac=02-00-00-00-00-00", "/devices/nets/0/mac" },
	{ "--net", "user,mtu=67", "/devices/nets/0/mtu" },
	{ "--net", "user,queues=2", "/devices/nets/0/queues: only a network of kind \"tap\"" },
	{ "--net", "user,hostfwd=tcp:80-80", "--net" },
	{ "--net", "user,hostfwd=sctp::80-:80", "--net" },
	{ "--net", "user,hostfwd=tcp::0-:80", "--net" },
	{ "--net", "user,hostfwd=tcp::80", "--net" },
	{ "--vsock", "2", "/devices/vsock/cid: out of range" },
	{ "--vsock", "4294967295", "/devices/vsock/cid" },
	{ "--vsock", "3,/a", "--vsock: '/a' is no such setting" },
	{ "--vnc", "tcp:5900", "--vnc: 'tcp:5900'" },
	{ "--input", "keyboard+x", "--input: 'keyboard+x' is no " },
	{ "--balloon", "1x", "--balloon: '1x' is no SIZE" },
	{ "--share", "/folder", "'/folder' is no FOLDER:TAG" },
	{ "--share", "/a:b,owners=mine", "/devices/shares/0/owners: this is not known; write one" },
	{ "--share", "/a:b,type=nfs", "/devices/shares/0/type: this is not known; write one" },
	{ "--name", "", "/name: empty" },
	{ "--memory", "-1", "--memory" },
	{ "--memory", "18446744073709551616", "--memory" },
	{ "--memory", "17592186044416M", "--memory" },
	{ "--cpus", "0", "--cpus" },
	{ "--cpus", "65", "--cpus" },
	{ "--cpus", "2x", "--cpus" },
	{ "--tsc-khz", "0", "--tsc-khz" },
	{ "--engine", "vmware", "--engine" },
	{ "--escape", "xy", "--escape" },
	{ "--grace", "-1", "--grace" },
	{ "--grace", "86401", "--grace" },
	{ "--escape", "^1", "--escape" },
	{ "--frobnicate", "1", "unknown option '--frobnicate'" },
	{ "--firmware", "bios", "/boot/firmware: a VM boots a kernel or firmware" },
	{ "--cpus", NULL, "--cpus needs a value" },
	{ "extra", NULL, "'extra' belongs to no option" },
};

START_TEST(wrong_command_lines)
{
	struct run r;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_int_eq(run_plain(&r, ARGS("run", "--kernel", "k", wrong[i].option,
						    wrong[i].value)),
				 2);
		ck_assert_msg(strstr(r.text, wrong[i].said) != NULL, "%s %s: %s", wrong[i].option,
			      wrong[i].value ? wrong[i].value : "", r.text);
		ck_assert_ptr_nonnull(strstr(r.text, "run --help"));
	}
	ck_assert_int_eq(run_plain(&r, ARGS("run")), 2);
	ck_assert_ptr_nonnull(strstr(r.text, "nothing to boot: give --kernel FILE, or a --disk"));
	ck_assert_int_eq(run_plain(&r, ARGS("fly")), 2);
	ck_assert_ptr_nonnull(strstr(r.text, "unknown verb 'fly'"));
	ck_assert_int_eq(run_plain(&r, (char *const[]){ "macrohard-hypervisor", NULL }), 2);
	ck_assert_int_eq(run_plain(&r, ARGS("probe", "--json", "x")), 2);
	ck_assert_int_eq(run_plain(&r, ARGS("probe", "--color", "mauve")), 2);
}
END_TEST

START_TEST(devices_reach_the_library)
{
	struct run r;

	start_pipes(&r, ARGS("run", "--kernel", "k", "--rng", "--disk", "a.img", "--disk",
			     "b,format=qcow2,serial=s1,readonly=on,direct=off,queues=2"));
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "disk a.img format=- serial=- flags=0 queues=0\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "disk b format=qcow2 serial=s1 flags=100 queues=2\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "rng\n"));
	start_pipes(&r,
		    ARGS("run", "--kernel", "k", "--disk", "a,,b,,.img,direct,split,split=off"));
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_nonnull(
		strstr(r.text, "disk a,b,.img format=- serial=- flags=200 queues=0\n"));
	ck_assert_int_eq(run_plain(&r, ARGS("run", "--disk", "help")), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "--disk FILE[,NAME=VALUE]...  "));
	ck_assert_ptr_nonnull(strstr(r.text, "  queues "));
	start_pipes(&r, ARGS("run", "--kernel", "k", "--vsock", "77,path=v,connections=9",
			     "--balloon", "64M,split", "--watchdog", "pause,slot=3", "--input",
			     "touch+ps2,split", "--display", "1280x800,vram=16M,slot=4"));
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "vsock 77 path v connections 9\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "balloon 67108864 flags 1\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "watchdog 2 flags 30000\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "input 14 flags 1\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "display 1280 x 800 vram 16777216 flags 40000\n"));
	start_pipes(&r, ARGS("run", "--kernel", "k", "--console", "virtio", "--display",
			     "640x480,kind=framebuffer"));
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "cmdline console=hvc0\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "framebuffer 640 x 480 vram 0 flags 0\n"));
}
END_TEST

START_TEST(networks_reach_the_library)
{
	static const struct {
		char *value, *said;
	} net[] = {
		{ "user", "net kind 0 flags 0 name - queues 0 mtu 0 mac 00..00 pcap -\n" },
		{ "tap=t0,queues=4,mtu=9000,mac=02:00:aB:00:00:fe,pcap=f",
		  "net kind 1 flags 0 name t0 queues 4 mtu 9000 mac 02..fe pcap f\n" },
		{ "fd=7:9", "net kind 2 flags 0 name - queues 2" },
		{ "fd=7:9", "net fd 7 9\n" },
		{ "user,restrict,noloopback=on", "net kind 0 flags 300 " },
		{ "user,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp::53-10.0.2.9:5353",
		  "forward tcp 127.0.0.1 8080 to - 80\nforward udp - 53 to 10.0.2.9 5353\n" },
	};
	struct run r;

	for (size_t i = 0; i < sizeof(net) / sizeof(net[0]); i++) {
		start_pipes(&r, ARGS("run", "--kernel", "k", "--net", net[i].value));
		type(&r, "off\n");
		close(r.in);
		ck_assert_int_eq(finish(&r), 0);
		ck_assert_msg(strstr(r.text, net[i].said) != NULL, "%s: %s", net[i].value, r.text);
	}
	/* There is one unless one does not want it. */
	start_pipes(&r, RUN);
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "net kind 0 "));
	start_pipes(&r, ARGS("run", "--kernel", "k", "--net", "none"));
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_null(strstr(r.text, "net kind"));
}
END_TEST

START_TEST(options_reach_the_library)
{
	struct run r;

	start_pipes(&r, ARGS("run", "--kernel", "bz", "--initrd", "rd", "--cmdline", "a b",
			     "--memory", "2G", "--cpus", "4", "--stop-on-reset", "--hyperv",
			     "--tsc-khz", "2400000", "--stats", "--share", "a:b:t", "--share",
			     "d:u,readonly,owners=mapped,uid=7,gid=8", "--share",
			     "d:v,type=virtiofs", "--gdb", "unix:s,wait"));
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "memory 2147483648 cpus 4 flags 5\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "tsc 2400000 kHz\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "kernel bz initrd rd cmdline a b\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "12345"));
	ck_assert_ptr_nonnull(strstr(r.text, "gdb unix:s flags 1\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "share a:b as t readonly 0 owners 0 uid 0 gid 0\n"));
	ck_assert_ptr_nonnull(
		strstr(r.text, "share d as u readonly 1 owners 1 uid 7 gid 8\nshare "));
	ck_assert_ptr_nonnull(strstr(r.text, "share d as v readonly 0 owners 0 uid 0 gid 0\n"
					     "by virtio-fs\n"));
	start_pipes(&r, RUN);
	type(&r, "off\n");
	close(r.in);
	ck_assert_int_eq(finish(&r), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "memory 536870912 cpus 1 flags 0\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "kernel k initrd - cmdline console=ttyS0\n"));
	ck_assert_ptr_null(strstr(r.text, "12345"));
}
END_TEST

/* A disk without a kernel is booted by firmware, which takes no command line. */
START_TEST(firmware_reaches_the_library)
{
	static const struct {
		char *option, *value, *said;
	} runs[] = {
		{ "--cpus", "1", "firmware bios\n" },
		{ "--firmware", "bios", "firmware bios\n" },
		{ "--firmware", "./bios", "firmware ./bios\n" },
	};
	struct run r;

	for (size_t n = 0; n < sizeof(runs) / sizeof(runs[0]); n++) {
		start_pipes(&r, ARGS("run", "--disk", "b", runs[n].option, runs[n].value));
		type(&r, "off\n");
		close(r.in);
		ck_assert_int_eq(finish(&r), 0);
		ck_assert_msg(strstr(r.text, runs[n].said) != NULL, "%s", r.text);
	}
}
END_TEST

START_TEST(errors_of_the_library)
{
	struct run r;

	ck_assert_int_eq(run_plain(&r, ARGS("run", "--kernel", "absent")), 1);
	ck_assert_ptr_nonnull(
		strstr(r.text, "macrohard-hypervisor: command line: /boot/kernel: \"absent\": No "
			       "such file or directory; correct the path, or put it there\n"));
	ck_assert_int_eq(run_plain(&r, ARGS("run", "--kernel", "k", "--name", "no-module")), 1);
	ck_assert_ptr_nonnull(strstr(r.text, "the module is not loaded\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "'macrohard-hypervisor probe' examines"));
}
END_TEST

START_TEST(help_fits_one_screen)
{
	static char *const ways[][2] = {
		{ "--help", NULL }, { "help", "run" }, { "run", "--help" },
		{ "probe", "-h" },  { "help", NULL },
	};
	struct run r;
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		ck_assert_int_eq(run_plain(&r, ARGS(ways[i][0], ways[i][1])), 0);
		ck_assert_uint_le(lines_of(r.text), 24);
		ck_assert_ptr_nonnull(strstr(r.text, "usage: macrohard-hypervisor"));
	}
	ck_assert_int_eq(run_plain(&r, ARGS("version")), 0);
	ck_assert_ptr_nonnull(strstr(r.text, "libmacrohard 9.9.9\n"));
}
END_TEST

START_TEST(probe)
{
	struct run r;

	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	ck_assert_int_eq(run_plain(&r, ARGS("probe")), 1);
	ck_assert_ptr_nonnull(strstr(r.text, "NO   required     kernel module"));
	ck_assert_ptr_nonnull(strstr(r.text, "cure: modprobe macrohard\n"));
	ck_assert_ptr_nonnull(strstr(r.text, "cure: be root\n"));
	ck_assert_ptr_null(strstr(r.text, "no cure"));
	ck_assert_ptr_nonnull(strstr(
		r.text, "cannot run here: the macrohard kernel module is not loaded (MH_ENODEV)"));
	ck_assert_ptr_null(strchr(r.text, '\033'));
	ck_assert_int_eq(run_plain(&r, ARGS("probe", "--color", "always")), 1);
	ck_assert_ptr_nonnull(strstr(r.text, "\033[31mNO"));
	ck_assert_int_eq(run_plain(&r, ARGS("probe", "--json")), 1);
	ck_assert_str_eq(r.text, "{\"schema\":\"macrohard.probe/1\"}\n");
	start_tty(&r, ARGS("probe"));
	finish_tty(&r, 1);
	ck_assert_ptr_nonnull(strstr(r.text, "\033[31mNO"));
	setenv("NO_COLOR", "1", 1);
	setenv("FAKE_PROBE_OK", "1", 1);
	start_tty(&r, ARGS("probe"));
	finish_tty(&r, 0);
	ck_assert_ptr_null(strchr(r.text, '\033'));
	ck_assert_ptr_nonnull(strstr(r.text, "A VM can run here."));
	unsetenv("FAKE_PROBE_OK");
}
END_TEST

static void touch(const char *name)
{
	close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

/* What the options above name has to be there. */
static bool make_files(char *folder)
{
	if (!mkdtemp(folder) || chdir(folder))
		return false;
	for (size_t n = 0; n < sizeof(files) / sizeof(files[0]); n++)
		touch(files[n]);
	for (size_t n = 0; n < sizeof(folders) / sizeof(folders[0]); n++)
		mkdir(folders[n], 0700);
	return true;
}

static void remove_files(const char *folder)
{
	for (size_t n = 0; n < sizeof(files) / sizeof(files[0]); n++)
		unlink(files[n]);
	for (size_t n = 0; n < sizeof(folders) / sizeof(folders[0]); n++)
		rmdir(folders[n]);
	rmdir(folder);
}

int main(void)
{
	char folder[] = "/tmp/test-cli-XXXXXX";
	Suite *suite = suite_create("cli");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, ways_out_restore_the_terminal);
	tcase_add_test(tcase, second_signal_or_time_ends);
	tcase_add_test(tcase, escape_key);
	tcase_add_test(tcase, window_left_as_it_was);
	tcase_add_test(tcase, stopped_and_continued);
	tcase_add_test(tcase, pipes);
	tcase_add_test(tcase, typing_faster_than_the_guest_reads);
	tcase_add_test(tcase, output_that_nobody_reads);
	tcase_add_test(tcase, wrong_command_lines);
	tcase_add_test(tcase, options_reach_the_library);
	tcase_add_test(tcase, devices_reach_the_library);
	tcase_add_test(tcase, networks_reach_the_library);
	tcase_add_test(tcase, errors_of_the_library);
	tcase_add_test(tcase, firmware_reaches_the_library);
	tcase_add_test(tcase, help_fits_one_screen);
	tcase_add_test(tcase, probe);
	suite_add_tcase(suite, tcase);
	if (!make_files(folder))
		return EXIT_FAILURE;
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_files(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
