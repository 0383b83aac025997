/* SPDX-License-Identifier: Apache-2.0 */
/* What of a machine can be read off, beside KVM itself. */
#include "appliance/command/doctor/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#define STATE "/var/lib/carrel"
#define PORT 443
#define GIB (UINT64_C(1) << 30)
#define MEMORY_LITTLE (4 * GIB)
#define DISK_LITTLE (20 * GIB)

void
doctor_finding_clear(DoctorFinding *finding)
{
    g_free(finding->found);
    g_free(finding->remedy);
    *finding = (DoctorFinding){0};
}

static void
say(DoctorFinding *finding, DoctorGrade grade, char *found, const char *remedy)
{
    finding->grade = grade;
    finding->found = found;
    finding->remedy = g_strdup(remedy);
}

static char *
read_all(const char *path)
{
    g_autofree char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? g_steal_pointer(&text) : g_strdup("");
}

uint64_t
doctor_meminfo(const char *text, const char *name)
{
    g_autofree char *begin = g_strdup_printf("%s:", name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (g_str_has_prefix(line, begin))
            return g_ascii_strtoull(line + strlen(begin), NULL, 10);
    }
    return 0;
}

bool
doctor_cpu_flag(const char *text, const char *flag)
{
    const char *flags = strstr(text, "\nflags");
    size_t len = strlen(flag);

    if (!flags)
        return false;
    const char *end = strchrnul(flags + 1, '\n');
    for (const char *at = flags; (at = strstr(at, flag)) && at < end; at += len)
        if (g_ascii_isspace(at[-1]) && (!at[len] || g_ascii_isspace(at[len])))
            return true;
    return false;
}

void
doctor_look_processor(DoctorFinding *finding)
{
    g_autofree char *text = read_all("/proc/cpuinfo");
    const char *has = doctor_cpu_flag(text, "vmx") ? "Intel VT-x" : doctor_cpu_flag(text, "svm") ? "AMD SVM" : NULL;
    unsigned n = g_get_num_processors();

    if (!has)
        say(finding, DOCTOR_WARNING, g_strdup_printf("%u, without virtualization that shows", n),
            "desktops are slow, or do not run: switch it on in the machine's firmware setup, or in the hypervisor "
            "where the host is "
            "itself a guest");
    else if (doctor_cpu_flag(text, "hypervisor"))
        say(finding, DOCTOR_WARNING, g_strdup_printf("%u with %s, virtual ones", n, has),
            "the host is itself a guest: good for trying, slower than a machine of its own");
    else
        say(finding, DOCTOR_FINE, g_strdup_printf("%u with %s", n, has), NULL);
}

bool
doctor_profile_enforced(const char *text, const char *profile)
{
    g_autofree char *line = g_strdup_printf("%s (enforce)", profile);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    return g_strv_contains((const char *const *)lines, line);
}

void
doctor_look_apparmor(DoctorFinding *finding)
{
    static const char *const ours[] = {"carrel-vmm", "carrel-tpm", "carrel-import", "carrel-web"};
    g_autofree char *enabled = read_all("/sys/module/apparmor/parameters/enabled");
    g_autofree char *profiles = read_all("/sys/kernel/security/apparmor/profiles");
    g_autoptr(GString) missing = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
        if (!doctor_profile_enforced(profiles, ours[i]))
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", ours[i]);
    if (*enabled != 'Y')
        say(finding, DOCTOR_WARNING, g_strdup("this kernel does not use it"),
            "desktops are held by namespaces and system call filters alone: boot with apparmor=1 security=apparmor");
    else if (geteuid() != 0)
        say(finding, DOCTOR_WARNING, g_strdup("only root sees what it holds"), "run this as root");
    else if (missing->len)
        say(finding, DOCTOR_WARNING, g_strdup_printf("not in force: %s", missing->str),
            "apt-get install apparmor; systemctl restart carrel-apparmor; what runs is held from its next start");
    else
        say(finding, DOCTOR_FINE, g_strdup("desktops, imports and the web server are held by it"), NULL);
}

