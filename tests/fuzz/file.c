/* SPDX-License-Identifier: Apache-2.0 */
/* The input as a file, for targets that read one. */
#include "tests/fuzz/fuzz.h"

#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

int
fuzz_file(const uint8_t *bytes, size_t len)
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    g_assert_no_errno(fd);
    g_assert_no_errno(ftruncate(fd, 0));
    g_assert_cmpint(pwrite(fd, bytes, len, 0), ==, len);
    return fd;
}
