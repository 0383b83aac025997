/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call that carrel-vmm makes once it is in its sandbox, by thread role. All others end the process.
 *
 * The root is empty, the network namespace has no interface, and there is one user without capabilities; the filters keep
 * the kernel's own attack surface small, and stand alone where the host allows no namespaces. Filters add up: the main thread
 * makes the desktop under SET_UP, then takes MAIN for good, before libraries start threads and long before the guest runs.
 * So what only SET_UP may do (a ring without restrictions, a virtual machine) nobody can do any more once a guest runs.
 * To add a call: put it into the narrowest list, and say who makes it.
 */
#include "vmm/sandbox/filters.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <linux/usbdevice_fs.h>
#include <linux/vhost.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SOCKET_TYPE_MASK 0xfu /* of socket(2)'s second argument, less its flags */
#define IOCTL_TYPE_MASK 0xff00u
#define IOCTL_KVM 0xae00u /* linux/kvm.h, KVMIO */

/* A request number is an unsigned int, whatever else is in the register. */
#define IOCTL(request) {"ioctl", 2, ~0u, request}
#define FCNTL(command) {"fcntl", 2, ~0u, command}

/* What any thread needs to run at all: memory, locks, time, signals' return, its end. */
static const FilterCall basic[] = {
    {"brk"},
    {"clock_gettime"},
    {"clock_nanosleep"},
    {"close"},
    {"exit"},
    {"exit_group"},
    {"futex"},
    {"getpid"},
    {"getrandom"},
    {"gettid"},
    {"gettimeofday"},
    {"madvise"},
    {"mmap", 3, PROT_EXEC, 0}, /* never a new executable page */
    {"mprotect", 3, PROT_EXEC, 0},
    {"mremap"},
    {"munmap"},
    {"nanosleep"},
    {"prctl", 1, ~0ull, PR_GET_NAME}, /* the line about a forbidden call */
    {"restart_syscall"},
    {"rseq"},
    {"rt_sigprocmask"},
    {"rt_sigreturn"},
    {"sched_getaffinity"},
    {"sched_yield"},
    {"set_robust_list"},
    {"sigaltstack"},
    {"tgkill", 1, ~0u, FILTER_OWN_PID}, /* abort(), and kicking a vCPU; never another process */
    {NULL},
};

/* Event descriptors, and the data of descriptors that are open already. */
static const FilterCall events[] = {
    {"epoll_ctl"}, {"epoll_pwait"}, {"epoll_pwait2"}, {"epoll_wait"}, {"eventfd2"}, {"fstat"},  {"lseek"},
    {"poll"},      {"ppoll"},       {"read"},         {"readv"},      {"write"},    {"writev"}, {NULL},
};

/* Interrupts where no eventfd stands for them: lines, and configuration changes. */
static const FilterCall interrupts[] = {
    IOCTL(KVM_IRQ_LINE),
    IOCTL(KVM_SIGNAL_MSI),
    {NULL},
};

/* A vCPU: the guest itself, doorbells and message routes that it moves, ballooned pages. */
static const FilterCall vcpu[] = {
    IOCTL(KVM_RUN),       IOCTL(KVM_GET_REGS), /* where it was, for the line about a guest that cannot go on */
    IOCTL(KVM_IRQFD),     IOCTL(KVM_SET_GSI_ROUTING),
    IOCTL(KVM_IOEVENTFD), IOCTL(KVM_SET_USER_MEMORY_REGION), /* the host bridge's registers, flash */
    IOCTL(KVM_SMI),       {"fallocate"},
    {"fdatasync"}, /* UEFI's variables, as the next */
    {"pwrite64"},         {"rt_sigaction"},
    {"rt_sigtimedwait"},  {NULL},
};

/* Disks and network cards; a vCPU that resets a card has the I/O thread stop its vhost queues. */
static const FilterCall io[] = {
    {"fallocate"},
    {"fdatasync"},
    IOCTL(TUNSETOFFLOAD),
    IOCTL(TUNSETQUEUE),
    IOCTL(VHOST_GET_FEATURES),
    IOCTL(VHOST_GET_VRING_BASE),
    IOCTL(VHOST_NET_SET_BACKEND),
    IOCTL(VHOST_SET_FEATURES),
    IOCTL(VHOST_SET_MEM_TABLE),
    IOCTL(VHOST_SET_OWNER),
    IOCTL(VHOST_SET_VRING_ADDR),
    IOCTL(VHOST_SET_VRING_BASE),
    IOCTL(VHOST_SET_VRING_CALL),
    IOCTL(VHOST_SET_VRING_ERR),
    IOCTL(VHOST_SET_VRING_KICK),
    IOCTL(VHOST_SET_VRING_NUM),
    {"pread64"},
    {"preadv"},
    {"pwrite64"},
    {"pwritev2"},
    {"recvfrom"},
    {"sendmsg"},
    {NULL},
};

