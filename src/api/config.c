/* SPDX-License-Identifier: MIT */
/* Documents that describe VMs: reading them, what they say, whether their files are there. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/config.h"
#include "api/impl.h"
#include "base/checked.h"

/* ---- memory ---- */

struct mhi_cfg_chunk {
	struct mhi_cfg_chunk *next;
	max_align_t bytes[];
};

void *mhi_cfg_alloc(struct mh_config *config, size_t bytes)
{
	struct mhi_cfg_chunk *chunk;
	size_t total;

	if (__builtin_add_overflow(bytes, sizeof(*chunk), &total))
		return NULL;
	chunk = calloc(1, total);
	if (!chunk)
		return NULL;
	chunk->next = config->chunks;
	config->chunks = chunk;
	return chunk->bytes;
}

void mh_config_free(struct mh_config *config)
{
	if (!config)
		return;
	while (config->chunks) {
		struct mhi_cfg_chunk *chunk = config->chunks;

		config->chunks = chunk->next;
		free(chunk);
	}
	free(config->source);
	free(config->folder);
	free(config);
}

static struct mh_config *config_new(const char *source, const char *folder)
{
	struct mh_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->vm = (struct mh_vm_config)MH_VM_CONFIG_INIT;
	config->boot = (struct mh_boot_config)MH_BOOT_CONFIG_INIT;
	config->source = strdup(source ? source : "document");
	config->folder = folder ? strdup(folder) : NULL;
	if (config->source && (config->folder || !folder))
		return config;
	mh_config_free(config);
	return NULL;
}

/* ---- reading ---- */

static int read_text(struct mh_config *config, const char *text, size_t bytes, struct mhi_err *err)
{
	struct mhi_json *root;
	int rc;

	if (bytes > MH_CONFIG_BYTES_MAX)
		return mhi_err_set(err, MH_EFORMAT, "%s: more than %u bytes; is it the right file?",
				   config->source, MH_CONFIG_BYTES_MAX);
	rc = mhi_json_parse(text, bytes, &root, err);
	if (rc) {
		mhi_err_wrap(err, "%s", config->source);
		return rc;
	}
	rc = mhi_cfg_read(config, root, err);
	mhi_json_free(root);
	return rc ? rc : mhi_cfg_rules(config, err);
}

int mh_config_parse(struct mh_ctx *ctx, const char *text, size_t bytes, const char *source,
		    const char *folder, struct mh_config **out)
{
	struct mh_config *config;
	struct mhi_err *err;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	if (!text || !out)
		return mhi_err_set(err, MH_EINVAL, "read a document: %s is NULL; pass one",
				   text ? "out" : "text");
	config = config_new(source, folder);
	if (!config)
		return mhi_err_set(err, MH_ENOMEM, "read a document: " MHI_NO_MEMORY);
	rc = read_text(config, text, bytes, err);
	if (rc)
		mh_config_free(config);
	else
		*out = config;
	return rc;
}

static int file_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
		return MH_ENOENT;
	case EACCES:
	case EPERM:
	case EROFS:
		return MH_EPERM;
	case ENOMEM:
		return MH_ENOMEM;
	default:
		return MH_EIO;
	}
}

/* At most one byte more than a document may have; *bytes says how many. */
static int read_file(const char *path, char **text, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	ssize_t n = 1;

	if (fd < 0)
		return errno;
	*bytes = 0;
	*text = malloc(MH_CONFIG_BYTES_MAX + 1);
	if (!*text)
		error = ENOMEM;
	while (!error && n && *bytes <= MH_CONFIG_BYTES_MAX) {
		n = read(fd, *text + *bytes, MH_CONFIG_BYTES_MAX + 1 - *bytes);
		if (n < 0)
			error = errno == EINTR ? 0 : errno;
		else
			*bytes += (size_t)n;
	}
	close(fd);
	if (error)
		free(*text);
	return error;
}

int mh_config_load(struct mh_ctx *ctx, const char *path, struct mh_config **out)
{
	char *text = NULL, *folder, *slash;
	struct mhi_err *err;
	size_t bytes = 0;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	if (!path || !out)
		return mhi_err_set(err, MH_EINVAL, "read a document: %s is NULL; pass one",
				   path ? "out" : "path");
	folder = realpath(path, NULL);
	rc = folder ? read_file(path, &text, &bytes) : errno;
	if (rc) {
		free(folder);
		return mhi_err_set(
			err, file_error(rc), "read a document: %s: %s; %s", path, strerror(rc),
			file_error(rc) == MH_EPERM ? "give yourself the permission (chmod, chown)"
						   : "correct the path");
	}
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	rc = mh_config_parse(ctx, text, bytes, path, folder, out);
	free(text);
	free(folder);
	return rc;
}

