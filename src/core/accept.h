/* SPDX-License-Identifier: MIT */
/* Taking connections, also where no descriptor is left for one. */
#ifndef MHI_CORE_ACCEPT_H
#define MHI_CORE_ACCEPT_H

/*
 * As accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK). *spare: a descriptor, kept for
 * when there is no other: who connects then is turned away with it, so that he learns of it and
 * does not make the listener ready again and again. Renewed after that; -1 where even that failed.
 */
int mhi_accept(int listener, int *spare);

#endif