void
doctor_look_memory(DoctorFinding *finding)
{
    g_autofree char *text = read_all("/proc/meminfo");
    uint64_t all = doctor_meminfo(text, "MemTotal") * 1024, available = doctor_meminfo(text, "MemAvailable") * 1024;
    g_autofree char *has = g_format_size_full(all, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *left = g_format_size_full(available, G_FORMAT_SIZE_IEC_UNITS);
    bool little = available < MEMORY_LITTLE;

    say(finding, little ? DOCTOR_WARNING : DOCTOR_FINE, g_strdup_printf("%s, %s available", has, left),
        little ? "a desktop of today's needs some 4 GiB: stop what else runs, or add memory" : NULL);
}

void
doctor_look_huge_pages(DoctorFinding *finding)
{
    g_autofree char *text = read_all("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    const char *begin = strchr(text, '['), *end = begin ? strchr(begin, ']') : NULL;
    g_autofree char *setting = end ? g_strndup(begin + 1, end - begin - 1) : NULL;
    bool used = setting && strcmp(setting, "never") && strcmp(setting, "deny");

    say(finding, used ? DOCTOR_FINE : DOCTOR_WARNING,
        g_strdup_printf("transparent ones for shared memory: %s", setting ? setting : "the kernel has none"),
        used ? NULL
             : "desktops run somewhat faster with them: echo advise > "
               "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
}

/* The folder itself or, before the first start, the nearest that there is. */
static char *
state_folder(void)
{
    char *path = g_strdup(STATE);

    while (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        char *parent = g_path_get_dirname(path);
        g_free(path);
        path = parent;
    }
    return path;
}

void
doctor_look_disk(DoctorFinding *finding)
{
    g_autofree char *path = state_folder();
    struct statvfs status;

    if (statvfs(path, &status) < 0) {
        say(finding, DOCTOR_BAD, g_strdup_printf("%s: %s", path, g_strerror(errno)), "look into dmesg");
        return;
    }
    uint64_t left = (uint64_t)status.f_bavail * status.f_frsize;
    g_autofree char *text = g_format_size_full(left, G_FORMAT_SIZE_IEC_UNITS);
    bool read_only = status.f_flag & ST_RDONLY;
    say(finding,
        read_only            ? DOCTOR_BAD
        : left < DISK_LITTLE ? DOCTOR_WARNING
                             : DOCTOR_FINE,
        g_strdup_printf("%s free in %s%s", text, path, read_only ? ", which is read-only" : ""),
        read_only            ? "mount it for writing"
        : left < DISK_LITTLE ? "an installed desktop needs some 20 GiB: put a larger disk at " STATE
                             : NULL);
}

/* A file without a name in the folder. */
static int
open_nameless(const char *folder)
{
    return open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

void
doctor_look_reflink(DoctorFinding *finding)
{
    g_autofree char *folder = state_folder();
    g_autofd int from = open_nameless(folder), to = open_nameless(folder);

    if (from < 0 || to < 0 || write(from, STATE, sizeof(STATE)) < 0)
        say(finding, DOCTOR_WARNING, g_strdup_printf("%s: %s", folder, g_strerror(errno)), "run this as root");
    else if (ioctl(to, FICLONE, from) == 0)
        say(finding, DOCTOR_FINE, g_strdup_printf("files in %s share blocks", folder), NULL);
    else
        say(finding, DOCTOR_WARNING, g_strdup_printf("files in %s cannot share blocks", folder),
            "each desktop's disk is a whole copy of its template's: use XFS or Btrfs there, or LVM's thin volumes "
            "([storage] in "
            "carreld.conf)");
}

uint64_t
doctor_listener(const char *text, unsigned port)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        char local[64];
        unsigned state;
        uint64_t inode;
        line += *line == '\n';
        /* proc_pid_net(5): slot, local and remote address with ports, state, queues, timer, retransmits, uid, timeout, inode. */
        if (sscanf(line, " %*u: %63s %*s %x %*s %*s %*s %*u %*u %" SCNu64, local, &state, &inode) != 3)
            continue;
        const char *colon = strrchr(local, ':');
        if (colon && strtoul(colon + 1, NULL, 16) == port && state == 0x0a)
            return inode;
    }
    return 0;
}

/* The program of a process that has the socket open; NULL: nobody whom we may look at. */
static char *
holder_of(uint64_t inode)
{
    g_autofree char *wanted = g_strdup_printf("socket:[%" PRIu64 "]", inode);
    g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
    const char *pid, *fd;

    while (processes && (pid = g_dir_read_name(processes))) {
        g_autofree char *folder = g_strdup_printf("/proc/%s/fd", pid);
        g_autoptr(GDir) fds = g_ascii_isdigit(*pid) ? g_dir_open(folder, 0, NULL) : NULL;
        while (fds && (fd = g_dir_read_name(fds))) {
            g_autofree char *path = g_build_filename(folder, fd, NULL), *target = g_file_read_link(path, NULL);
            g_autofree char *comm = g_strdup_printf("/proc/%s/comm", pid);
            if (!g_strcmp0(target, wanted))
                return g_strchomp(read_all(comm));
        }
    }
    return NULL;
}

void
doctor_look_port(DoctorFinding *finding)
{
    static const char *const ours[] = {"carrel-web", "systemd", NULL};
    g_autofree char *four = read_all("/proc/net/tcp"), *six = read_all("/proc/net/tcp6");
    uint64_t inode = doctor_listener(six, PORT);

    inode = inode ? inode : doctor_listener(four, PORT);
    if (!inode) {
        say(finding, DOCTOR_FINE, g_strdup("free"), NULL);
        return;
    }
    g_autofree char *holder = holder_of(inode);
    if (holder && g_strv_contains(ours, holder))
        say(finding, DOCTOR_FINE, g_strdup_printf("%s listens", holder), NULL);
    else
        say(finding, DOCTOR_BAD, g_strdup_printf("%s listens there", holder ? holder : "another program"),
            "stop it, or give carrel-web another port: systemctl edit carrel-web.socket");
}

void
doctor_look_clock(DoctorFinding *finding)
{
    struct timex clock = {0};

    if (adjtimex(&clock) == TIME_ERROR || clock.status & STA_UNSYNC)
        say(finding, DOCTOR_WARNING, g_strdup("nothing keeps it right"),
            "one-time codes and certificates need the right time: install systemd-timesyncd or chrony");
    else
        say(finding, DOCTOR_FINE, g_strdup("kept right"), NULL);
}

void
doctor_look_network(DoctorFinding *finding)
{
    if (access("/dev/net/tun", R_OK | W_OK) < 0)
        say(finding, DOCTOR_BAD, g_strdup_printf("/dev/net/tun: %s", g_strerror(errno)),
            "load the module tun; without it only networks of the type passt work");
    else if (access("/dev/vhost-net", R_OK | W_OK) < 0)
        say(finding, DOCTOR_WARNING, g_strdup("tap interfaces, without vhost-net"),
            "load the module vhost_net: it is faster");
    else
        say(finding, DOCTOR_FINE, g_strdup("tap interfaces, with vhost-net"), NULL);
}

void
doctor_look_programs(DoctorFinding *finding)
{
    static const struct {
        const char *program, *package;
    } wanted[] = {{"qemu-img", "qemu-utils"}, {"swtpm", "swtpm"},  {"passt", "passt"},
                  {"ip", "iproute2"},         {"nft", "nftables"}, {"dnsmasq", "dnsmasq-base"}};
    g_autoptr(GString) missing = g_string_new(NULL), packages = g_string_new("apt-get install");

    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_autofree char *path = g_find_program_in_path(wanted[i].program);
        if (!path) {
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", wanted[i].program);
            g_string_append_printf(packages, " %s", wanted[i].package);
        }
    }
    if (missing->len)
        say(finding, DOCTOR_WARNING, g_strdup_printf("missing: %s", missing->str), packages->str);
    else
        say(finding, DOCTOR_FINE, g_strdup("all there"), NULL);
}