/* The I/O thread's ring, which is restricted to the operations of block/ and net/ (vmm/block/io_thread.h). */
static const FilterCall ring[] = {
    {"io_uring_enter"},
    {"io_uring_register"},
    {NULL},
};

/* What a machine is, read and written back: saving, resets, and loading, which makes processors what the saved ones were. */
static const FilterCall machine[] = {
    IOCTL(KVM_CHECK_EXTENSION),    IOCTL(KVM_ENABLE_CAP),
    IOCTL(KVM_GET_CLOCK),          IOCTL(KVM_GET_DEBUGREGS),
    IOCTL(KVM_GET_IRQCHIP),        IOCTL(KVM_GET_LAPIC),
    IOCTL(KVM_GET_MP_STATE),       IOCTL(KVM_GET_MSRS),
    IOCTL(KVM_GET_MSR_INDEX_LIST), IOCTL(KVM_GET_PIT2),
    IOCTL(KVM_GET_SREGS),          IOCTL(KVM_GET_SREGS2),
    IOCTL(KVM_GET_TSC_KHZ),        IOCTL(KVM_GET_VCPU_EVENTS),
    IOCTL(KVM_GET_XCRS),           IOCTL(KVM_GET_XSAVE),
    IOCTL(KVM_GET_XSAVE2),         IOCTL(KVM_KVMCLOCK_CTRL),
    IOCTL(KVM_SET_CLOCK),          IOCTL(KVM_SET_CPUID2),
    IOCTL(KVM_SET_DEBUGREGS),      IOCTL(KVM_SET_IRQCHIP),
    IOCTL(KVM_SET_LAPIC),          IOCTL(KVM_SET_MP_STATE),
    IOCTL(KVM_SET_MSRS),           IOCTL(KVM_SET_PIT2),
    IOCTL(KVM_SET_REGS),           IOCTL(KVM_SET_SREGS),
    IOCTL(KVM_SET_SREGS2),         IOCTL(KVM_SET_TSC_KHZ),
    IOCTL(KVM_SET_VCPU_EVENTS),    IOCTL(KVM_SET_XCRS),
    IOCTL(KVM_SET_XSAVE),          {NULL},
};

/*
 * Libraries look for files (configuration, character sets, time zones) and log to syslog. The empty root has none of it;
 * where the host does not allow one, this is the same answer.
 */
static const FilterCall outside[] = {
    {"access", .error = ENOENT},    {"connect", .error = EACCES},
    {"faccessat", .error = ENOENT}, {"faccessat2", .error = ENOENT},
    {"lstat", .error = ENOENT},     {"newfstatat", .error = ENOENT},
    {"open", .error = ENOENT},      {"openat", .error = ENOENT},
    {"readlink", .error = ENOENT},  {"socket", .error = EACCES},
    {"stat", .error = ENOENT},      {"statfs", .error = ENOENT},
    {"statx", .error = ENOENT},     {NULL},
};

