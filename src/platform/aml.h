/* SPDX-License-Identifier: MIT */
/*
 * A writer of AML, the byte code of ACPI tables, into a buffer of the caller. Blocks are opened
 * and closed; running out of space is noted and checked once, at the end.
 */
#ifndef MHI_PLATFORM_AML_H
#define MHI_PLATFORM_AML_H

#include "base/types.h"

struct mhi_aml {
	u8 *buf; /* [cap] */
	size_t len, cap;
	bool failed; /* out of space, or a name that is none */
};

void mhi_aml_init(struct mhi_aml *aml, u8 *buf, size_t cap);

/* Each opens a block and returns the mark that closes it. Names have one to four letters. */
size_t mhi_aml_scope(struct mhi_aml *aml, const char *name);
size_t mhi_aml_device(struct mhi_aml *aml, const char *name);
size_t mhi_aml_method(struct mhi_aml *aml, const char *name, unsigned int args);
size_t mhi_aml_package(struct mhi_aml *aml, unsigned int elements);
size_t mhi_aml_if_arg0_equals(struct mhi_aml *aml, u64 value);
void mhi_aml_end(struct mhi_aml *aml, size_t mark);

/* Name (name, ...): the value is what is written next. */
void mhi_aml_name(struct mhi_aml *aml, const char *name);
void mhi_aml_integer(struct mhi_aml *aml, u64 value);
void mhi_aml_string(struct mhi_aml *aml, const char *text);
/* Three capitals and four hexadecimal digits: "PNP0501". */
void mhi_aml_eisaid(struct mhi_aml *aml, const char *id);
/* Code or data already encoded. */
void mhi_aml_raw(struct mhi_aml *aml, const void *code, size_t bytes);
void mhi_aml_notify(struct mhi_aml *aml, const char *object, u64 value);

/* A resource template as the value of a name. What is 0 is left out. */
struct mhi_aml_resources {
	u16 io_base;
	u8 io_ports;
	u16 io_other; /* one more port */
	bool has_irq; /* edge-triggered, active high, not shared */
	u32 gsi;
	u32 mem_base, mem_bytes; /* fixed */
	/* What a PCI host bridge passes on: bus 0, memory below and above 4 GiB. */
	bool bus0;
	u32 window32, window32_bytes;
	u32 window_fw, window_fw_bytes;
	u64 window64, window64_bytes;
};
void mhi_aml_resource_template(struct mhi_aml *aml, const struct mhi_aml_resources *res);

#endif
