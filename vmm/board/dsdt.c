/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DSDT: processors, the PCI host bridge with its windows and interrupt routing, what sits on the ISA side, and S5.
 * The power button is a fixed event of the PM1 block, not a device (ACPI 6.5, 4.8.2.2).
 */
#include "vmm/board/dsdt.h"

#include "vmm/board/aml.h"

/* _OSC of a PCI host bridge (PCI Firmware 3.3, 4.5.1). */
#define OSC_UUID "33DB4D5B-1FF7-401C-9657-7441C03DD766"
#define OSC_UNKNOWN_UUID 0x4
#define OSC_UNKNOWN_REVISION 0x8
#define OSC_MASKED 0x10
/* What the guest may control itself: native hot-plug, PME, AER and the PCI Express capability. No SHPC. */
#define OSC_GRANTED 0x1d

/* PM1 control's SLP_TYP for S5, as OVMF and SeaBIOS have it on a q35. vmm/board/pm.c answers to it. */
#define SLEEP_TYPE_S5 0

/* If (@ops …) { CDW1 |= @bit } with the predicate already written. */
static void
osc_flag(Aml *aml, uint8_t bit)
{
    aml_or(aml);
    aml_reference(aml, "CDW1");
    aml_integer(aml, bit);
    aml_reference(aml, "CDW1");
}

/* Keeps the wanted bits that are granted, and says where some were not. */
static void
osc_negotiate(Aml *aml)
{
    aml_dword_field(aml, "CDW3", 3, 8);
    aml_and(aml);
    aml_reference(aml, "CDW3");
    aml_integer(aml, OSC_GRANTED);
    aml_local(aml, 0);

    aml_begin_if(aml);
    aml_not_equal(aml);
    aml_argument(aml, 1);
    aml_integer(aml, 1);
    osc_flag(aml, OSC_UNKNOWN_REVISION);
    aml_end(aml);

    aml_begin_if(aml);
    aml_not_equal(aml);
    aml_reference(aml, "CDW3");
    aml_local(aml, 0);
    osc_flag(aml, OSC_MASKED);
    aml_end(aml);

    aml_store(aml);
    aml_local(aml, 0);
    aml_reference(aml, "CDW3");
}

static void
add_osc(Aml *aml)
{
    aml_begin_method(aml, "_OSC", 4);
    aml_dword_field(aml, "CDW1", 3, 0);
    aml_begin_if(aml);
    aml_equal(aml);
    aml_argument(aml, 0);
    aml_uuid(aml, OSC_UUID);
    osc_negotiate(aml);
    aml_end(aml);
    aml_begin_else(aml);
    osc_flag(aml, OSC_UNKNOWN_UUID);
    aml_end(aml);
    aml_return(aml);
    aml_argument(aml, 3);
    aml_end(aml);
}

static void
add_interrupt_routing(Aml *aml)
{
    aml_name(aml, "_PRT");
    aml_begin_package(aml, 32 * 4);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            aml_begin_package(aml, 4);
            aml_integer(aml, (uint64_t)slot << 16 | 0xffff); /* any function */
            aml_integer(aml, pin);
            aml_integer(aml, 0); /* wired to the interrupt itself, not to a link device */
            aml_integer(aml, board_intx_gsi(slot, pin));
            aml_end(aml);
        }
    }
    aml_end(aml);
}

static void
add_bridge_windows(Aml *aml, uint64_t ecam, BoardWindow pci64)
{
    GByteArray *resources = g_byte_array_new();

    aml_resource_window_bus(resources, 0, BOARD_ECAM_LAST_BUS);
    aml_resource_io(resources, BOARD_PORT_PCI_ADDRESS, 8);
    aml_resource_window_io(resources, 0, BOARD_PORT_PCI_ADDRESS - 1);
    aml_resource_window_io(resources, BOARD_PORT_PCI_ADDRESS + 8, UINT16_MAX);
    aml_resource_window_memory32(resources, BOARD_PCI32_BASE, ecam - 1);
    aml_resource_window_memory32(resources, ecam + BOARD_ECAM_SIZE, BOARD_PCI32_END - 1);
    if (pci64.size)
        aml_resource_window_memory64(resources, pci64.base, pci64.base + pci64.size - 1);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
}

