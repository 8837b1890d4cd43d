/* SPDX-License-Identifier: MIT */
/* Where VMs live between commands: folders, their locks, files that are replaced as a whole. */
#include "store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES 64
#define FOLDER_BYTES (3 * NAME_BYTES + 1)

static const char running[] = "running";

/* ---- names and folders ---- */

/* Names are any text; what could mean something in a path becomes %XX. */
static bool folder_of(const char *name, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *start = name;

	if (!*name || strlen(name) > NAME_BYTES)
		return false;
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c >= 0x80 || isalnum(c) || strchr(" _-", c) || (c == '.' && name != start)) {
			*out++ = (char)c;
			continue;
		}
		*out++ = '%';
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	*out = '\0';
	return true;
}

static void name_of(const char *folder, char *out)
{
	unsigned int c;

	for (; *folder; folder++) {
		if (*folder == '%' && sscanf(folder + 1, "%2X", &c) == 1) {
			*out++ = (char)c;
			folder += 2;
		} else {
			*out++ = *folder;
		}
	}
	*out = '\0';
}

/* XDG Base Directory Specification 0.8: relative values are to be ignored. */
static char *root_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path;
	int n;

	if (state && state[0] == '/')
		n = asprintf(&path, "%s/macrohard/vms", state);
	else
		n = asprintf(&path, "%s/.local/state/macrohard/vms", home ? home : "");
	return n < 0 ? NULL : path;
}

static int make_folders(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return -1;
	}
	return mkdir(path, 0700) && errno != EEXIST ? -1 : 0;
}

/* CLI_OK with the path of the VM's folder and its name. */
static int init(struct store_vm *vm, const char *name)
{
	char folder[FOLDER_BYTES], *root = root_path();

	*vm = (struct store_vm){ .dir = -1 };
	if (!folder_of(name, folder)) {
		free(root);
		cli_message("'%s' is no name for a VM: 1 to %d bytes", name, NAME_BYTES);
		return CLI_USAGE;
	}
	vm->name = strdup(name);
	if (!root || !vm->name || asprintf(&vm->folder, "%s/%s", root, folder) < 0)
		vm->folder = NULL;
	free(root);
	if (vm->folder)
		return CLI_OK;
	cli_message("out of memory");
	return CLI_ERROR;
}

