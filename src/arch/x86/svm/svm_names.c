// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The names of all SVM exit codes, for messages. */
#include "arch/x86/exit_names.h"

static const struct {
	u32 code;
	const char *name;
} codes[] = {
#define MHI_SVM_CODE(code, name) { code, #name },
#include "arch/x86/svm/svm_codes.def"
#include "arch/x86/svm/svm_codes_rest.def"
#undef MHI_SVM_CODE
};

const char *mhi_svm_exit_name(u32 raw)
{
	size_t i;

	for (i = 0; i < MHI_COUNT(codes); i++)
		if (codes[i].code == raw)
			return codes[i].name;
	return "unknown SVM exit";
}