/* A device of the ISA kind: @n_ports ports from @port, and one interrupt. */
static void
add_isa_device(Aml *aml, const char *name, const char *id, uint16_t port, uint8_t n_ports, unsigned irq)
{
    GByteArray *resources = g_byte_array_new();

    aml_begin_device(aml, name);
    aml_name(aml, "_HID");
    aml_eisa_id(aml, id);
    aml_name(aml, "_UID");
    aml_integer(aml, 1);
    aml_resource_io(resources, port, n_ports);
    aml_resource_irq(resources, irq);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

static void
add_host_bridge(Aml *aml, const AcpiOptions *options)
{
    aml_begin_device(aml, "PCI0");
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0A08"); /* PCI Express */
    aml_name(aml, "_CID");
    aml_eisa_id(aml, "PNP0A03");
    aml_name(aml, "_UID");
    aml_integer(aml, 0);
    aml_name(aml, "_SEG");
    aml_integer(aml, 0);
    aml_name(aml, "_BBN");
    aml_integer(aml, 0);
    add_bridge_windows(aml, board_ecam(options->ecam), options->pci64);
    add_interrupt_routing(aml);
    add_osc(aml);
    if (options->com1)
        add_isa_device(aml, "COM1", "PNP0501", BOARD_PORT_COM1, 8, BOARD_GSI_COM1);
    add_isa_device(aml, "RTC", "PNP0B00", BOARD_PORT_RTC, 2, BOARD_GSI_RTC);
    aml_end(aml);
}

/* What belongs to the board and must not be given to a device: ECAM (PCI Firmware 3.3, 4.1.2) and the PM block. */
static void
add_reserved(Aml *aml, uint64_t ecam)
{
    GByteArray *resources = g_byte_array_new();

    aml_begin_device(aml, "MRES");
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0C02");
    aml_name(aml, "_UID");
    aml_integer(aml, 1);
    aml_resource_memory(resources, ecam, BOARD_ECAM_SIZE);
    aml_resource_io(resources, BOARD_PORT_PM, BOARD_PORT_PM_SIZE);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

/* TCG ACPI 1.4, 7 */
static void
add_tpm(Aml *aml)
{
    GByteArray *resources = g_byte_array_new();

    aml_begin_device(aml, "TPM");
    aml_name(aml, "_HID");
    aml_string(aml, "MSFT0101");
    aml_name(aml, "_UID");
    aml_integer(aml, 1);
    aml_resource_memory(resources, BOARD_TPM_BASE, BOARD_TPM_SIZE);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    aml_end(aml);
}

/* _UID is what joins a processor to its MADT entry (ACPI 6.5, 8.4). */
static void
add_processors(Aml *aml, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("C%03X", i);
        aml_begin_device(aml, name);
        aml_name(aml, "_HID");
        aml_string(aml, "ACPI0007");
        aml_name(aml, "_UID");
        aml_integer(aml, i);
        aml_end(aml);
    }
}

static void
add_sleep(Aml *aml)
{
    aml_name(aml, "_S5");
    aml_begin_package(aml, 4);
    aml_integer(aml, SLEEP_TYPE_S5);
    aml_integer(aml, SLEEP_TYPE_S5);
    aml_integer(aml, 0);
    aml_integer(aml, 0);
    aml_end(aml);
}

GByteArray *
dsdt_code(const AcpiOptions *options)
{
    Aml aml;

    aml_init(&aml);
    aml_begin_scope(&aml, "_SB");
    add_processors(&aml, options->n_cpus);
    add_host_bridge(&aml, options);
    add_reserved(&aml, board_ecam(options->ecam));
    if (options->tpm)
        add_tpm(&aml);
    aml_end(&aml);
    add_sleep(&aml);
    return aml_finish(&aml);
}
