/* SPDX-License-Identifier: Apache-2.0 */
/* The 16550A: registers, FIFOs, interrupts and their order, modem lines, loopback, back-pressure, save and load. */
#include "vmm/board/uart.h"

#include "tests/unit/vmm/board/fake_irq.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GSI 4

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };
#define FCR IIR
#define OUT2 0x08
#define LOOP 0x10

typedef struct {
    FakeIrq irq;
    Uart *uart;
    int host; /* the other end of the wire */
} Fixture;

static void
fixture_init(Fixture *fixture)
{
    int pair[2];
    *fixture = (Fixture){0};
    fake_irq_init(&fixture->irq);
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    fixture->host = pair[1];
    fixture->uart = uart_new(&fixture->irq.controller, GSI, stream_new_fds(pair[0], pair[0], NULL));
    uart_device_ops.resume(fixture->uart);
}

static void
fixture_finish(Fixture *fixture)
{
    uart_device_ops.free(fixture->uart);
    close(fixture->host);
}

static uint8_t
in(Fixture *fixture, unsigned reg)
{
    return uart_bus_ops.read(fixture->uart, reg, 1);
}

static void
out(Fixture *fixture, unsigned reg, uint8_t value)
{
    uart_bus_ops.write(fixture->uart, reg, 1, value);
}

static void
settle(void)
{
    g_usleep(2000);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
host_says(Fixture *fixture, const char *text)
{
    g_assert_cmpint(write(fixture->host, text, strlen(text)), ==, strlen(text));
    settle();
}

static void
expect_host_hears(Fixture *fixture, const char *text)
{
    char heard[256] = {0};
    settle();
    ssize_t len = read(fixture->host, heard, sizeof(heard) - 1);
    g_assert_cmpmem(heard, MAX(len, 0), text, strlen(text));
}

static bool
line(const Fixture *fixture)
{
    return fixture->irq.level[GSI];
}

static void
test_registers(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, SCRATCH, 0x5a);
    g_assert_cmphex(in(&f, SCRATCH), ==, 0x5a);
    out(&f, IER, 0xff);
    g_assert_cmphex(in(&f, IER), ==, 0x0f);
    out(&f, IER, 0);
    g_assert_cmphex(in(&f, IIR), ==, 0x01);
    out(&f, FCR, 0x01);
    g_assert_cmphex(in(&f, IIR), ==, 0xc1);
    g_assert_cmphex(in(&f, LSR), ==, 0x60);
    out(&f, LSR, 0xff); /* read only */
    g_assert_cmphex(in(&f, LSR), ==, 0x60);
    out(&f, LCR, 0x83);
    out(&f, DATA, 0x34);
    out(&f, IER, 0x12);
    g_assert_cmphex(uart_bus_ops.read(f.uart, DATA, 2), ==, 0x1234); /* a word: both, lowest first */
    out(&f, LCR, 0x03);
    g_assert_cmphex(in(&f, IER), ==, 0);
    uart_device_ops.reset(f.uart);
    g_assert_cmphex(in(&f, SCRATCH), ==, 0);
    g_assert_cmphex(in(&f, IIR), ==, 0x01);
    fixture_finish(&f);
}

static void
test_output(void)
{
    Fixture f;
    fixture_init(&f);
    for (const char *at = "hello"; *at; at++) {
        out(&f, DATA, *at);
        g_assert_cmphex(in(&f, LSR), ==, 0x60); /* no time on the wire */
    }
    expect_host_hears(&f, "hello");
    fixture_finish(&f);
}

static void
test_input(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, FCR, 0x81); /* trigger level 8 */
    out(&f, MCR, OUT2);
    out(&f, IER, 0x01);
    host_says(&f, "abc");
    g_assert_true(line(&f));
    g_assert_cmphex(in(&f, IIR), ==, 0xcc); /* time-out: below the trigger */
    g_assert_cmphex(in(&f, LSR), ==, 0x61);
    g_assert_cmpint(in(&f, DATA), ==, 'a');
    host_says(&f, "defghijklmnopqrstuvwxyz"); /* more than fits: the rest waits on the wire */
    g_assert_cmphex(in(&f, IIR), ==, 0xc4);
    for (char c = 'b'; c <= 'z'; c++) {
        if (!(in(&f, LSR) & 1))
            settle();
        g_assert_cmphex(in(&f, LSR), ==, 0x61); /* nothing overran */
        g_assert_cmpint(in(&f, DATA), ==, c);
    }
    g_assert_cmphex(in(&f, LSR), ==, 0x60);
    g_assert_false(line(&f));
    g_assert_cmphex(in(&f, IIR), ==, 0xc1);
    fixture_finish(&f);
}