int store_open(struct store_vm *vm, const char *name)
{
	int status = init(vm, name);

	if (status)
		return status;
	vm->dir = open(vm->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (vm->dir >= 0)
		return CLI_OK;
	if (errno == ENOENT) {
		cli_message("there is no VM \"%s\"; '%s list' shows those that there are", name,
			    CLI_NAME);
		return CLI_NOT_FOUND;
	}
	cli_message("VM \"%s\": %s: %s", name, vm->folder, strerror(errno));
	return CLI_ERROR;
}

void store_close(struct store_vm *vm)
{
	if (vm->dir >= 0)
		close(vm->dir);
	free(vm->name);
	free(vm->folder);
	*vm = (struct store_vm){ .dir = -1 };
}

static bool has_document(const char *folder)
{
	char *path;
	bool has;

	if (asprintf(&path, "%s/%s", folder, STORE_DOCUMENT) < 0)
		return true;
	has = !access(path, F_OK);
	free(path);
	return has;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int store_names(char ***names, size_t *count)
{
	char name[FOLDER_BYTES + 256], *root = root_path(), *folder;
	struct dirent **entries = NULL;
	int n = root ? scandir(root, &entries, visible, alphasort) : -1;

	*count = 0;
	*names = calloc(n > 0 ? (size_t)n : 1, sizeof(**names));
	for (int i = 0; i < n; i++) {
		bool made = asprintf(&folder, "%s/%s", root, entries[i]->d_name) >= 0;

		name_of(entries[i]->d_name, name);
		if (*names && made && has_document(folder) && ((*names)[*count] = strdup(name)))
			++*count;
		if (made)
			free(folder);
		free(entries[i]);
	}
	free(entries);
	free(root);
	return *names ? CLI_OK : CLI_ERROR;
}

void store_free_names(char **names, size_t count)
{
	while (count--)
		free(names[count]);
	free(names);
}

char *store_path(const struct store_vm *vm, const char *file)
{
	char *path;

	return asprintf(&path, "%s/%s", vm->folder, file) < 0 ? NULL : path;
}

/* ---- the lock ---- */

/*
 * A lock of the open file (fcntl(2), "Open file description locks"), as flock's: it goes with the
 * last process that holds it, however that ends, and a fork hands it on. Unlike flock's it can be
 * looked at without being taken, so that "list" never makes a "start" fail.
 */
static struct flock whole_file(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

int store_lock(const struct store_vm *vm, int *lock)
{
	struct flock wanted = whole_file(F_WRLCK);
	int fd = openat(vm->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), error;

	*lock = fd;
	if (fd >= 0 && !fcntl(fd, F_OFD_SETLK, &wanted))
		return CLI_OK;
	error = errno;
	if (fd >= 0)
		close(fd);
	if (error == EAGAIN || error == EACCES) {
		cli_message("VM \"%s\" is running; '%s stop' ends it", vm->name, CLI_NAME);
		return CLI_STATE;
	}
	cli_message("VM \"%s\": cannot lock %s/lock: %s", vm->name, vm->folder, strerror(error));
	return CLI_ERROR;
}

bool store_alive(const struct store_vm *vm)
{
	struct flock asked = whole_file(F_WRLCK);
	int fd = openat(vm->dir, "lock", O_RDWR | O_CLOEXEC);
	bool alive;

	if (fd < 0)
		return false;
	alive = !fcntl(fd, F_OFD_GETLK, &asked) && asked.l_type != F_UNLCK;
	close(fd);
	return alive;
}

int store_remove(const struct store_vm *vm)
{
	static const char *const files[] = {
		STORE_DOCUMENT, STORE_CONSOLE_LOG,	   STORE_CONSOLE_LOG ".1",
		STORE_VM_LOG,	STORE_VM_LOG ".1",	   STORE_SOCKET,
		"state",	"." STORE_DOCUMENT ".new", ".state.new",
		STORE_EDITED,	STORE_SCREENSHOT,	   "." STORE_SCREENSHOT ".new",
		"lock",
	};

	for (size_t n = 0; n < sizeof(files) / sizeof(files[0]); n++)
		unlinkat(vm->dir, files[n], 0);
	if (!rmdir(vm->folder))
		return CLI_OK;
	cli_message("VM \"%s\": cannot remove %s: %s", vm->name, vm->folder, strerror(errno));
	return CLI_ERROR;
}

/* What is left of a VM that was killed while it was made or removed. False: there is one. */
static bool remove_rest(const char *name)
{
	struct store_vm vm;
	int lock = -1;
	/* The lock first: whoever has it may be about to write the document. */
	bool removed = !store_open(&vm, name) && !store_lock(&vm, &lock) &&
		       !has_document(vm.folder) && !store_remove(&vm);

	if (lock >= 0)
		close(lock);
	store_close(&vm);
	return removed;
}

static int taken(const char *name)
{
	cli_message("there is a VM \"%s\" already; 'destroy' removes it, 'edit' changes it", name);
	return CLI_STATE;
}

int store_create(struct store_vm *vm, const char *name, int *lock)
{
	char *root = root_path();
	int status = init(vm, name), error = 0;

	*lock = -1;
	if (!status && (!root || make_folders(root) || mkdir(vm->folder, 0700)))
		error = errno;
	free(root);
	if (error == EEXIST && !has_document(vm->folder) && remove_rest(name))
		error = mkdir(vm->folder, 0700) ? errno : 0;
	if (error == EEXIST)
		return taken(name);
	if (error) {
		cli_message("VM \"%s\": %s: %s", name, vm->folder, strerror(error));
		return CLI_ERROR;
	}
	if (status)
		return status;
	store_close(vm);
	status = store_open(vm, name);
	return status ? status : store_lock(vm, lock);
}

/* ---- files ---- */

static int write_new(const struct store_vm *vm, const char *file, const char *text)
{
	size_t left = strlen(text);
	int fd = openat(vm->dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), error = 0;

	if (fd < 0)
		return errno;
	while (left && !error) {
		ssize_t n = write(fd, text, left);

		if (n < 0)
			error = errno == EINTR ? 0 : errno;
		else
			left -= (size_t)n, text += n;
	}
	if (!error && fsync(fd))
		error = errno;
	close(fd);
	return error;
}

/* 0, or an errno. */
static int replace(const struct store_vm *vm, const char *file, const char *text)
{
	char other[32];
	int error;

	snprintf(other, sizeof(other), ".%s.new", file);
	error = write_new(vm, other, text);
	if (!error && renameat(vm->dir, other, vm->dir, file))
		error = errno;
	if (error)
		unlinkat(vm->dir, other, 0);
	return error;
}

int store_write(const struct store_vm *vm, const char *file, const char *text)
{
	int error = replace(vm, file, text);

	if (!error)
		return CLI_OK;
	cli_message("VM \"%s\": cannot write %s/%s: %s", vm->name, vm->folder, file,
		    strerror(error));
	return CLI_ERROR;
}

int store_set_state(const struct store_vm *vm, const char *reason, const char *text)
{
	char state[STORE_STATE_TEXT + 32];

	snprintf(state, sizeof(state), "%s\n%s", reason ? reason : running, text ? text : "");
	return replace(vm, "state", state);
}

enum store_state store_state(const struct store_vm *vm, char *reason, size_t reason_bytes,
			     char *text, size_t text_bytes)
{
	char state[STORE_STATE_TEXT + 32] = "", *line;
	bool alive = store_alive(vm);
	int fd = openat(vm->dir, "state", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, state, sizeof(state) - 1);

	if (fd >= 0)
		close(fd);
	state[n < 0 ? 0 : n] = '\0';
	line = strchr(state, '\n');
	if (line)
		*line++ = '\0';
	snprintf(reason, reason_bytes, "%s", state);
	snprintf(text, text_bytes, "%s", line ? line : "");
	if (alive)
		return STORE_ALIVE;
	if (!strcmp(state, running))
		return STORE_CRASHED;
	return state[0] ? STORE_STOPPED : STORE_CREATED;
}