int mh_config_info(const struct mh_config *config, struct mh_config_info *info)
{
	if (!config || !info || info->size != sizeof(*info))
		return MH_EINVAL;
	info->name = config->vm.name;
	info->memory_bytes = config->vm.memory_bytes;
	info->cpus = config->vm.cpus;
	info->engine = config->engine;
	info->console = config->console;
	info->kernel = config->boot.kernel;
	info->firmware = config->boot.firmware;
	info->vnc = config->vnc.path;
	return 0;
}

/* ---- files ---- */

#define FOLDER (-1) /* instead of access()'s mode: a folder that may be entered */

static int check_path(struct mhi_cfg_at *at, const char *key, const char *path, int mode)
{
	size_t mark = mhi_cfg_enter(at, key);
	bool folder = mode == FOLDER;
	struct stat st;

	if (!path) {
		mhi_cfg_leave(at, mark);
		return 0;
	}
	if (access(path, folder ? R_OK | X_OK : mode) || stat(path, &st))
		return mhi_cfg_fail(at, file_error(errno), "\"%s\": %s; correct the path, or %s",
				    path, strerror(errno),
				    file_error(errno) == MH_EPERM
					    ? "give yourself the permission (chmod, chown)"
					    : "put it there");
	if (S_ISDIR(st.st_mode) != folder)
		return mhi_cfg_fail(at, MH_EINVAL, "\"%s\" is %s; correct the path", path,
				    folder ? "no folder" : "a folder");
	mhi_cfg_leave(at, mark);
	return 0;
}

/* A file that will be made: its folder must be there. */
static int check_parent(struct mhi_cfg_at *at, const char *key, const char *path)
{
	size_t mark = mhi_cfg_enter(at, key);
	char *folder = path ? strdup(path) : NULL;
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int rc = 0;

	if (slash) {
		slash[slash == folder] = '\0';
		if (access(folder, W_OK | X_OK))
			rc = mhi_cfg_fail(at, file_error(errno),
					  "\"%s\": its folder: %s; correct the path, or make the "
					  "folder",
					  path, strerror(errno));
	}
	free(folder);
	if (!rc)
		mhi_cfg_leave(at, mark);
	return rc;
}

static int check_device(struct mhi_cfg_at *at, const struct mhi_cfg_key *family, void *item,
			void *opaque)
{
	const struct mhi_cfg_devices *devices = &at->config->devices;
	const char *list = (const char *)devices + family->at;
	const struct mhi_cfg_disk *disk = item;

	if (list == (const char *)&devices->disks)
		return check_path(at, "path", disk->c.path,
				  disk->c.flags & MH_DISK_READONLY ? R_OK : R_OK | W_OK);
	if (list == (const char *)&devices->nets)
		return check_parent(at, "pcap", ((const struct mhi_cfg_net *)item)->c.pcap);
	if (list == (const char *)&devices->shares)
		return check_path(at, "path", ((const struct mhi_cfg_share *)item)->c.path, FOLDER);
	if (list == (const char *)&devices->vsock)
		return check_parent(at, "path", ((const struct mhi_cfg_vsock *)item)->c.path);
	return 0;
}

static bool is_word(const char *firmware)
{
	return firmware && !strcmp(firmware, MH_FIRMWARE_BIOS);
}

int mh_config_check(struct mh_ctx *ctx, const struct mh_config *config)
{
	struct mhi_cfg_at at = { .config = config };
	size_t mark;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	at.err = mhi_ctx_err(ctx);
	if (!config)
		return mhi_err_set(at.err, MH_EINVAL, "check a document: config is NULL; pass one");
	mark = mhi_cfg_enter(&at, "boot");
	rc = check_path(&at, "kernel", config->boot.kernel, R_OK);
	if (!rc)
		rc = check_path(&at, "initrd", config->boot.initrd, R_OK);
	if (!rc && !is_word(config->boot.firmware))
		rc = check_path(&at, "firmware", config->boot.firmware, R_OK);
	if (rc)
		return rc;
	mhi_cfg_leave(&at, mark);
	return mhi_cfg_each(&at, check_device, NULL);
}
