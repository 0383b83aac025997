/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM tried by what it is for: a guest in real mode that writes a byte to a port and halts. A /dev/kvm alone proves nothing.
 */
#include "appliance/command/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define KVM_API 12 /* for ever */
#define MEMORY 0x4000
#define ENTRY 0x1000
#define PORT 0x10
#define ANSWER 42
#define SECONDS 10 /* then it does not run, whatever it does */

/* mov $ANSWER, %al; out %al, $PORT; hlt */
static const uint8_t code[] = {0xb0, ANSWER, 0xe6, PORT, 0xf4};

typedef struct {
    int kvm, vm, vcpu;
    uint8_t *memory;
    struct kvm_run *run;
    int run_size;
} Guest;

static void
guest_clear(Guest *guest)
{
    if (guest->run)
        munmap(guest->run, guest->run_size);
    if (guest->memory)
        munmap(guest->memory, MEMORY);
    for (int *fd = &guest->kvm; fd <= &guest->vcpu; fd++)
        if (*fd >= 0)
            close(*fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Guest, guest_clear)

static void
bad(DoctorFinding *finding, char *found, const char *remedy)
{
    finding->grade = DOCTOR_BAD;
    finding->found = found;
    finding->remedy = g_strdup(remedy);
}

static bool
open_kvm(Guest *guest, DoctorFinding *finding)
{
    guest->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (guest->kvm >= 0)
        return true;
    if (errno == ENOENT || errno == ENODEV)
        bad(finding, g_strdup("there is no /dev/kvm"),
            "load kvm_intel or kvm_amd; if that fails, switch virtualization on in the machine's firmware setup (Intel "
            "VT-x, AMD "
            "SVM), or in the hypervisor where the host is itself a guest");
    else
        bad(finding, g_strdup_printf("/dev/kvm cannot be opened: %s", g_strerror(errno)), "run this as root");
    return false;
}

static bool
make(Guest *guest)
{
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY};
    struct kvm_sregs segments;
    struct kvm_regs registers = {.rip = ENTRY, .rflags = 2};

    if (ioctl(guest->kvm, KVM_GET_API_VERSION, 0) != KVM_API || (guest->vm = ioctl(guest->kvm, KVM_CREATE_VM, 0)) < 0)
        return false;
    guest->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (guest->memory == MAP_FAILED) {
        guest->memory = NULL;
        return false;
    }
    memcpy(guest->memory + ENTRY, code, sizeof(code));
    region.userspace_addr = (uintptr_t)guest->memory;
    guest->run_size = ioctl(guest->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (ioctl(guest->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ||
        (guest->vcpu = ioctl(guest->vm, KVM_CREATE_VCPU, 0)) < 0 || guest->run_size < (int)sizeof(*guest->run))
        return false;
    guest->run = mmap(NULL, guest->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu, 0);
    if (guest->run == MAP_FAILED) {
        guest->run = NULL;
        return false;
    }
    if (ioctl(guest->vcpu, KVM_GET_SREGS, &segments) < 0)
        return false;
    segments.cs.base = segments.cs.selector = 0;
    return ioctl(guest->vcpu, KVM_SET_SREGS, &segments) == 0 && ioctl(guest->vcpu, KVM_SET_REGS, &registers) == 0;
}

static void
on_alarm(int number)
{
}

/* What the guest wrote; -1: it did not come so far, and *reason says why it left. */
static int
run(Guest *guest, unsigned *reason)
{
    const struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART: it ends KVM_RUN */
    struct sigaction before;
    int wrote = -1;

    sigaction(SIGALRM, &action, &before);
    alarm(SECONDS);
    *reason = KVM_EXIT_UNKNOWN;
    if (ioctl(guest->vcpu, KVM_RUN, 0) == 0) {
        *reason = guest->run->exit_reason;
        if (*reason == KVM_EXIT_IO && guest->run->io.port == PORT && guest->run->io.direction == KVM_EXIT_IO_OUT)
            wrote = *((uint8_t *)guest->run + guest->run->io.data_offset);
    }
    /* And it goes on: to its halt. */
    if (wrote >= 0 && (ioctl(guest->vcpu, KVM_RUN, 0) < 0 || guest->run->exit_reason != KVM_EXIT_HLT)) {
        *reason = guest->run->exit_reason;
        wrote = -1;
    }
    alarm(0);
    sigaction(SIGALRM, &before, NULL);
    return wrote;
}

/* What carrel-vmm cannot do without. */
static const char *
missing(int kvm)
{
    static const struct {
        int capability;
        const char *name;
    } needed[] = {{KVM_CAP_IRQCHIP, "interrupt controllers"},
                  {KVM_CAP_IOEVENTFD, "ioeventfd"},
                  {KVM_CAP_IRQFD, "irqfd"},
                  {KVM_CAP_USER_MEMORY, "memory slots"}};

    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
        if (ioctl(kvm, KVM_CHECK_EXTENSION, needed[i].capability) <= 0)
            return needed[i].name;
    return NULL;
}

void
doctor_look_kvm(DoctorFinding *finding)
{
    g_auto(Guest) guest = {-1, -1, -1};
    const char *lacks;
    unsigned reason;

    if (!open_kvm(&guest, finding))
        return;
    if (!make(&guest)) {
        bad(finding, g_strdup_printf("KVM makes no virtual machine: %s", g_strerror(errno)),
            "another hypervisor may hold the processor: unload it (lsmod), or look into dmesg");
        return;
    }
    if (run(&guest, &reason) != ANSWER) {
        bad(finding, g_strdup_printf("a guest does not run (exit %u)", reason),
            "look into dmesg for what KVM says; where the host is itself a guest, its hypervisor has to offer nested "
            "virtualization");
        return;
    }
    lacks = missing(guest.kvm);
    if (lacks) {
        bad(finding, g_strdup_printf("KVM has no %s", lacks), "use a kernel of Debian 12 or later");
        return;
    }
    finding->found = g_strdup("a guest ran");
    if (ioctl(guest.kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) > 0)
        return;
    finding->grade = DOCTOR_WARNING;
    finding->remedy = g_strdup("desktops cannot have Secure Boot here: KVM offers no system management mode");
}
