// SPDX-License-Identifier: Apache-2.0
/*
 * A plugin for the emulator that has its VMRUN deliver an interrupt once (tests/README.md, "Faults of the emulator").
 *
 * QEMU's VMRUN delivers the interrupt that a hypervisor injects, and leaves its vector where exceptions wait to be delivered.
 * There it stays until the next #VMEXIT or exception of the guest takes its place. Should the thread be asked to leave its loop
 * before, the vector is delivered a second time, whatever the guest's interrupt flag says.
 *
 * The emulator calls its plugins when it has delivered an interrupt. Nothing waits at that moment, so this one says so.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { API_VERSION = 7, INTERRUPTS = 1, NOTHING = -1 };

// What the emulator gives its plugins, and the two symbols of its own that are used beside.
extern void qemu_plugin_register_vcpu_discon_cb(uint64_t plugin, int kinds, void (*called)(void), void *data);
extern void cpu_loop_exit_noexc(void *processor);
extern __thread char *current_cpu;

// The loader looks for these two.
int qemu_plugin_version = API_VERSION;
int qemu_plugin_install(uint64_t plugin, const void *emulator, int count, char **words);

static int32_t waiting; // where a processor keeps the exception that waits

static void
delivered(void)
{
    int32_t nothing = NOTHING;
    memcpy(current_cpu + waiting, &nothing, sizeof nothing);
}

/* cpu_loop_exit_noexc() clears the field with movl $-1, offset(%rdi): the offset is read out of its first bytes. */
static bool
find_field(void)
{
    const uint8_t *code = (const uint8_t *)cpu_loop_exit_noexc;
    int32_t value;

    for (int i = 0; i < 48; i++) {
        if (code[i] != 0xc7 || code[i + 1] != 0x87) {
            continue;
        }
        memcpy(&value, code + i + 6, sizeof value);
        memcpy(&waiting, code + i + 2, sizeof waiting);
        return value == NOTHING && waiting > 0 && waiting < 0x4000;
    }
    return false;
}

int
qemu_plugin_install(uint64_t plugin, const void *emulator, int count, char **words)
{
    (void)emulator, (void)count, (void)words;
    if (!find_field()) {
        fputs("this is not the emulator that the plugin knows\n", stderr);
        return -1;
    }
    qemu_plugin_register_vcpu_discon_cb(plugin, INTERRUPTS, delivered, NULL);
    return 0;
}
