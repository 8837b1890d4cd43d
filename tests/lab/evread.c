/* SPDX-License-Identifier: MIT */
/*
 * In the guest: prints what arrives at /dev/input/event*, one line an event: "NAME: TYPE CODE
 * VALUE". Scan codes and the kernel's repetitions are left out. The light of a key is on while
 * KEY_CAPSLOCK is down.
 * usage: evread; it ends with KEY_STOP.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MOST 16

static struct pollfd fds[MOST];
static char names[MOST][64];
static unsigned int count;

static void open_all(void)
{
	DIR *dir = opendir("/dev/input");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) && count < MOST) {
		char path[300];
		int fd;

		if (strncmp(entry->d_name, "event", 5))
			continue;
		snprintf(path, sizeof(path), "/dev/input/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, EVIOCGNAME(sizeof(names[0]) - 1), names[count]) < 0)
			continue;
		printf("  %s\n", names[count]);
		fds[count++] = (struct pollfd){ fd, POLLIN, 0 };
	}
	closedir(dir);
}

static void light(int fd, int on)
{
	struct input_event e = { .type = EV_LED, .code = LED_CAPSL, .value = on };

	if (write(fd, &e, sizeof(e)) != sizeof(e))
		printf("no light\n");
}

/* 0: it was the last one. */
static int show(unsigned int n)
{
	struct input_event e;

	if (read(fds[n].fd, &e, sizeof(e)) != sizeof(e))
		return 0;
	if (e.type == EV_MSC || e.type == EV_LED || (e.type == EV_KEY && e.value > 1) ||
	    (e.type == EV_SYN && e.value))
		return 1;
	printf("%s: %d %d %d\n", names[n], e.type, e.code, e.value);
	if (e.type == EV_KEY && e.code == KEY_CAPSLOCK)
		light(fds[n].fd, e.value);
	return e.type != EV_KEY || e.code != KEY_STOP || e.value;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_all();
	printf("EVENTS: ready\n");
	for (;;) {
		if (poll(fds, count, -1) < 0)
			return 1;
		for (unsigned int n = 0; n < count; n++)
			if (fds[n].revents && !show(n))
				return 0;
	}
}
