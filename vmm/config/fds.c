/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inherited descriptors by name. The environment is this process's caller, which is trusted but may be wrong, so every
 * number is checked before a descriptor is touched.
 */
#include "vmm/config/fds.h"
#include "vmm/config/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */
#define FDS_MAX 256

typedef struct {
    char *name;
    int fd;
} NamedFd;

struct InheritedFds {
    GArray *list;
};

static void
named_fd_clear(void *object)
{
    NamedFd *named = object;
    g_free(named->name);
    if (named->fd >= 0)
        close(named->fd);
}

static bool
malformed(GError **error, const char *why)
{
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE, "inherited descriptors: %s", why);
    return false;
}

static bool
add(InheritedFds *fds, int fd, const char *name, GError **error)
{
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0) {
        g_autofree char *why = g_strdup_printf("LISTEN_FDS counts descriptor %d, which is not open", fd);
        return malformed(error, why);
    }
    NamedFd named = {g_strdup(name), fd};
    g_array_append_val(fds->list, named);
    return true;
}

static bool
take_all(InheritedFds *fds, const char *count_text, const char *names_text, GError **error)
{
    guint64 count;
    g_auto(GStrv) names = g_strsplit(names_text ? names_text : "", ":", -1);

    if (!g_ascii_string_to_unsigned(count_text, 10, 0, FDS_MAX, &count, NULL))
        return malformed(error, "LISTEN_FDS is not a number");
    if (names_text && g_strv_length(names) != count)
        return malformed(error, "LISTEN_FDNAMES does not name as many descriptors as LISTEN_FDS counts");
    for (guint64 i = 0; i < count; i++)
        if (!add(fds, FIRST_FD + i, names_text ? names[i] : "unknown", error))
            return false;
    return true;
}

InheritedFds *
inherited_fds_new(GError **error)
{
    g_autoptr(InheritedFds) fds = g_new0(InheritedFds, 1);
    const char *pid = g_getenv("LISTEN_PID");
    const char *count = g_getenv("LISTEN_FDS");
    guint64 for_pid;

    fds->list = g_array_new(FALSE, FALSE, sizeof(NamedFd));
    g_array_set_clear_func(fds->list, named_fd_clear);
    if (pid && count && g_ascii_string_to_unsigned(pid, 10, 1, INT32_MAX, &for_pid, NULL) &&
        for_pid == (guint64)getpid() && !take_all(fds, count, g_getenv("LISTEN_FDNAMES"), error))
        return NULL;
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return g_steal_pointer(&fds);
}

void
inherited_fds_close_others(const InheritedFds *fds)
{
    close_range(FIRST_FD + fds->list->len, ~0u, 0);
    for (int fd = 0; fd < FIRST_FD; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR); /* takes the lowest number, which is this one */
}

void
inherited_fds_free(InheritedFds *fds)
{
    if (!fds)
        return;
    g_array_unref(fds->list);
    g_free(fds);
}

int
inherited_fds_take(InheritedFds *fds, const char *name)
{
    for (guint i = 0; i < fds->list->len; i++) {
        NamedFd *named = &g_array_index(fds->list, NamedFd, i);
        if (named->fd >= 0 && !strcmp(named->name, name))
            return g_steal_fd(&named->fd);
    }
    return -1;
}

int
inherited_fds_require(InheritedFds *fds, const char *name, GError **error)
{
    int fd = inherited_fds_take(fds, name);
    if (fd >= 0)
        return fd;
    g_autoptr(GString) offered = g_string_new(NULL);
    for (guint i = 0; i < fds->list->len; i++)
        g_string_append_printf(offered, "%s%s", i ? ", " : "", g_array_index(fds->list, NamedFd, i).name);
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_MISSING, "no descriptor named “%s” was inherited (%s%s)", name,
                offered->len ? "there are: " : "none were", offered->str);
    return -1;
}

const char *
inherited_fds_left(const InheritedFds *fds)
{
    for (guint i = 0; i < fds->list->len; i++) {
        const NamedFd *named = &g_array_index(fds->list, NamedFd, i);
        if (named->fd >= 0)
            return named->name;
    }
    return NULL;
}
