/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/admission.h"

#include "appliance/desktops/desktops.h"

#include <unistd.h>

#define GIB (UINT64_C(1) << 30)

uint64_t
admission_for_desktops(uint64_t host_memory)
{
    uint64_t reserve = MIN(CLAMP(host_memory / 8, GIB, 8 * GIB), host_memory / 2);

    return host_memory - reserve;
}

uint64_t
admission_host_memory(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool
admission_check(uint64_t memory, uint64_t promised, uint64_t all, unsigned percent, GError **error)
{
    uint64_t limit = all / 100 * percent + all % 100 * percent / 100;
    g_autofree char *wants = g_format_size_full(memory, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *left = g_format_size_full(limit > promised ? limit - promised : 0, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *of = g_format_size_full(limit, G_FORMAT_SIZE_IEC_UNITS);

    if (promised <= limit && memory <= limit - promised)
        return true;
    g_set_error(error, DESKTOPS_ERROR, DESKTOPS_ERROR_FULL,
                "the desktop needs %s of memory, and of the %s there are for desktops on this host %s are left", wants,
                of, left);
    return false;
}
