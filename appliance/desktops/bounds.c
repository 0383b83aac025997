/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/bounds.h"

#include "appliance/desktops/host_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCOPE_TIMEOUT_SECONDS 10
#define SCOPE_LOOK_MS 5

/* ---- a cgroup ---- */

static bool
put(const char *folder, const char *file, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, text, strlen(text)) > 0)
        return true;
    int code = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", path, g_strerror(code));
    return false;
}

static bool
put_number(const char *folder, const char *file, uint64_t value, GError **error)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

    return put(folder, file, text, error);
}

/* Each device once, or again the same. */
static void
put_io_max(const char *folder, const Limits *limits, const BoundsDisks *disks)
{
    for (unsigned i = 0; limits_have_disks(limits) && i < disks->n; i++) {
        dev_t device;
        if (disks->fds[i] < 0 || !limits_device(disks->fds[i], &device))
            continue;
        g_autofree char *line = limits_io_max(limits, device);
        put(folder, "io.max", line, NULL);
    }
}

static char *
cgroup_path(const DesktopsSettings *settings, const char *desktop)
{
    return g_build_filename(settings->cgroup, desktop, NULL);
}

static bool
apply_cgroup(const DesktopsSettings *settings, const Spec *spec, const BoundsDisks *disks, pid_t pid, GError **error)
{
    g_autofree char *path = cgroup_path(settings, spec->id);
    g_autofree char *cpu_max = NULL;
    Limits limits;

    if (g_mkdir(path, 0755) < 0 && errno != EEXIST) {
        int code = errno;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", path, g_strerror(code));
        return false;
    }
    limits_of(spec, &limits);
    cpu_max = limits_cpu_max(&limits);
    /* A controller that is not delegated to us has no such file. */
    put_number(path, "memory.max", limits.memory, NULL);
    put_number(path, "cpu.weight", limits.cpu_weight, NULL);
    put_number(path, "pids.max", limits.tasks, NULL);
    put(path, "cpu.max", cpu_max, NULL);
    put_io_max(path, &limits, disks);
    return put_number(path, "cgroup.procs", (uint64_t)pid, error);
}

void
bounds_clear(const DesktopsSettings *settings, const char *desktop)
{
    if (settings->scopes || !settings->cgroup)
        return;
    g_autofree char *path = cgroup_path(settings, desktop);
    g_rmdir(path);
}

/* ---- a scope ---- */

typedef struct {
    GDBusConnection *bus;
    GCancellable *cancellable;
    BoundsDone done;
    void *user;
    GVariant *call;
    pid_t pid;
    char *unit;
    int64_t deadline;
} Scope;

static char *
scope_name(const char *desktop)
{
    return g_strdup_printf("carrel-desktop-%s.scope", desktop);
}

static void
scope_end(Scope *scope, const GError *error)
{
    if (!g_cancellable_is_cancelled(scope->cancellable))
        scope->done(scope->user, error);
    g_clear_object(&scope->bus);
    g_object_unref(scope->cancellable);
    g_clear_pointer(&scope->call, g_variant_unref);
    g_free(scope->unit);
    g_free(scope);
}

static void
scope_fail(Scope *scope, const char *why)
{
    g_autoptr(GError) error =
        g_error_new(DESKTOPS_ERROR, DESKTOPS_ERROR_FAILED, "systemd made no scope for the desktop: %s", why);

    scope_end(scope, error);
}

static bool
is_in_scope(const Scope *scope)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", (int)scope->pid);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, scope->unit);
}

/* What counts is where the process is; systemd's word that it has begun says nothing yet. */
static gboolean
look(gpointer user)
{
    Scope *scope = user;
    bool there = is_in_scope(scope);

    if (!there && g_get_monotonic_time() < scope->deadline && !g_cancellable_is_cancelled(scope->cancellable))
        return G_SOURCE_CONTINUE;
    if (there)
        scope_end(scope, NULL);
    else
        scope_fail(scope, "the process is not in it");
    return G_SOURCE_REMOVE;
}

