/* SPDX-License-Identifier: MIT */
/* Taking connections, also where no descriptor is left for one. */
#include "core/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int mhi_accept(int listener, int *spare)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), error = errno;

	if (fd >= 0 || (error != EMFILE && error != ENFILE))
		return fd;
	if (*spare >= 0)
		close(*spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	*spare = fcntl(listener, F_DUPFD_CLOEXEC, 0);
	errno = error;
	return -1;
}
