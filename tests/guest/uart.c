/* SPDX-License-Identifier: Apache-2.0 */
/* The 16550 as drivers find and use it: identification, divisor latch, loopback, interrupts. */
#include "apic.h"
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "interrupt.h"
#include "start.h"
#include "tap.h"

#define COM1 0x3f8
#define DATA (COM1 + 0)
#define INTERRUPT_ENABLE (COM1 + 1)
#define INTERRUPT_IDENTITY (COM1 + 2) /* reading; writing is FIFO control */
#define LINE_CONTROL (COM1 + 3)
#define MODEM_CONTROL (COM1 + 4)
#define LINE_STATUS (COM1 + 5)
#define MODEM_STATUS (COM1 + 6)
#define SCRATCH (COM1 + 7)

#define LOOPBACK 0x10
#define OUT2 0x08 /* lets the interrupt out of the chip */
#define COM1_PIN 4

/* Nothing is printed between begin and end of a test that changes the port: results are collected. */
static struct {
    const char *name;
    bool passed;
} results[32];
static unsigned n_results;

static void
expect(bool passed, const char *name)
{
    results[n_results].name = name;
    results[n_results++].passed = passed;
}

static void
drain(void)
{
    while (!(port_read8(LINE_STATUS) & 0x40))
        cpu_pause();
}

static void
test_identity(void)
{
    port_write8(SCRATCH, 0x5a);
    expect(port_read8(SCRATCH) == 0x5a, "scratch register keeps a value");
    port_write8(INTERRUPT_IDENTITY, 0x01);
    expect((port_read8(INTERRUPT_IDENTITY) & 0xc0) == 0xc0, "FIFOs on: it is a 16550A");
    port_write8(INTERRUPT_IDENTITY, 0x00);
    expect((port_read8(INTERRUPT_IDENTITY) & 0xc0) == 0, "FIFOs off");
    port_write8(INTERRUPT_ENABLE, 0xff);
    expect(port_read8(INTERRUPT_ENABLE) == 0x0f, "interrupt enable has four bits");
    port_write8(INTERRUPT_ENABLE, 0);
    expect(port_read8(INTERRUPT_IDENTITY) & 1, "no interrupt is pending");
}

static void
test_divisor(void)
{
    port_write8(LINE_CONTROL, 0x83);
    port_write8(DATA, 0x34);
    port_write8(INTERRUPT_ENABLE, 0x12);
    expect(port_read8(DATA) == 0x34 && port_read8(INTERRUPT_ENABLE) == 0x12, "divisor latch reads back");
    port_write8(DATA, 1);
    port_write8(INTERRUPT_ENABLE, 0);
    port_write8(LINE_CONTROL, 0x03);
    expect(port_read8(INTERRUPT_ENABLE) == 0, "divisor latch is not the interrupt enable");
}

static void
test_loopback(void)
{
    static const char text[] = "carrel";
    bool same = true;

    port_write8(INTERRUPT_IDENTITY, 0x07);
    port_write8(MODEM_CONTROL, LOOPBACK | 0x0b);
    expect((port_read8(MODEM_STATUS) & 0xf0) == 0xb0, "loopback: modem lines come back");
    for (unsigned i = 0; i < sizeof(text); i++) {
        port_write8(DATA, text[i]);
        uint64_t deadline = clock_ns() + SECONDS(1);
        while (!(port_read8(LINE_STATUS) & 1) && clock_ns() < deadline)
            cpu_pause();
        same = same && (port_read8(LINE_STATUS) & 1) && port_read8(DATA) == (uint8_t)text[i];
    }
    expect(same, "loopback: bytes come back in order");
    expect(!(port_read8(LINE_STATUS) & 1), "loopback: and then there are no more");
    port_write8(MODEM_CONTROL, 0x03);
}

static uint8_t identity_seen;

static void
on_interrupt(void *context)
{
    (void)context;
    identity_seen = port_read8(INTERRUPT_IDENTITY);
    port_write8(INTERRUPT_ENABLE, 0);
}

static void
test_interrupt(void)
{
    uint8_t vector = interrupt_allocate(on_interrupt, NULL);

    io_apic_route(COM1_PIN, vector, false, false);
    port_write8(MODEM_CONTROL, OUT2 | 0x03);
    port_write8(INTERRUPT_ENABLE, 0x02);
    expect(interrupt_wait(vector, 0, SECONDS(2)), "interrupt: the transmitter is empty");
    expect((identity_seen & 0x0f) == 0x02, "interrupt: and says so");

    uint64_t seen = interrupt_count(vector);
    port_write8(MODEM_CONTROL, LOOPBACK | OUT2);
    port_write8(INTERRUPT_ENABLE, 0x01);
    port_write8(DATA, 'x');
    expect(interrupt_wait(vector, seen, SECONDS(2)), "interrupt: a byte has come");
    expect((identity_seen & 0x0f) == 0x04 || (identity_seen & 0x0f) == 0x0c, "interrupt: and says so");
    port_read8(DATA);
    io_apic_mask(COM1_PIN);
}

void
guest_main(void)
{
    drain();
    test_identity();
    test_divisor();
    test_loopback();
    test_interrupt();
    console_init();
    for (unsigned i = 0; i < n_results; i++)
        ok(results[i].passed, "uart: %s", results[i].name);
    tap_done();
}
