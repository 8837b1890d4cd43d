/* SPDX-License-Identifier: MIT */
/* What a guest prints on its console: kept for who looks later, logged, shown on a terminal. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "store.h"
#include "terminal.h"

#include <pthread.h>
#include <stdatomic.h>

#define OUTPUT_KEPT (256u << 10)
#define OUTPUT_LOG_MAX (8u << 20) /* then it becomes console.log.1 */

struct output {
	pthread_mutex_t lock;	   /* kept, end; a leaf */
	char kept[OUTPUT_KEPT];	   /* (m) the last of it: byte n at n % OUTPUT_KEPT */
	uint64_t end;		   /* (m) bytes so far */
	struct terminal *terminal; /* (c) NULL: nothing goes to standard output */
	const struct store_vm *vm; /* (c) NULL: no log */
	int log;		   /* (c) -1: none */
	_Atomic uint64_t log_bytes;
	int wake;	  /* (c) eventfd: there is more, or an error */
	atomic_int error; /* errno of standard output; release here, acquire in the loop */
};

/* 0 or -1 with errno. The output callback is one at a time. */
int output_init(struct output *o, const struct store_vm *vm, struct terminal *terminal);
void output_fini(struct output *o);
/* A mh_console_fn. */
void output_add(void *opaque, const void *data, size_t bytes);
/* Copies what comes behind *at, which moves on, over what is not kept any more, too. */
size_t output_read(struct output *o, uint64_t *at, void *data, size_t bytes);
/* It is to be put aside: fd, which is taken, is a new one. */
bool output_log_full(struct output *o);
void output_new_log(struct output *o, int fd);
bool output_has(struct output *o, uint64_t at);

#endif
