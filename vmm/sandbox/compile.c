/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run at build time: turns the lists of filters.c into BPF programs, printed as C arrays. So the VMM carries neither
 * libseccomp nor the time and memory it takes to compile a filter at every start.
 */
#include "vmm/sandbox/filters.h"

#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const role_names[SANDBOX_N_ROLES] = {"set_up", "main", "vcpu", "io", "display", "usb"};

static void
fail(const char *what, int status)
{
    fprintf(stderr, "system call filters: %s: %s\n", what, strerror(-status));
    exit(1);
}

static struct scmp_arg_cmp
comparison(unsigned argument, uint64_t mask, uint64_t value)
{
    return SCMP_CMP(argument - 1, SCMP_CMP_MASKED_EQ, mask, value);
}

static void
add_call(scmp_filter_ctx filter, const FilterCall *call)
{
    int number = seccomp_syscall_resolve_name(call->name);
    uint32_t action = call->error ? SCMP_ACT_ERRNO(call->error) : SCMP_ACT_ALLOW;
    struct scmp_arg_cmp tests[2];
    unsigned n_tests = 0;

    if (number == __NR_SCMP_ERROR)
        fail(call->name, -EINVAL);
    if (call->argument)
        tests[n_tests++] = comparison(call->argument, call->mask, call->value);
    if (call->also.argument)
        tests[n_tests++] = comparison(call->also.argument, call->also.mask, call->also.value);
    int status = seccomp_rule_add_array(filter, action, number, n_tests, tests);
    if (status < 0 && status != -EEXIST)
        fail(call->name, status);
}

/* The program through an unnamed file, since libseccomp writes to descriptors only. */
static void
print_program(scmp_filter_ctx filter, const char *name)
{
    FILE *file = tmpfile();
    struct sock_filter instruction;

    int status = file ? seccomp_export_bpf(filter, fileno(file)) : -errno;
    if (status < 0)
        fail(name, status);
    rewind(file);
    printf("static const struct sock_filter %s_filter[] = {\n", name);
    while (fread(&instruction, sizeof(instruction), 1, file) == 1)
        printf("    {0x%04x, %u, %u, 0x%08x},\n", instruction.code, instruction.jt, instruction.jf, instruction.k);
    printf("};\n");
    fclose(file);
}

int
main(void)
{
    printf("/* Made from filters.c by compile.c. */\n#include <linux/filter.h>\n");
    for (unsigned role = 0; role < SANDBOX_N_ROLES; role++) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
        if (!filter)
            fail(role_names[role], -ENOMEM);
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: short paths for frequent calls */
        for (const FilterCall *const *list = sandbox_filter_calls[role]; *list; list++)
            for (const FilterCall *call = *list; call->name; call++)
                add_call(filter, call);
        print_program(filter, role_names[role]);
        seccomp_release(filter);
    }
    return 0;
}