/* The main loop and what libraries start from it: control and SPICE connections, saving, starting the other threads. */
static const FilterCall main_loop[] = {
    {"accept"},
    {"accept4"},
    {"clone", 1, CLONE_THREAD, CLONE_THREAD}, /* threads, never a process */
    {"clone3", .error = ENOSYS}, /* its flags lie in memory, where no filter can look; glibc then takes clone */
    {"dup"},
    {"dup3"},
    {"epoll_create1"},
    FCNTL(F_DUPFD_CLOEXEC), /* and no F_SETOWN: a descriptor can send any signal to its owner */
    FCNTL(F_GETFD),
    FCNTL(F_GETFL),
    FCNTL(F_OFD_SETLK), /* the lock of a disk, and of a disc that is inserted */
    FCNTL(F_SETFD),
    FCNTL(F_SETFL),
    {"fstatfs"},
    {"fsync"},
    {"ftruncate"},
    {"getegid"},
    {"geteuid"},
    {"getgid"},
    {"getpeername"},
    {"getppid"}, /* GLib seeds its random numbers with it where there is no /dev */
    {"getrusage"},
    {"getsockname"},
    {"getsockopt"},
    {"getuid"},
    IOCTL(BLKGETSIZE64), /* a disk that is a block device, when it is made and when it grows; a disc that is put in */
    IOCTL(BLKPBSZGET),
    IOCTL(BLKSSZGET),
    IOCTL(FIONREAD),
    IOCTL(SIOCOUTQ), /* a SPICE client that does not read */
    IOCTL(TCGETS),
    IOCTL(TCSETSW), /* the terminal, put back at the end; nothing that types into it */
    {"pipe2"},
    {"prctl", 1, ~0ull, PR_SET_NAME},
    {"prctl", 1, ~0ull, PR_SET_SECCOMP},             /* other threads take their roles */
    {"prlimit64", 1, ~0u, 0, .also = {3, ~0ull, 0}}, /* our own, and only to look */
    {"recvmmsg"},
    {"recvmsg"},
    {"sendmmsg"},
    {"sendto"},
    {"setsockopt"},
    {"shutdown"},
    {"signalfd4"},
    {"socketpair", 1, ~0u, AF_UNIX, .also = {2, SOCKET_TYPE_MASK, SOCK_STREAM}}, /* one end stands in for a client */
    {"sysinfo"},
    {"timerfd_create"},
    {"timerfd_settime"},
    {"uname"},
    {NULL},
};

/* Transfers of the host's devices: the USB thread's, and those that a vCPU rings for. */
static const FilterCall usb_transfers[] = {
    IOCTL(USBDEVFS_DISCARDURB),
    IOCTL(USBDEVFS_SUBMITURB),
    {NULL},
};

/*
 * Devices of the host, whose nodes were opened outside: libusb's other calls, on the USB thread and on the one for what blocks.
 * The main thread makes none; but filters add up, and it starts that one.
 */
static const FilterCall usb_host[] = {
    IOCTL(USBDEVFS_ALLOC_STREAMS),
    IOCTL(USBDEVFS_CLAIMINTERFACE),
    IOCTL(USBDEVFS_CLEAR_HALT),
    IOCTL(USBDEVFS_CONNECTINFO),
    IOCTL(USBDEVFS_CONTROL),
    IOCTL(USBDEVFS_DISCONNECT_CLAIM),
    IOCTL(USBDEVFS_FREE_STREAMS),
    IOCTL(USBDEVFS_GETDRIVER),
    IOCTL(USBDEVFS_GET_CAPABILITIES),
    IOCTL(USBDEVFS_GET_SPEED),
    IOCTL(USBDEVFS_IOCTL), /* giving an interface back to the host's drivers */
    IOCTL(USBDEVFS_REAPURBNDELAY),
    IOCTL(USBDEVFS_RELEASEINTERFACE),
    IOCTL(USBDEVFS_RESET),
    IOCTL(USBDEVFS_SETCONFIGURATION),
    IOCTL(USBDEVFS_SETINTERFACE),
    {NULL},
};

/* A stick that is pulled out: what was written is on stable storage before its file is closed. */
static const FilterCall stick[] = {{"fdatasync"}, {NULL}};

/* While the desktop is made, and never again. */
static const FilterCall set_up[] = {
    FCNTL(F_ADD_SEALS), {"ioctl", 2, IOCTL_TYPE_MASK, IOCTL_KVM},
    {"io_uring_setup"}, {"listen"},
    {"memfd_create"},   {NULL},
};

const FilterCall *const sandbox_filter_calls[SANDBOX_N_ROLES][FILTER_LISTS_MAX + 1] = {
    [SANDBOX_ROLE_SET_UP] = {basic, events, interrupts, vcpu, io, ring, machine, outside, main_loop, usb_transfers,
                             usb_host, set_up},
    [SANDBOX_ROLE_MAIN] = {basic, events, interrupts, vcpu, io, machine, outside, main_loop, usb_transfers, usb_host},
    [SANDBOX_ROLE_VCPU] = {basic, events, interrupts, vcpu, usb_transfers},
    [SANDBOX_ROLE_IO] = {basic, events, interrupts, io, ring},
    [SANDBOX_ROLE_DISPLAY] = {basic, events, interrupts},
    [SANDBOX_ROLE_USB] = {basic, events, interrupts, outside, usb_transfers, usb_host, stick},
};
