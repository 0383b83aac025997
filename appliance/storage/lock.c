/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/lock.h"
#include "appliance/storage/error.h"

#include <errno.h>
#include <fcntl.h>

#define TRIES 10
#define PAUSE_US (20 * G_TIME_SPAN_MILLISECOND)

bool
lock_take(int fd, bool writing, const char *what, GError **error)
{
    struct flock whole = {.l_type = writing ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};

    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
            return true;
        if (errno != EAGAIN && errno != EACCES)
            return storage_fail_errno(error, "lock %s", what);
        g_usleep(PAUSE_US);
    }
    return storage_fail(error, STORAGE_ERROR_IN_USE, "%s is in use: stop what runs with it first", what);
}
