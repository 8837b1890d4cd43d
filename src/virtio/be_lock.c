/* SPDX-License-Identifier: MIT */
/* Locks on disk images, and finding who holds the one that is in the way. */
#include "virtio/be_raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * QEMU's image locking (its docs/, "Image locking"; block/file-posix.c): a shared lock on byte
 * USED + n says "I do n", one on byte REFUSED + n says "nobody else may do n".
 */
#define LOCK_USED 100
#define LOCK_REFUSED 200
enum { DO_READ = 0, DO_WRITE = 1, DO_RESIZE = 3, DO_MOST = 4 };

#define READER_USES (1u << DO_READ)
#define READER_REFUSES ((1u << DO_WRITE) | (1u << DO_RESIZE))
#define WRITER_USES ((1u << DO_READ) | (1u << DO_WRITE) | (1u << DO_RESIZE))
#define WRITER_REFUSES ((1u << DO_WRITE) | (1u << DO_RESIZE))

#define HOLDER_TEXT 96

static int lock_byte(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1
	};

	return fcntl(fd, F_OFD_SETLK, &lock) ? errno : 0;
}

/* Is there a lock of somebody else's on the byte? */
static bool is_locked(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1
	};

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* Does this descriptor of a process hold a lock? */
static bool holds_lock(const char *pid, const char *number)
{
	char path[300], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s", pid, number);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, "lock:", 5) && strstr(line, "OFDLCK");
	fclose(f);
	return found;
}

/* own: our descriptor, which has taken its locks already. */
static bool has_file(const char *pid, const struct stat *image, int own)
{
	bool ours = strtol(pid, NULL, 10) == (long)getpid();
	char path[64];
	struct dirent *e;
	struct stat st;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (e = readdir(dir)))
		found = e->d_name[0] != '.' &&
			!(ours && strtol(e->d_name, NULL, 10) == (long)own) &&
			!fstatat(dirfd(dir), e->d_name, &st, 0) && st.st_dev == image->st_dev &&
			st.st_ino == image->st_ino && holds_lock(pid, e->d_name);
	closedir(dir);
	return found;
}

static void describe(const char *pid, char *text, size_t bytes)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	if (strtol(pid, NULL, 10) == (long)getpid())
		snprintf(text, bytes, "this program itself has it open");
	else
		snprintf(text, bytes, "process %.20s (%s) has it open", pid, name[0] ? name : "?");
}

/* Processes of other users cannot be looked into: then the text says no name. */
static void find_holder(int fd, char *text, size_t bytes)
{
	struct stat image;
	struct dirent *e;
	bool found = false;
	DIR *proc;

	snprintf(text, bytes, "another process has it open");
	if (fstat(fd, &image))
		return;
	proc = opendir("/proc");
	if (!proc)
		return;
	while (!found && (e = readdir(proc))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !has_file(e->d_name, &image, fd))
			continue;
		describe(e->d_name, text, bytes);
		found = true;
	}
	closedir(proc);
}

static int take(int fd, u32 uses, u32 refuses)
{
	u32 i;
	int error;

	for (i = 0; i < DO_MOST; i++) {
		error = (uses & (1u << i)) ? lock_byte(fd, LOCK_USED + (off_t)i) : 0;
		if (!error && (refuses & (1u << i)))
			error = lock_byte(fd, LOCK_REFUSED + (off_t)i);
		if (error)
			return error;
	}
	return 0;
}

int mhi_lock_image(int fd, bool writer, const char *path, struct mhi_err *err)
{
	u32 uses = writer ? WRITER_USES : READER_USES;
	u32 refuses = writer ? WRITER_REFUSES : READER_REFUSES;
	char holder[HOLDER_TEXT];
	bool clash = false;
	u32 i;
	int error;

	error = take(fd, uses, refuses);
	/* Some network file systems have no locks at all: that is not another writer. */
	if (error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL)
		return 0;
	if (error && error != EAGAIN && error != EACCES)
		return mhi_err_set(err, MH_EIO, "lock '%s': %s; try again", path, strerror(error));
	clash = error != 0;
	for (i = 0; i < DO_MOST && !clash; i++)
		clash = ((uses & (1u << i)) && is_locked(fd, LOCK_REFUSED + (off_t)i)) ||
			((refuses & (1u << i)) && is_locked(fd, LOCK_USED + (off_t)i));
	if (!clash)
		return 0;
	find_holder(fd, holder, sizeof(holder));
	return mhi_err_set(err, MH_EBUSY, "open '%s' for %s: %s; stop that first", path,
			   writer ? "writing" : "reading", holder);
}
