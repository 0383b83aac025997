/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call that carrel-vmm makes once a guest may run, by thread role. All others end the process.
 *
 * The root is empty, the network namespace has no interface, and there is one user without capabilities; the filters keep
 * the kernel's own attack surface small. To add a call: put it into the narrowest list, and say who makes it.
 */
#include "vmm/sandbox/filters.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define IOCTL_TYPE_MASK 0xff00u
#define IOCTL_KVM 0xae00u   /* linux/kvm.h, KVMIO */
#define IOCTL_VHOST 0xaf00u /* linux/vhost.h, VHOST_VIRTIO */
#define IOCTL_TUN 0x5400u   /* linux/if_tun.h, and FIONREAD and friends of asm-generic/ioctls.h */

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
    {"tgkill"}, /* abort(), and kicking a vCPU; the PID namespace holds nobody else */
    {NULL},
};

/* Event descriptors, and the data of descriptors that are open already. */
static const FilterCall events[] = {
    {"epoll_ctl"}, {"epoll_pwait"}, {"epoll_pwait2"}, {"epoll_wait"}, {"eventfd2"}, {"fcntl"},
    {"poll"},      {"ppoll"},       {"read"},         {"readv"},      {"write"},    {"writev"},
    {"fstat"},     {"newfstatat"},  {"statx"},        {"lseek"},      {NULL},
};

/* Interrupts where no eventfd stands for them: lines, and configuration changes. */
static const FilterCall interrupts[] = {
    {"ioctl", 2, ~0u, KVM_IRQ_LINE},
    {"ioctl", 2, ~0u, KVM_SIGNAL_MSI},
    {NULL},
};

/* A vCPU: KVM, kicking I/O threads, discarding ballooned pages. */
static const FilterCall vcpu[] = {
    {"ioctl", 2, IOCTL_TYPE_MASK, IOCTL_KVM}, {"fallocate"}, {"rt_sigaction"}, {"rt_sigtimedwait"}, {NULL},
};

/* Disks and network cards; a vCPU that resets a card has this thread stop its vhost queues. */
static const FilterCall io[] = {
    {"fallocate"},
    {"fdatasync"},
    {"io_uring_enter"},
    {"io_uring_register"},
    {"ioctl", 2, IOCTL_TYPE_MASK, IOCTL_VHOST},
    {"ioctl", 2, IOCTL_TYPE_MASK, IOCTL_TUN},
    {"pread64"},
    {"preadv"},
    {"pwrite64"},
    {"pwritev2"},
    {"recvfrom"},
    {"sendmsg"},
    {NULL},
};

/* The main loop and what libraries start from it: control and SPICE connections, saving, starting the other threads. */
static const FilterCall main_loop[] = {
    {"accept"},
    {"accept4"},
    {"clone", 1, CLONE_THREAD, CLONE_THREAD}, /* threads, never a process */
    {"clone3", .error = ENOSYS},  /* its flags lie in memory, where no filter can look; glibc then takes clone */
    {"connect", .error = EACCES}, /* syslog() in libsasl2, which lives without */
    {"dup"},
    {"dup3"},
    {"epoll_create1"},
    {"fchmod"},
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
    {"io_uring_setup"},
    {"ioctl", 2, ~0u, BLKGETSIZE64}, /* a disk that is a block device, at start and when it grows */
    {"ioctl", 2, ~0u, BLKPBSZGET},
    {"ioctl", 2, ~0u, BLKSSZGET},
    {"ioctl", 2, IOCTL_TYPE_MASK, IOCTL_KVM},
    {"ioctl", 2, IOCTL_TYPE_MASK, IOCTL_VHOST},
    {"ioctl", 2, IOCTL_TYPE_MASK, IOCTL_TUN},
    {"listen"},
    {"memfd_create"},
    {"openat"}, /* libraries look for files; the empty root has none */
    {"pipe2"},
    {"prctl", 1, ~0ull, PR_SET_NAME},
    {"prctl", 1, ~0ull, PR_SET_SECCOMP},
    {"prctl", 1, ~0ull, PR_SET_TIMERSLACK},
    {"prlimit64"},
    {"readlink"},
    {"recvmmsg"},
    {"recvmsg"},
    {"rt_sigaction"},
    {"rt_sigtimedwait"},
    {"sched_get_priority_max"},
    {"sched_get_priority_min"},
    {"sched_getparam"},
    {"sched_getscheduler"},
    {"sched_setscheduler"},
    {"seccomp"},
    {"sendmmsg"},
    {"sendto"},
    {"set_tid_address"},
    {"setsockopt"},
    {"shutdown"},
    {"signalfd4"},
    {"socket", 1, ~0ull, AF_UNIX},
    {"socketpair"},
    {"sysinfo"},
    {"timerfd_create"},
    {"timerfd_settime"},
    {"uname"},
    {"wait4"},
    {"waitid"},
    {NULL},
};

const FilterCall *const sandbox_filter_calls[SANDBOX_N_ROLES][7] = {
    [SANDBOX_ROLE_MAIN] = {basic, events, vcpu, io, main_loop},
    [SANDBOX_ROLE_VCPU] = {basic, events, vcpu},
    [SANDBOX_ROLE_IO] = {basic, events, interrupts, io},
    [SANDBOX_ROLE_DISPLAY] = {basic, events, interrupts},
};
