/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening KVM: each thing that can be missing has its own message.
 */
#include "vmm/kvm/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <glib/gstdio.h>

G_DEFINE_QUARK(carrel - kvm - error - quark, kvm_error)

/* /dev/kvm: linux/miscdevice.h, which is not for programs */
#define MISC_MAJOR 10
#define KVM_MINOR 232

#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_ENTRIES_MAX 256
#define MSRS_MAX 4096

static const struct {
    int number;
    const char *name;
    const char *what_for;
} needed[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "guest memory"},
    {KVM_CAP_SYNC_MMU, "KVM_CAP_SYNC_MMU", "giving guest memory back"},
    {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS", "guest memory"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", "real mode"},
    {KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR", "real mode"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", "processor features"},
    {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP", "interrupts"},
    {KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING", "interrupts"},
    {KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI", "interrupts"},
    {KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "interrupts"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD", "device queues"},
    {KVM_CAP_IOEVENTFD_NO_LENGTH, "KVM_CAP_IOEVENTFD_NO_LENGTH", "device queues"},
    {KVM_CAP_X2APIC_API, "KVM_CAP_X2APIC_API", "interrupts"},
    {KVM_CAP_PIT2, "KVM_CAP_PIT2", "the timer"},
    {KVM_CAP_PIT_STATE2, "KVM_CAP_PIT_STATE2", "the timer"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "pausing"},
    {KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE", "several processors"},
    {KVM_CAP_ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK", "saving the guest's clock"},
    {KVM_CAP_GET_TSC_KHZ, "KVM_CAP_GET_TSC_KHZ", "saving the guest's clock"},
    {KVM_CAP_XSAVE, "KVM_CAP_XSAVE", "saving processors"},
    {KVM_CAP_XCRS, "KVM_CAP_XCRS", "saving processors"},
    {KVM_CAP_SREGS2, "KVM_CAP_SREGS2", "saving processors"},
    {KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS", "saving processors"},
    {KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS", "saving processors"},
};

void
kvm_set_error(GError **error, int code, const char *what)
{
    g_set_error(error, KVM_ERROR, KVM_ERROR_HOST, "%s: %s", what, g_strerror(code));
}

static int
open_device(GError **error)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    const char *remedy = "";
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
        remedy = ": turn virtualization on in the host's firmware and load kvm_intel or kvm_amd";
    else if (errno == EACCES || errno == EPERM)
        remedy = ": add this user to the group that owns it (kvm), or pass it as an inherited descriptor";
    g_set_error(error, KVM_ERROR, KVM_ERROR_ABSENT, "cannot open /dev/kvm: %s%s", g_strerror(errno), remedy);
    return -1;
}

/* Asks no question in KVM's language before the descriptor is known to be a device of its number. */
static bool
is_kvm(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(MISC_MAJOR, KVM_MINOR);
}

static bool
check(int fd, bool inherited, GError **error)
{
    if (!is_kvm(fd)) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_ABSENT, "%s is not KVM's device (character device %d:%d)",
                    inherited ? "the inherited descriptor “kvm”" : "/dev/kvm", MISC_MAJOR, KVM_MINOR);
        return false;
    }
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING, "this host's KVM has interface version %d, Carrel needs %d",
                    version, KVM_API_VERSION);
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].number) > 0)
            continue;
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING, "this host's KVM lacks %s, needed for %s", needed[i].name,
                    needed[i].what_for);
        return false;
    }
    return true;
}

int
kvm_host_open(int inherited, GError **error)
{
    g_autofd int fd = inherited >= 0 ? inherited : open_device(error);
    if (fd < 0 || !check(fd, inherited >= 0, error))
        return -1;
    return g_steal_fd(&fd);
}

bool
kvm_host_has_smm(int kvm_fd)
{
    return ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) > 0 &&
           ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE) >= 2;
}

/* KVM's LAPIC has a TSC deadline timer whatever the processor has, but many kernels tell so by a capability only. */
static void
add_tsc_deadline(int kvm_fd, struct kvm_cpuid2 *cpuid)
{
    if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) <= 0)
        return;
    for (uint32_t i = 0; i < cpuid->nent; i++)
        if (cpuid->entries[i].function == 1)
            cpuid->entries[i].ecx |= CPUID_1_ECX_TSC_DEADLINE;
}

struct kvm_cpuid2 *
kvm_host_cpuid(int kvm_fd, GError **error)
{
    g_autofree struct kvm_cpuid2 *cpuid =
        g_malloc0(sizeof(*cpuid) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
    cpuid->nent = CPUID_ENTRIES_MAX;
    if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
        kvm_set_error(error, errno, "KVM_GET_SUPPORTED_CPUID");
        return NULL;
    }
    add_tsc_deadline(kvm_fd, cpuid);
    return g_steal_pointer(&cpuid);
}

struct kvm_cpuid2 *
kvm_host_hyperv_cpuid(int kvm_fd)
{
    g_autofree struct kvm_cpuid2 *cpuid =
        g_malloc0(sizeof(*cpuid) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
    cpuid->nent = CPUID_ENTRIES_MAX;
    if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SYS_HYPERV_CPUID) <= 0 ||
        ioctl(kvm_fd, KVM_GET_SUPPORTED_HV_CPUID, cpuid) < 0)
        return NULL;
    return g_steal_pointer(&cpuid);
}

struct kvm_msr_list *
kvm_host_msrs(int kvm_fd, GError **error)
{
    g_autofree struct kvm_msr_list *list = g_malloc0(sizeof(*list) + MSRS_MAX * sizeof(list->indices[0]));
    list->nmsrs = MSRS_MAX;
    if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
        kvm_set_error(error, errno, "KVM_GET_MSR_INDEX_LIST");
        return NULL;
    }
    return g_steal_pointer(&list);
}
