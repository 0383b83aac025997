/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up namespaces, root and privileges, in this order since each needs rights that the next takes away.
 */
#include "vmm/sandbox/sandbox.h"
#include "vmm/sandbox/apparmor.h"
#include "vmm/sandbox/install.h"
#include "vmm/sandbox/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
fail(GError **error, const char *what)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                "sandbox: cannot %s: %s (--no-sandbox does without)", what, g_strerror(errno));
    return false;
}

static bool
write_file(const char *path, const char *text)
{
    g_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Started by an ordinary user: a user namespace of one's own gives the rights that the rest needs. */
static bool
own_user_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    g_autofree char *uid_map = g_strdup_printf("%u %u 1", uid, uid);
    g_autofree char *gid_map = g_strdup_printf("%u %u 1", gid, gid);

    return unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/setgroups", "deny") &&
           write_file("/proc/self/uid_map", uid_map) && write_file("/proc/self/gid_map", gid_map);
}

static bool
empty_root(void)
{
    /* The old root is mounted over the new one by pivot_root(".", "."), then taken away: pivot_root(2). */
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0555") == 0 &&
           chdir("/tmp") == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
           mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 &&
           chdir("/") == 0;
}

typedef struct {
    int flag;
    const char *name;
} Namespace;

static const Namespace namespaces[] = {{CLONE_NEWNET, "network namespace"},
                                       {CLONE_NEWIPC, "IPC namespace"},
                                       {CLONE_NEWUTS, "UTS namespace"},
                                       {CLONE_NEWNS, "mount namespace"}};

/* Returns what the host did not allow, or NULL. */
static char *
enter_namespaces(void)
{
    g_autoptr(GStrvBuilder) left_out = g_strv_builder_new();
    bool have_mounts = false;

    if (getpid() != 1) /* sandbox_fork() could not have one */
        g_strv_builder_add(left_out, "PID namespace");
    if (geteuid() != 0 && !own_user_namespace())
        g_strv_builder_add(left_out, "user namespace");
    for (size_t i = 0; i < G_N_ELEMENTS(namespaces); i++) {
        bool had = unshare(namespaces[i].flag) == 0;
        have_mounts |= had && namespaces[i].flag == CLONE_NEWNS;
        if (!had)
            g_strv_builder_add(left_out, namespaces[i].name);
    }
    if (!have_mounts || !empty_root())
        g_strv_builder_add(left_out, "empty root");
    g_auto(GStrv) names = g_strv_builder_end(left_out);
    return *names ? g_strjoinv(", ", names) : NULL;
}

static bool
drop_privileges(uid_t uid, GError **error)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};

    for (int capability = 0; capability <= 63; capability++)
        if (prctl(PR_CAPBSET_DROP, capability) < 0 && errno == EINVAL)
            break; /* past the last one the kernel knows; without the right to drop, none is held either */
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
        return fail(error, "become an unprivileged user");
    if (syscall(SYS_capset, &header, none) < 0)
        return fail(error, "give up capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(error, "forbid new privileges");
    keeper_follow();
    return true;
}

bool
sandbox_enter(uid_t uid, char **left_out, GError **error)
{
    struct rlimit no_core = {0, 0};
    int profile = apparmor_open();
    g_autofree char *missing = enter_namespaces();

    if (!drop_privileges(uid, error)) {
        g_clear_fd(&profile, NULL);
        return false;
    }
    if (!apparmor_enter(profile)) {
        g_autofree char *others = g_steal_pointer(&missing);
        missing = g_strjoin(", ", "AppArmor's profile " APPARMOR_PROFILE, others, NULL);
    }
    setrlimit(RLIMIT_CORE, &no_core); /* it would hold the guest's memory */
    filters_begin();
    if (left_out)
        *left_out = g_steal_pointer(&missing);
    return true;
}
