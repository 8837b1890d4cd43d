/* SPDX-License-Identifier: MIT */
/*
 * VMs described by JSON documents, schema "macrohard.vm/1" (docs/macrohard.vm-1.schema.json). They
 * are read strictly: an unknown key, a wrong type, a key given twice, two devices on one slot, text
 * behind the end are errors, and each error names the place in the document, the cause and the
 * cure: "vm.json: /devices/disks/1/slot: ...".
 */
#ifndef MACROHARD_CONFIG_H
#define MACROHARD_CONFIG_H

#include <macrohard/device.h>
#include <macrohard/gdb.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MH_CONFIG_BYTES_MAX (1u << 20)

struct mh_config; /* a document that was read and found valid; never changes */

/**
 * Read a document. Nothing else is looked at, so that a document is valid everywhere or nowhere.
 * @text    [bytes] UTF-8, at most MH_CONFIG_BYTES_MAX; gone through, not kept
 * @source  what errors call it; NULL: "document"
 * @folder  where its relative paths start; NULL: at the process's folder, when they are used
 * @out     free it with mh_config_free
 * Thread: [any]
 * Returns 0; MH_EINVAL (an argument is NULL), MH_EFORMAT (the document is not valid), MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_config_parse(struct mh_ctx *ctx, const char *text, size_t bytes, const char *source,
			   const char *folder, struct mh_config **out);

/**
 * The same with a file, whose folder is where relative paths start.
 * Thread: [any]
 * Returns 0; MH_EINVAL, MH_ENOENT, MH_EPERM, MH_EIO (the file), MH_EFORMAT, MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_config_load(struct mh_ctx *ctx, const char *path, struct mh_config **out);

/** Free a document; NULL is a no-op. VMs made from it do not need it. Thread: [any]. Since: 1.0 */
MH_API void mh_config_free(struct mh_config *config);

enum mh_config_console { MH_CONFIG_SERIAL = 0, MH_CONFIG_VIRTIO };

struct mh_config_info {
	size_t size; /* sizeof(struct mh_config_info), by MH_CONFIG_INFO_INIT */
	const char *name;
	uint64_t memory_bytes;
	uint32_t cpus;
	uint32_t engine;      /* enum mh_engine_kind */
	uint32_t console;     /* enum mh_config_console */
	const char *kernel;   /* NULL: it boots by firmware */
	const char *firmware; /* NULL: a kernel, or the firmware that is installed */
	const char *vnc;      /* the path for mh_vnc_start (<macrohard/vnc.h>); NULL: none */
};

#define MH_CONFIG_INFO_INIT                                                       \
	{                                                                         \
		sizeof(struct mh_config_info), NULL, 0, 0, 0, 0, NULL, NULL, NULL \
	}

/**
 * What a document says.
 * Ownership: strings belong to the document.   Thread: [any]   Returns 0; MH_EINVAL (NULL, size).
 * Since: 1.0
 */
MH_API int mh_config_info(const struct mh_config *config, struct mh_config_info *info);

/**
 * Can this machine provide the files and folders that a document names? Changes nothing.
 * Thread: [any]
 * Returns 0; MH_EINVAL (an argument is NULL; a file where a folder must be), MH_ENOENT, MH_EPERM,
 * MH_EIO.   Since: 1.0
 */
MH_API int mh_config_check(struct mh_ctx *ctx, const struct mh_config *config);

/* What belongs to a VM that a document describes: its console goes in, its devices come out. */
struct mh_config_parts {
	size_t size;		/* sizeof(struct mh_config_parts), by MH_CONFIG_PARTS_INIT */
	mh_console_fn *output;	/* what the guest prints on its console; NULL: dropped */
	void *opaque;		/* for output */
	struct mh_dev *console; /* out; NULL: the console is serial port 0 */
	struct mh_dev *vsock;	/* out; NULL: none */
	struct mh_dev *balloon; /* out; NULL: none */
};

#define MH_CONFIG_PARTS_INIT                                                 \
	{                                                                    \
		sizeof(struct mh_config_parts), NULL, NULL, NULL, NULL, NULL \
	}

/**
 * Make the VM that a document describes, with all its devices, ready to be started.
 * @parts  NULL: the guest's output is dropped
 * @out    as by mh_vm_create
 * Devices with a slot are attached first, the others in the order of the document: disks, nets,
 * shares, rng, vsock, balloon, watchdog, input, console. Without a kernel the VM boots from its
 * first disk, by the firmware that the document names, or else the one that is installed
 * (MH_FIRMWARE_BIOS). The debugger's socket is there before the VM starts.
 * Thread: [any], not from a device's callback
 * Returns 0; MH_EINVAL (an argument is NULL, parts->size; the document asks for another engine than
 * ctx has; there is neither a kernel, firmware nor a disk), MH_ESTATE (from a device's callback),
 * and what mh_config_check, mh_vm_create, mh_vm_boot, mh_gdb_listen and the functions that attach
 * devices return. On error there is no VM.   Since: 1.0
 */
MH_API int mh_config_create(struct mh_ctx *ctx, const struct mh_config *config,
			    struct mh_config_parts *parts, struct mh_vm **out);

#ifdef __cplusplus
}
#endif
#endif
