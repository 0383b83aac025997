/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carrel-vmm: the command line (carrel-vmm(1)), and the order in which a desktop comes to life: configuration, sockets, the
 * keeper's fork, files, sandbox, the desktop, the guest.
 */
#include "usb/host/scan.h"
#include "vmm/config/config.h"
#include "vmm/config/fds.h"
#include "vmm/control/ctl.h"
#include "vmm/control/line.h"
#include "vmm/desktop/desktop.h"
#include "vmm/desktop/usb.h"
#include "vmm/firmware/kernel.h"
#include "vmm/firmware/rom.h"
#include "vmm/firmware/variables.h"
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MALLOC_ARENAS 4

enum { EXIT_OK = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

static int
usage(FILE *to, int status)
{
    fprintf(to, "usage: carrel-vmm run [--no-sandbox] DESKTOP.conf\n"
                "       carrel-vmm run [--no-sandbox] --restore FILE [DESKTOP.conf]\n"
                "       carrel-vmm check DESKTOP.conf\n"
                "       carrel-vmm ctl SOCKET VERB ...\n"
                "       carrel-vmm --help | --version\n");
    if (status == EXIT_OK) {
        fprintf(to, "\nVerbs of ctl:\n");
        control_ctl_print_verbs(to);
        fprintf(to, "\nThe manual: carrel-vmm(1), carrel-desktop.conf(5).\n");
    }
    return status;
}

static int
complain(const GError *error)
{
    print_line(stderr, "carrel-vmm: %s", error->message);
    return EXIT_ERROR;
}

static const char *
log_field(const GLogField *fields, gsize n_fields, const char *key)
{
    for (gsize i = 0; i < n_fields; i++)
        if (!strcmp(fields[i].key, key))
            return fields[i].value;
    return "";
}

/* One line a message, and nothing of what libraries say in passing: spice-server warns of each client that hangs up. */
static GLogWriterOutput
write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user)
{
    bool ours = !strcmp(log_field(fields, n_fields, "GLIB_DOMAIN"), G_LOG_DOMAIN);

    if (level <= (ours ? G_LOG_LEVEL_MESSAGE : G_LOG_LEVEL_CRITICAL))
        print_line(stderr, "carrel-vmm: %s", log_field(fields, n_fields, "MESSAGE"));
    return G_LOG_WRITER_HANDLED;
}

typedef struct {
    bool sandbox;
    const char *saved_path;  /* --restore */
    const char *config_path; /* may be NULL with --restore */
} RunOptions;

static bool
parse_run(int argc, char **argv, RunOptions *options)
{
    *options = (RunOptions){.sandbox = true};
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--no-sandbox"))
            options->sandbox = false;
        else if (!strcmp(argv[i], "--restore") && i + 1 < argc)
            options->saved_path = argv[++i];
        else if (argv[i][0] == '-' || options->config_path)
            return false;
        else
            options->config_path = argv[i];
    }
    return options->config_path || options->saved_path;
}

/*
 * A configuration that comes with the saved desktop names files, and they are opened with our rights: so it may come only
 * from those who have these rights anyway.
 */
static bool
trust_saved(int fd, const char *path, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return true;
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE,
                "%s: %s, who could have had any file of this host opened: name the desktop's configuration as well",
                path, st.st_uid == 0 || st.st_uid == geteuid() ? "others may write to it" : "belongs to another user");
    return false;
}

/* The saved desktop and its descriptor, or -1 where there is none to restore. */
static bool
open_saved(const RunOptions *options, int *fd, SavedFile **saved, GError **error)
{
    *fd = -1;
    *saved = NULL;
    if (!options->saved_path)
        return true;
    *fd = open(options->saved_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang the start */
    if (*fd < 0)
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", options->saved_path,
                    g_strerror(errno));
    else if (options->config_path || trust_saved(*fd, options->saved_path, error))
        *saved = saved_file_open(*fd, options->saved_path, error);
    return *saved != NULL;
}

static DesktopConfig *
find_config(const RunOptions *options, const SavedFile *saved, GError **error)
{
    if (options->config_path)
        return config_read(options->config_path, error);
    return config_parse(options->saved_path, saved->config, -1, error);
}

static bool
enter_sandbox(const DesktopConfig *config, GError **error)
{
    g_autofree char *left_out = NULL;

    if (!sandbox_enter(config->sandbox_uid, &left_out, error))
        return false;
    if (left_out)
        g_message("sandbox: this host does not allow: %s", left_out);
    sandbox_filter_thread(SANDBOX_ROLE_SET_UP);
    return true;
}

