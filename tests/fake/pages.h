/* SPDX-License-Identifier: MIT */
/* A fake of base/page.h: counts what is alive, fails on demand. */
#ifndef FAKE_PAGES_H
#define FAKE_PAGES_H

#include "base/page.h"

/* Pages allocated and not freed. */
unsigned int fake_pages_live(void);
/* The next n allocations succeed, those after them fail; -1: none fails. */
void fake_pages_fail_after(int n);

#endif