/* The call is not cancelled: its answer is what ends this, or what it begins. */
static void
on_scope_asked(GObject *source, GAsyncResult *result, gpointer user)
{
    Scope *scope = user;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    if (!answer) {
        g_dbus_error_strip_remote_error(error);
        scope_fail(scope, error->message);
        return;
    }
    scope->deadline = g_get_monotonic_time() + SCOPE_TIMEOUT_SECONDS * G_USEC_PER_SEC;
    g_timeout_add(SCOPE_LOOK_MS, look, scope);
}

static void
on_bus(GObject *source, GAsyncResult *result, gpointer user)
{
    Scope *scope = user;
    g_autoptr(GError) error = NULL;

    scope->bus = g_bus_get_finish(result, &error);
    if (!scope->bus) {
        scope_fail(scope, error->message);
        return;
    }
    g_dbus_connection_set_exit_on_close(scope->bus, FALSE);
    g_dbus_connection_call(scope->bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                           "org.freedesktop.systemd1.Manager", "StartTransientUnit", scope->call, G_VARIANT_TYPE("(o)"),
                           G_DBUS_CALL_FLAGS_NONE, SCOPE_TIMEOUT_SECONDS * 1000, NULL, on_scope_asked, scope);
}

/* As they are called now: what systemd is told, which knows nothing of our descriptors. */
static GStrv
name_disks(const BoundsDisks *disks)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    for (unsigned i = 0; i < disks->n; i++) {
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", disks->fds[i]);
        g_autofree char *name = disks->fds[i] >= 0 ? g_file_read_link(link, NULL) : NULL;
        if (name)
            g_strv_builder_add(names, name);
    }
    return g_strv_builder_end(names);
}

static GVariant *
scope_call(const Spec *spec, const BoundsDisks *disks, pid_t pid)
{
    g_auto(GStrv) names = name_disks(disks);
    Limits limits;
    g_autofree char *unit = scope_name(spec->id);
    g_autofree char *description = g_strdup_printf("Desktop %s", spec->name);
    GVariantBuilder properties;
    guint32 process = (guint32)pid;

    g_variant_builder_init(&properties, G_VARIANT_TYPE("a(sv)"));
    g_variant_builder_add(&properties, "(sv)", "PIDs",
                          g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, &process, 1, sizeof process));
    g_variant_builder_add(&properties, "(sv)", "Description", g_variant_new_string(description));
    g_variant_builder_add(&properties, "(sv)", "CollectMode", g_variant_new_string("inactive-or-failed"));
    limits_of(spec, &limits);
    limits_add_properties(&limits, (const char *const *)names, &properties);
    return g_variant_new("(ssa(sv)a(sa(sv)))", unit, "replace", &properties, NULL);
}

static void
apply_scope(const Spec *spec, const BoundsDisks *disks, pid_t pid, GCancellable *cancellable, BoundsDone done,
            void *user)
{
    Scope *scope = g_new0(Scope, 1);

    scope->done = done;
    scope->user = user;
    scope->cancellable = g_object_ref(cancellable);
    scope->pid = pid;
    scope->unit = scope_name(spec->id);
    scope->call = g_variant_ref_sink(scope_call(spec, disks, pid));
    g_bus_get(G_BUS_TYPE_SYSTEM, NULL, on_bus, scope);
}

/* ---- both ---- */

void
bounds_apply(const DesktopsSettings *settings, const Spec *spec, const BoundsDisks *disks, pid_t pid,
             GCancellable *cancellable, BoundsDone done, void *user)
{
    g_autoptr(GError) error = NULL;

    if (settings->scopes) {
        apply_scope(spec, disks, pid, cancellable, done, user);
        return;
    }
    if (settings->cgroup)
        apply_cgroup(settings, spec, disks, pid, &error);
    done(user, error);
}

void
bounds_read(const char *desktop, pid_t pid, Limits *limits)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", (int)pid);
    g_autofree char *text = NULL;

    *limits = (Limits){0};
    /* "0::/carrel.slice/…", cgroups(7). A group that is not the desktop's own says nothing of it. */
    if (!g_file_get_contents(path, &text, NULL, NULL) || !g_str_has_prefix(g_strchomp(text), "0::/") ||
        !strstr(text, desktop))
        return;
    g_autofree char *folder = g_build_filename("/sys/fs/cgroup", text + strlen("0::"), NULL);
    limits_read(folder, limits);
}
