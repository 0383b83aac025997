/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/host_figures.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void
look_at_model(HostFigures *figures)
{
    g_autofree char *text = NULL;
    const char *line;

    if (figures->cpu_model || !g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL))
        return;
    line = strstr(text, "model name");
    line = line ? strchr(line, ':') : NULL;
    figures->cpu_model = line ? g_strstrip(g_strndup(line + 1, strcspn(line + 1, "\n"))) : g_strdup("");
}

/* proc(5): user, nice, system, idle, iowait, irq, softirq, steal, in ticks. */
static void
look_at_use(HostFigures *figures)
{
    g_autofree char *text = NULL;
    unsigned long long n[8] = {0};

    if (!g_file_get_contents("/proc/stat", &text, NULL, NULL) ||
        sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6],
               &n[7]) < 8)
        return;
    uint64_t busy = n[0] + n[1] + n[2] + n[5] + n[6] + n[7], idle = n[3] + n[4];
    uint64_t was_busy = busy - figures->busy, was_idle = idle - figures->idle;
    if (was_busy + was_idle)
        figures->cpu = (double)was_busy / (double)(was_busy + was_idle) * figures->cpus;
    figures->busy = busy;
    figures->idle = idle;
}

static uint64_t
line_in_kib(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? g_ascii_strtoull(line + strlen(name), NULL, 10) << 10 : 0;
}

static void
look_at_memory(HostFigures *figures)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
        return;
    figures->memory = line_in_kib(text, "MemTotal:");
    figures->memory_free = line_in_kib(text, "MemAvailable:");
}

void
host_figures_look(HostFigures *figures)
{
    figures->cpus = g_get_num_processors();
    figures->kvm = !access("/dev/kvm", R_OK | W_OK);
    look_at_model(figures);
    look_at_use(figures);
    look_at_memory(figures);
}

void
host_figures_finish(HostFigures *figures)
{
    g_clear_pointer(&figures->cpu_model, g_free);
}

bool
host_figures_self(uint64_t *memory, double *seconds)
{
    g_autofree char *text = NULL;
    unsigned long pages;
    struct rusage usage;

    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL) || sscanf(text, "%*u %lu", &pages) != 1 ||
        getrusage(RUSAGE_SELF, &usage))
        return false;
    *memory = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    *seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    return true;
}