/* What drivers look for: enabling the interrupt while the transmitter is empty gives one, every time. */
static void
test_transmitter_interrupt(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, MCR, OUT2);
    out(&f, IER, 0x02);
    g_assert_true(line(&f));
    g_assert_cmphex(in(&f, IIR), ==, 0x02);
    g_assert_false(line(&f)); /* reading it is being told */
    g_assert_cmphex(in(&f, IIR), ==, 0x01);
    out(&f, DATA, 'x');
    g_assert_true(line(&f));
    g_assert_cmphex(in(&f, IIR), ==, 0x02);
    out(&f, IER, 0x00);
    out(&f, IER, 0x02);
    g_assert_cmphex(in(&f, IIR), ==, 0x02);
    out(&f, IER, 0x02); /* no change, no interrupt */
    g_assert_cmphex(in(&f, IIR), ==, 0x01);
    g_assert_cmpuint(f.irq.rises[GSI], ==, 3);
    fixture_finish(&f);
}

static void
test_interrupt_gate(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, IER, 0x02);
    g_assert_false(line(&f)); /* OUT2 is off: pending, but not on the bus */
    out(&f, MCR, OUT2);
    g_assert_true(line(&f));
    out(&f, MCR, 0);
    g_assert_false(line(&f));
    fixture_finish(&f);
}

static void
test_loopback(void)
{
    Fixture f;
    fixture_init(&f);
    g_assert_cmphex(in(&f, MSR), ==, 0xb0);
    out(&f, FCR, 0x07);
    out(&f, MCR, LOOP | 0x0b);
    g_assert_cmphex(in(&f, MSR), ==, 0xb0); /* the same lines, from our own side: no change */
    host_says(&f, "outside");
    g_assert_cmphex(in(&f, LSR), ==, 0x60);
    for (const char *at = "inside"; *at; at++)
        out(&f, DATA, *at);
    for (const char *at = "inside"; *at; at++)
        g_assert_cmpint(in(&f, DATA), ==, *at);
    expect_host_hears(&f, "");
    out(&f, MCR, LOOP | 0x04);
    g_assert_cmphex(in(&f, MSR), ==, 0x40 | 0x0b); /* CTS, DSR and DCD went, RI came */
    g_assert_cmphex(in(&f, MSR), ==, 0x40);        /* changes are told once */
    out(&f, MCR, 0);
    g_assert_cmphex(in(&f, MSR), ==, 0xb0 | 0x0f);
    settle();
    g_assert_cmpint(in(&f, DATA), ==, 'o'); /* what was said meanwhile waited */
    fixture_finish(&f);
}

static void
test_overrun(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, MCR, LOOP | OUT2);
    out(&f, FCR, 0x07);
    out(&f, IER, 0x0d);
    in(&f, MSR);
    for (char c = 'a'; c <= 'q'; c++) /* 17 */
        out(&f, DATA, c);
    g_assert_cmphex(in(&f, IIR), ==, 0xc6); /* the first in order */
    g_assert_cmphex(in(&f, LSR), ==, 0x63);
    g_assert_cmphex(in(&f, LSR), ==, 0x61);
    g_assert_cmphex(in(&f, IIR), ==, 0xc4);
    for (char c = 'a'; c <= 'p'; c++)
        g_assert_cmpint(in(&f, DATA), ==, c);
    g_assert_cmphex(in(&f, LSR), ==, 0x60);

    out(&f, FCR, 0x00); /* one byte: the newer stays */
    out(&f, DATA, '1');
    out(&f, DATA, '2');
    g_assert_cmphex(in(&f, LSR), ==, 0x63);
    g_assert_cmpint(in(&f, DATA), ==, '2');
    fixture_finish(&f);
}

/* Writes until the transmitter stays busy. Returns how many bytes the guest got rid of by looking first. */
static unsigned
fill(Fixture *fixture)
{
    unsigned n = 0;
    for (; in(fixture, LSR) & 0x20; n++) {
        out(fixture, DATA, n);
        if (n % 4096 == 0)
            while (g_main_context_iteration(NULL, FALSE))
                ;
        g_assert_cmpuint(n, <, 4000000);
    }
    return n;
}