/* From here on the process may be the sandboxed one. */
static int
run_desktop(const RunOptions *options, const DesktopConfig *config, Resources *resources, InheritedFds *fds,
            const SavedFile *saved, GError **error)
{
    if (!resources_open(resources, config, fds, error))
        return EXIT_ERROR;
    if (inherited_fds_left(fds))
        g_message("the inherited descriptor “%s” is not used: no key names it", inherited_fds_left(fds));
    if (options->sandbox && !enter_sandbox(config, error))
        return EXIT_ERROR;
    g_autoptr(Desktop) desktop = desktop_new(config, resources, saved, error);
    return desktop ? desktop_run(desktop) : EXIT_ERROR;
}

static int
run_with_sockets(const RunOptions *options, const DesktopConfig *config, InheritedFds *fds, int saved_fd,
                 const SavedFile *saved, GError **error)
{
    g_autoptr(Resources) resources = resources_new(config, fds, error);
    if (!resources)
        return EXIT_ERROR;
    resources->saved = saved_fd;
    if (!desktop_usb_watch(config, &resources->usb_watcher, error)) {
        resources_remove_sockets(resources);
        return EXIT_ERROR;
    }
    const char *const *paths = (const char *const *)resources->socket_paths->pdata;
    int status = EXIT_ERROR;

    /* With a sandbox, run_desktop() is the inner process's, and the keeper removes the sockets. */
    bool forked = options->sandbox && sandbox_fork(paths, error);
    if (forked || !options->sandbox)
        status = run_desktop(options, config, resources, fds, saved, error);
    if (!forked)
        resources_remove_sockets(resources);
    return status;
}

/* A desktop with many queues and interrupts has more descriptors than the limit that is usual for old programs' sake. */
static void
allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int
run(int argc, char **argv)
{
    RunOptions options;
    int saved_fd;
    g_autoptr(GError) error = NULL;
    g_autoptr(SavedFile) saved = NULL;

    if (!parse_run(argc, argv, &options))
        return usage(stderr, EXIT_USAGE);
    signal(SIGPIPE, SIG_IGN);
    /* Else malloc() counts the host's processors when the eighth thread comes, in files that thread may not open. */
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    allow_descriptors();
    tzset(); /* reads the zone while there are files: whoever converts a time later finds it done */
    sandbox_hold_signals();
    g_autoptr(InheritedFds) fds = inherited_fds_new(&error);
    if (!fds)
        return complain(error);
    inherited_fds_close_others(fds);
    if (!open_saved(&options, &saved_fd, &saved, &error))
        return complain(error);
    g_autoptr(DesktopConfig) config = find_config(&options, saved, &error);
    if (!config)
        return complain(error);
    int status = run_with_sockets(&options, config, fds, saved_fd, saved, &error);
    return error ? complain(error) : status;
}

/* A kernel given by path is one that can be booted; one given as a descriptor is not here to be looked at. */
static bool
check_kernel(const DesktopConfig *config, GError **error)
{
    if (!config->kernel.path)
        return true;
    g_autofd int fd = open(config->kernel.path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        return kernel_check(fd, config->kernel.path, error);
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", config->kernel.path, g_strerror(errno));
    return false;
}

/* The same of firmware, and of variables that exist already. */
static bool
check_firmware(const DesktopConfig *config, GError **error)
{
    g_autofd int code = -1, variables = -1;
    Rom rom = {0};

    if (config->firmware_code.path) {
        code = open(config->firmware_code.path, O_RDONLY | O_CLOEXEC);
        if (!rom_init(&rom, code, config->firmware_code.path, error))
            return false;
        rom_finish(&rom);
    }
    if (config->variables.path)
        variables = open(config->variables.path, O_RDONLY | O_CLOEXEC);
    return variables < 0 || variables_check(variables, config->variables.path, error);
}

static int
check(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (argc != 1)
        return usage(stderr, EXIT_USAGE);
    g_autoptr(DesktopConfig) config = config_read(argv[0], &error);
    if (!config || !config_check_files(config, &error) || !check_kernel(config, &error) ||
        !check_firmware(config, &error) || !desktop_usb_check(config, &error))
        return complain(error);
    return EXIT_OK;
}

static const CtlHostUsb host_usb = {.list = usb_host_lines, .open = usb_host_find};

int
main(int argc, char **argv)
{
    g_log_set_writer_func(write_log, NULL, NULL);
    if (argc >= 2 && !strcmp(argv[1], "run"))
        return run(argc - 2, argv + 2);
    if (argc >= 2 && !strcmp(argv[1], "check"))
        return check(argc - 2, argv + 2);
    if (argc >= 2 && !strcmp(argv[1], "ctl"))
        return control_ctl(argc - 2, argv + 2, &host_usb);
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        printf("carrel-vmm %s\n", CARREL_VERSION);
        return EXIT_OK;
    }
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return usage(stdout, EXIT_OK);
    return usage(stderr, EXIT_USAGE);
}
