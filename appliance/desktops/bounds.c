/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest cannot take more memory than it has, but what serves it could by a fault: the limit stands far enough above for
 * pictures and buffers. Processors are shared by weight; a desktop may have all that nobody else wants.
 */
#include "appliance/desktops/bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define MEMORY_BESIDE (1024 * MIB)
#define MEMORY_PER_MONITOR (256 * MIB)
#define CPU_WEIGHT_PER_VCPU 50 /* two: the default of a group */
#define CPU_WEIGHT_MAX 10000
#define TASKS_MAX 512
#define SCOPE_TIMEOUT_SECONDS 10
#define SCOPE_LOOK_MS 5

static uint64_t
memory_max(const Spec *spec)
{
    return spec->memory + MEMORY_BESIDE + spec->monitors * MEMORY_PER_MONITOR;
}

static uint64_t
cpu_weight(const Spec *spec)
{
    return MIN(spec->vcpus * CPU_WEIGHT_PER_VCPU, CPU_WEIGHT_MAX);
}

/* ---- a cgroup ---- */

static bool
put(const char *folder, const char *file, uint64_t value, GError **error)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
    g_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, text, strlen(text)) > 0)
        return true;
    int code = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", path, g_strerror(code));
    return false;
}

static char *
cgroup_path(const DesktopsSettings *settings, const char *desktop)
{
    return g_build_filename(settings->cgroup, desktop, NULL);
}

static bool
apply_cgroup(const DesktopsSettings *settings, const Spec *spec, pid_t pid, GError **error)
{
    g_autofree char *path = cgroup_path(settings, spec->id);

    if (g_mkdir(path, 0755) < 0 && errno != EEXIST) {
        int code = errno;
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: %s", path, g_strerror(code));
        return false;
    }
    /* A controller that is not delegated to us has no such file. */
    put(path, "memory.max", memory_max(spec), NULL);
    put(path, "cpu.weight", cpu_weight(spec), NULL);
    put(path, "pids.max", TASKS_MAX, NULL);
    return put(path, "cgroup.procs", (uint64_t)pid, error);
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

static GVariant *
scope_call(const Spec *spec, pid_t pid)
{
    g_autofree char *unit = scope_name(spec->id);
    g_autofree char *description = g_strdup_printf("Desktop %s", spec->name);
    GVariantBuilder properties;
    guint32 process = (guint32)pid;

    g_variant_builder_init(&properties, G_VARIANT_TYPE("a(sv)"));
    g_variant_builder_add(&properties, "(sv)", "PIDs",
                          g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, &process, 1, sizeof process));
    g_variant_builder_add(&properties, "(sv)", "Description", g_variant_new_string(description));
    g_variant_builder_add(&properties, "(sv)", "CollectMode", g_variant_new_string("inactive-or-failed"));
    g_variant_builder_add(&properties, "(sv)", "MemoryMax", g_variant_new_uint64(memory_max(spec)));
    g_variant_builder_add(&properties, "(sv)", "CPUWeight", g_variant_new_uint64(cpu_weight(spec)));
    g_variant_builder_add(&properties, "(sv)", "TasksMax", g_variant_new_uint64(TASKS_MAX));
    return g_variant_new("(ssa(sv)a(sa(sv)))", unit, "replace", &properties, NULL);
}

static void
apply_scope(const Spec *spec, pid_t pid, GCancellable *cancellable, BoundsDone done, void *user)
{
    Scope *scope = g_new0(Scope, 1);

    scope->done = done;
    scope->user = user;
    scope->cancellable = g_object_ref(cancellable);
    scope->pid = pid;
    scope->unit = scope_name(spec->id);
    scope->call = g_variant_ref_sink(scope_call(spec, pid));
    g_bus_get(G_BUS_TYPE_SYSTEM, NULL, on_bus, scope);
}

/* ---- both ---- */

void
bounds_apply(const DesktopsSettings *settings, const Spec *spec, pid_t pid, GCancellable *cancellable, BoundsDone done,
             void *user)
{
    g_autoptr(GError) error = NULL;

    if (settings->scopes) {
        apply_scope(spec, pid, cancellable, done, user);
        return;
    }
    if (settings->cgroup)
        apply_cgroup(settings, spec, pid, &error);
    done(user, error);
}
