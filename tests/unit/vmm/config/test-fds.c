/* SPDX-License-Identifier: Apache-2.0 */
/* Inherited descriptors: taken by name, once; a lying environment is refused. Each case runs in its own child. */
#include "vmm/config/fds.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static void
offer(const char *count, const char *names, bool for_us)
{
    g_autofree char *pid = g_strdup_printf("%d", for_us ? getpid() : 1);
    g_setenv("LISTEN_PID", pid, TRUE);
    g_setenv("LISTEN_FDS", count, TRUE);
    if (names)
        g_setenv("LISTEN_FDNAMES", names, TRUE);
    else
        g_unsetenv("LISTEN_FDNAMES");
}

/* Descriptors 3 … 3 + n - 1 become /dev/null; n + 3 is closed. */
static void
open_fds(int n)
{
    for (int fd = 3; fd < 3 + n; fd++)
        g_assert_cmpint(dup2(open("/dev/null", O_RDWR), fd), ==, fd);
    close(3 + n);
}

static void
test_by_name(void)
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
        g_test_trap_assert_passed();
        return;
    }
    g_autoptr(GError) error = NULL;
    open_fds(3);
    offer("3", "tap:kvm:tap", true);
    g_autoptr(InheritedFds) fds = inherited_fds_new(&error);
    g_assert_no_error(error);
    g_assert_null(g_getenv("LISTEN_FDS"));
    g_assert_cmpint(inherited_fds_take(fds, "kvm"), ==, 4);
    g_assert_cmpint(inherited_fds_take(fds, "kvm"), ==, -1);
    g_assert_cmpint(fcntl(4, F_GETFD), ==, FD_CLOEXEC);
    g_assert_cmpint(inherited_fds_take(fds, "tap"), ==, 3);
    g_assert_cmpstr(inherited_fds_left(fds), ==, "tap");
    g_assert_cmpint(inherited_fds_take(fds, "tap"), ==, 5);
    g_assert_null(inherited_fds_left(fds));
    g_assert_cmpint(inherited_fds_require(fds, "spice", &error), ==, -1);
    g_assert_nonnull(strstr(error->message, "there are: tap, kvm, tap"));
}

static void
test_refused(void)
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
        g_test_trap_assert_passed();
        return;
    }
    static const struct {
        const char *count, *names;
    } bad[] = {{"x", "a"}, {"-1", NULL}, {"9999", NULL}, {"1", "a:b"}, {"2", "a:b"}};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        open_fds(1);
        offer(bad[i].count, bad[i].names, true);
        g_assert_null(inherited_fds_new(&error));
        g_assert_nonnull(error);
    }
    offer("1", "a", false); /* meant for another process */
    g_autoptr(InheritedFds) none = inherited_fds_new(NULL);
    g_assert_cmpint(inherited_fds_take(none, "a"), ==, -1);
}

/* What nobody offered is closed; what is missing of the standard three is there, and not a file of the desktop's. */
static void
test_others(void)
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
        g_test_trap_assert_passed();
        return;
    }
    open_fds(2);
    int leaked = fcntl(0, F_DUPFD, 70);
    offer("1", "a", true);
    g_autoptr(InheritedFds) fds = inherited_fds_new(NULL);
    g_assert_nonnull(fds);
    close(0);
    inherited_fds_close_others(fds);
    g_assert_cmpint(fcntl(leaked, F_GETFD), <, 0);
    g_assert_cmpint(fcntl(4, F_GETFD), <, 0);
    g_assert_cmpint(inherited_fds_take(fds, "a"), ==, 3);
    g_assert_cmpint(fcntl(0, F_GETFL) & O_ACCMODE, ==, O_RDWR);
    g_assert_cmpint(open("/dev/null", O_RDONLY), >, 2);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fds/by-name", test_by_name);
    g_test_add_func("/fds/refused", test_refused);
    g_test_add_func("/fds/others", test_others);
    return g_test_run();
}
