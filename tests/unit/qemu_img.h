/* SPDX-License-Identifier: MIT */
/*
 * QEMU's image tools as the judge of what the qcow2 engine writes, and as the maker of what it
 * reads.
 */
#ifndef TESTS_QEMU_IMG_H
#define TESTS_QEMU_IMG_H

#include <stdbool.h>
#include <stddef.h>

/* Where images for tests go: in memory if possible, since a flush to a disk takes its time. */
const char *image_folder(void);
/* Is qemu-img installed? Prints why a test is skipped if not. */
bool qemu_img_there(void);
/* Runs a program found in PATH; its output goes to text. Returns its exit status, or -1. */
int run_tool(char *text, size_t bytes, const char *program, ...) __attribute__((sentinel));
/* Fails the test unless the program ends with status 0. */
void must_run(const char *program, ...) __attribute__((sentinel));
/* "qemu-img check": 0 clean, 2 errors, 3 leaks only. */
int qemu_check(const char *path, char *text, size_t bytes);

#endif
