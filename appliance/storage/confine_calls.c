/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What qemu-img needs to read one file and write another: seen with strace for each format, and what its libraries take
 * instead where that fails. No sockets, no processes, no rings, no keys, no mounts; a call that is not listed gets ENOSYS, for
 * which programs have another way or an error.
 */
#include "appliance/storage/confine_calls.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>

static const char *const allowed[] = {
    /* files, those that can be seen */
    "access",
    "close",
    "copy_file_range",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fallocate",
    "fcntl",
    "fdatasync",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "lseek",
    "lstat",
    "newfstatat",
    "open",
    "openat",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "stat",
    "statfs",
    "statx",
    "sync_file_range",
    "umask",
    "write",
    "writev",
    /* waiting */
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd2",
    "gettimeofday",
    "nanosleep",
    "pipe2",
    "poll",
    "ppoll",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    /* memory and threads */
    "arch_prctl",
    "brk",
    "exit",
    "exit_group",
    "futex",
    "madvise",
    "membarrier",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "tgkill",
    /* about itself */
    "execve",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "getrlimit",
    "getrusage",
    "gettid",
    "getuid",
    "prctl",
    "prlimit64",
    "sysinfo",
    "uname",
};

/* Of a volume: its size, its sectors, room given back. */
static const unsigned requests[] = {BLKGETSIZE64, BLKROGET,   BLKSECTGET, BLKSSZGET,
                                    BLKPBSZGET,   BLKDISCARD, BLKZEROOUT, FS_IOC_FIEMAP};

static int
fill(scmp_filter_ctx filter)
{
    int status = 0;

    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed) && status == 0; i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(allowed[i]), 0);
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests) && status == 0; i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, requests[i]));
    /* Threads, never a process; clone3's flags cannot be looked at, and the C library then takes clone. */
    if (status == 0)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    return status == 0 ? seccomp_load(filter) : status;
}

int
confine_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int status = filter ? fill(filter) : -ENOMEM;

    if (filter)
        seccomp_release(filter);
    errno = -status;
    return status < 0 ? -1 : 0;
}
