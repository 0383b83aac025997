/* SPDX-License-Identifier: Apache-2.0 */
/* Opening KVM: descriptors of the wrong kind, and the real one where there is one. */
#include "vmm/kvm/host.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void
expect_not_kvm(int fd)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(kvm_host_open(fd, &error), ==, -1);
    g_assert_error(error, KVM_ERROR, KVM_ERROR_ABSENT);
    g_assert_nonnull(strstr(error->message, "the inherited descriptor “kvm”"));
    g_assert_null(strchr(error->message, '\n'));
    g_assert_cmpint(fcntl(fd, F_GETFD), <, 0); /* closed */
}

static void
test_wrong_descriptors(void)
{
    int pipe_fds[2];
    expect_not_kvm(open("/dev/null", O_RDWR | O_CLOEXEC));
    expect_not_kvm(eventfd(0, EFD_CLOEXEC));
    expect_not_kvm(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    g_assert_cmpint(pipe2(pipe_fds, O_CLOEXEC), ==, 0);
    expect_not_kvm(pipe_fds[0]);
    expect_not_kvm(pipe_fds[1]);
}

static void
test_the_real_one(void)
{
    g_autoptr(GError) error = NULL;
    g_autofd int fd = kvm_host_open(-1, &error);
    if (fd < 0) {
        g_assert_true(g_error_matches(error, KVM_ERROR, KVM_ERROR_ABSENT) ||
                      g_error_matches(error, KVM_ERROR, KVM_ERROR_LACKING));
        g_test_skip(error->message);
        return;
    }
    g_autofd int inherited = kvm_host_open(fcntl(fd, F_DUPFD_CLOEXEC, 10), &error);
    g_assert_no_error(error);
    g_autofree struct kvm_cpuid2 *cpuid = kvm_host_cpuid(inherited, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cpuid->nent, >, 0);
    if (ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
        for (uint32_t i = 0; i < cpuid->nent; i++)
            g_assert_true(cpuid->entries[i].function != 1 || cpuid->entries[i].ecx & 1u << 24);
    g_autofree struct kvm_msr_list *msrs = kvm_host_msrs(inherited, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(msrs->nmsrs, >, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host/wrong-descriptors", test_wrong_descriptors);
    g_test_add_func("/host/real", test_the_real_one);
    return g_test_run();
}