static void
test_backpressure(void)
{
    Fixture f;
    fixture_init(&f);
    out(&f, FCR, 0x01);
    out(&f, MCR, OUT2);
    unsigned n = fill(&f), heard = 0;
    g_assert_cmpuint(n, >, STREAM_BUFFER_SIZE);
    out(&f, IER, 0x02);
    g_assert_false(line(&f)); /* busy: nothing to tell */

    while (heard < n) {
        uint8_t bytes[4096];
        ssize_t len;
        while ((len = read(f.host, bytes, sizeof(bytes))) > 0)
            for (ssize_t i = 0; i < len; i++)
                g_assert_cmphex(bytes[i], ==, heard++ & 0xff);
        settle();
    }
    g_assert_cmpuint(heard, ==, n);
    g_assert_true(line(&f));
    g_assert_cmphex(in(&f, IIR), ==, 0xc2);
    g_assert_cmphex(in(&f, LSR), ==, 0x60);
    fixture_finish(&f);
}

static void
test_unconnected(void)
{
    FakeIrq irq;
    fake_irq_init(&irq);
    Uart *uart = uart_new(&irq.controller, GSI, NULL);
    uart_device_ops.resume(uart);
    for (unsigned i = 0; i < 100; i++)
        uart_bus_ops.write(uart, DATA, 1, i);
    g_assert_cmphex(uart_bus_ops.read(uart, LSR, 1), ==, 0x60);
    g_assert_cmphex(uart_bus_ops.read(uart, DATA, 1), ==, 0);
    uart_device_ops.reset(uart);
    uart_device_ops.quiesce(uart);
    uart_device_ops.free(uart);
}

/* Everything a guest can see, and what it had not got rid of, moves to another process's UART. */
static void
test_save_and_load(void)
{
    Fixture from, to;
    fixture_init(&from);
    fixture_init(&to);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    out(&from, FCR, 0xc1);
    out(&from, MCR, OUT2 | 0x03);
    out(&from, LCR, 0x83);
    out(&from, DATA, 12);
    out(&from, LCR, 0x1b);
    out(&from, SCRATCH, 0x77);
    out(&from, IER, 0x01);
    host_says(&from, "typed");
    fill(&from);
    out(&from, DATA, '!'); /* without looking: into the transmit FIFO */
    uart_device_ops.quiesce(from.uart);
    host_says(&from, "later"); /* stays on the wire */
    state_save(uart_device_ops.state, from.uart, bytes);

    uart_device_ops.quiesce(to.uart);
    g_autoptr(GError) error = NULL;
    g_assert_true(state_load(uart_device_ops.state, to.uart, 1, bytes->data, bytes->len, &error));
    g_assert_no_error(error);
    uart_device_ops.resume(to.uart);
    g_assert_true(line(&to));
    g_assert_cmphex(in(&to, IIR), ==, 0xcc);
    g_assert_cmphex(in(&to, LCR), ==, 0x1b);
    g_assert_cmphex(in(&to, SCRATCH), ==, 0x77);
    g_assert_cmphex(in(&to, MSR), ==, in(&from, MSR));
    for (const char *at = "typed"; *at; at++)
        g_assert_cmpint(in(&to, DATA), ==, *at);
    g_assert_cmphex(in(&to, LSR), ==, 0x60); /* the transmitter found room */
    char heard[8];
    settle();
    g_assert_cmpint(read(to.host, heard, sizeof(heard)), ==, 2); /* the byte that filled it, and the one after */
    g_assert_cmpint(heard[1], ==, '!');

    bytes->data[bytes->len - 1] = 17; /* more than the FIFO holds */
    g_assert_false(state_load(uart_device_ops.state, to.uart, 1, bytes->data, bytes->len, &error));
    g_assert_error(error, STATE_ERROR, STATE_ERROR_MALFORMED);
    uart_device_ops.reset(to.uart);
    fixture_finish(&from);
    fixture_finish(&to);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/uart/registers", test_registers);
    g_test_add_func("/uart/output", test_output);
    g_test_add_func("/uart/input", test_input);
    g_test_add_func("/uart/transmitter-interrupt", test_transmitter_interrupt);
    g_test_add_func("/uart/interrupt-gate", test_interrupt_gate);
    g_test_add_func("/uart/loopback", test_loopback);
    g_test_add_func("/uart/overrun", test_overrun);
    g_test_add_func("/uart/backpressure", test_backpressure);
    g_test_add_func("/uart/unconnected", test_unconnected);
    g_test_add_func("/uart/save-and-load", test_save_and_load);
    return g_test_run();
}
