/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carrel-confine: runs a program on files that may be hostile. It has /usr to read, and the files it is given; a user and
 * namespaces of its own, no network, no privileges, no other process to see, few system calls, limits, and AppArmor's
 * profile carrel-import.
 *
 *     carrel-confine UID READ-FD WRITE-FD FILE-SIZE PROGRAM [ARGUMENT...]
 *
 * The file that READ-FD is open on is /in there, that of WRITE-FD is /out (-1: there is none): the program may open them, and no
 * others. FILE-SIZE is the most that any file may grow to, in bytes. Exits with the program's status, 126 when it could not
 * be confined, which it then says.
 *
 * A program of its own, since carreld has threads, after whose fork little may be done. Ends with whoever started it.
 */
#include "appliance/apparmor/apparmor.h"
#include "appliance/storage/confine_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 126
#define MEMORY (UINT64_C(2) << 30)
#define CPU_SECONDS (4 * 3600)
#define OPEN_FILES 64

static _Noreturn void
fail(const char *what)
{
    fprintf(stderr, "carrel-confine: cannot %s: %s\n", what, strerror(errno));
    exit(CANNOT);
}

/* ---- the root ---- */

/* Where a library may be: links into /usr on a Debian of today. */
static const char *const library_links[] = {"lib", "lib64", "bin", "sbin"};

static void
link_libraries(void)
{
    for (size_t i = 0; i < sizeof(library_links) / sizeof(*library_links); i++) {
        char target[32];
        snprintf(target, sizeof(target), "usr/%s", library_links[i]);
        if (symlink(target, library_links[i]) < 0)
            fail("make the links to libraries");
    }
}

/* What the program gets: a mount of one file, or a volume's number. */
typedef struct {
    int tree;     /* -1: no file */
    dev_t volume; /* 0: no volume */
} Given;

/* While we are still in the namespace that the file was opened in. */
static Given
take(int fd)
{
    Given given = {-1, 0};
    struct stat is;

    if (fd < 0)
        return given;
    if (fstat(fd, &is) < 0)
        fail("look at the file");
    if (S_ISBLK(is.st_mode))
        given.volume = is.st_rdev;
    else if ((given.tree = (int)syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) <
             0)
        fail("take the file");
    return given;
}

static void
put_file(int tree, const char *name, uint64_t attributes)
{
    struct mount_attr set = {.attr_set = attributes | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV};
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &set, sizeof(set)) < 0 ||
        syscall(SYS_move_mount, tree, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        fail("put the file in place");
    close(fd);
}

/* A file belongs to the user already; a volume gets a node of its own, so that the host's stays root's. */
static void
put(Given given, const char *name, bool writing, uid_t uid)
{
    if (given.tree >= 0)
        put_file(given.tree, name, writing ? 0 : MOUNT_ATTR_RDONLY);
    else if (given.volume &&
             (mknod(name, S_IFBLK | (writing ? 0600 : 0400), given.volume) < 0 || chown(name, uid, uid) < 0))
        fail("put the volume in place");
}

static void
make_root(Given in, Given out, uid_t uid)
{
    unsigned long hard = MS_NOSUID | MS_NOEXEC;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/tmp", "tmpfs", hard, "size=64k,mode=0755") < 0 || chdir("/tmp") < 0)
        fail("make an empty root");
    if (mkdir("usr", 0755) < 0 || mount("/usr", "usr", NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, "usr", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
        fail("give it /usr to read");
    link_libraries();
    put(in, "in", false, uid);
    put(out, "out", true, uid);
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | hard, NULL) < 0 || chdir("/") < 0)
        fail("take the host's root away");
}

/* ---- limits and privileges ---- */

static void
limit(int what, uint64_t to)
{
    struct rlimit both = {to, to};

    if (setrlimit(what, &both) < 0)
        fail("set a limit");
}

static void
set_limits(uint64_t file_size)
{
    limit(RLIMIT_AS, MEMORY);
    limit(RLIMIT_CPU, CPU_SECONDS);
    limit(RLIMIT_FSIZE, file_size);
    limit(RLIMIT_NOFILE, OPEN_FILES);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_MEMLOCK, 0);
}

static void
drop_privileges(uid_t uid)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};

    for (int capability = 0; capability <= 63; capability++)
        if (prctl(PR_CAPBSET_DROP, capability) < 0 && errno == EINVAL)
            break; /* past the last one the kernel knows */
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
        syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail("give up privileges");
}

/* Ends with its parent; also if that ended just before. */
static void
follow(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        exit(CANNOT);
}

/* ---- the two processes ---- */

/* The first of the PID namespace: everything in it ends with this one. */
static _Noreturn void
run(uid_t uid, uint64_t file_size, Given in, Given out, char **words)
{
    char locale[] = "LC_ALL=C.UTF-8", *const environment[] = {locale, NULL};
    int on_exec = apparmor_open_on_exec(); /* there is no /proc in the new root */

    make_root(in, out, uid);
    set_limits(file_size);
    drop_privileges(uid);
    prctl(PR_SET_PDEATHSIG,
          SIGKILL); /* again: the kernel forgets it with the user. Its parent is seen as 0 from here */
    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    apparmor_on_exec(on_exec, APPARMOR_IMPORT);
    if (confine_calls() < 0)
        fail("limit its system calls");
    execve(words[0], words, environment);
    fail(words[0]);
}

static int
status_of(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            fail("wait for the program");
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "it was ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: carrel-confine UID READ-FD WRITE-FD FILE-SIZE PROGRAM [ARGUMENT...]\n");
        return CANNOT;
    }
    follow(getppid());
    uid_t uid = (uid_t)strtoul(argv[1], NULL, 10);
    Given in = take(atoi(argv[2])), out = take(atoi(argv[3]));
    if (uid == 0) {
        fprintf(stderr, "carrel-confine: not as root\n");
        return CANNOT;
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) < 0)
        fail("have namespaces");
    pid_t child = fork();
    if (child < 0)
        fail("start a process");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(uid, strtoull(argv[4], NULL, 10), in, out, argv + 5);
    }
    return status_of(child);
}
