/* SPDX-License-Identifier: Apache-2.0 */
#include "display/spice/traffic.h"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "display/spice/guard.h"

static uint64_t all_sent, all_received; /* atomic */

static ssize_t
count(int number, ssize_t n)
{
    if (n > 0 && guard_watches(number))
        __atomic_add_fetch(&all_sent, (uint64_t)n, __ATOMIC_RELAXED);
    return n;
}

ssize_t
write(int number, const void *bytes, size_t size)
{
    return count(number, syscall(SYS_write, number, bytes, size));
}

ssize_t
writev(int number, const struct iovec *pieces, int n)
{
    return count(number, syscall(SYS_writev, number, pieces, n));
}

void
traffic_received(size_t n)
{
    __atomic_add_fetch(&all_received, n, __ATOMIC_RELAXED);
}

void
traffic_count(uint64_t *sent, uint64_t *received)
{
    *sent = __atomic_load_n(&all_sent, __ATOMIC_RELAXED);
    *received = __atomic_load_n(&all_received, __ATOMIC_RELAXED);
}
