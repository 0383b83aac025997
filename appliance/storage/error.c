/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/storage/error.h"

#include <errno.h>

G_DEFINE_QUARK(storage - error - quark, storage_error)

static bool
fail(GError **error, StorageError code, const char *format, va_list arguments)
{
    if (error)
        *error = g_error_new_valist(STORAGE_ERROR, code, format, arguments);
    return false;
}

bool
storage_fail(GError **error, StorageError code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fail(error, code, format, arguments);
    va_end(arguments);
    return false;
}

bool
storage_fail_errno(GError **error, const char *format, ...)
{
    int number = errno;
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (number == ENOSPC || number == EDQUOT)
        return storage_fail(error, STORAGE_ERROR_FULL, "cannot %s: there is no room left on the disk", what);
    return storage_fail(error, STORAGE_ERROR_FAILED, "cannot %s: %s", what, g_strerror(number));
}

bool
storage_fail_full(GError **error, const char *what, uint64_t needed, uint64_t free, uint64_t kept)
{
    g_autofree char *needs = g_format_size_full(needed, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *has = g_format_size_full(free, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *keeps = g_format_size_full(kept, G_FORMAT_SIZE_IEC_UNITS);

    if (!needed)
        return storage_fail(error, STORAGE_ERROR_FULL, "%s: only %s are free, and %s must stay free", what, has, keeps);
    if (!kept)
        return storage_fail(error, STORAGE_ERROR_FULL, "%s needs %s, and %s are free", what, needs, has);
    return storage_fail(error, STORAGE_ERROR_FULL, "%s needs %s; %s are free, of which %s must stay free", what, needs,
                        has, keeps);
}
