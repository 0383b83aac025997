/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 16550A. Section numbers are those of the PC16550D data sheet.
 *
 * Out: THR → the stream, or, where its buffer is full, the transmit FIFO, which drains when the stream has room again.
 * In: the stream → the receive FIFO → RBR; the stream is told whenever the FIFO has room again. Everything else is
 * bookkeeping for the one interrupt line, recomputed by update() after each change.
 */
#include "vmm/board/uart.h"

#include "vmm/board/bytewise.h"

#include <string.h>

#define FIFO_SIZE 16

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

/* Interrupt enable, 8.6 */
#define IER_DATA 0x01
#define IER_THR 0x02
#define IER_LINE 0x04
#define IER_MODEM 0x08
#define IER_ALL 0x0f

/* Interrupt identification, 8.5, by falling priority */
#define IIR_LINE 0x06
#define IIR_DATA 0x04
#define IIR_TIMEOUT 0x0c
#define IIR_THR 0x02
#define IIR_MODEM 0x00
#define IIR_NONE 0x01
#define IIR_FIFOS 0xc0

/* FIFO control, 8.7 */
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RECEIVE 0x02
#define FCR_CLEAR_TRANSMIT 0x04
#define FCR_TRIGGER 0xc0

#define LCR_DIVISOR 0x80

/* Modem control, 8.8 */
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08 /* on a PC, the gate between the chip's interrupt and the bus */
#define MCR_LOOP 0x10
#define MCR_ALL 0x1f

/* Line status, 8.4 */
#define LSR_DATA 0x01
#define LSR_OVERRUN 0x02
#define LSR_THR_EMPTY 0x20
#define LSR_EMPTY 0x40

/* Modem status, 8.9: changes in the low half, lines in the high half */
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80
#define MSR_CHANGES 0x0f
#define MSR_RI_WENT_AWAY 0x04
#define MSR_CONNECTED (MSR_CTS | MSR_DSR | MSR_DCD)

struct Uart {
    const IrqController *irq;
    unsigned gsi;
    Stream *stream; /* NULL: not connected */

    GMutex lock; /* the rest */
    uint8_t divisor[2];
    uint8_t ier, fcr, lcr, mcr, msr, scratch;
    bool overrun;
    bool thr_pending; /* the transmitter became empty, and the guest was not told yet */
    uint8_t receive[FIFO_SIZE], n_receive;
    uint8_t transmit[FIFO_SIZE], n_transmit;
    bool line;     /* the interrupt's level */
    bool quiesced; /* takes no input: paused, or not started */
};

static unsigned
receive_size(const Uart *uart)
{
    return uart->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

static unsigned
receive_trigger(const Uart *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};
    return uart->fcr & FCR_ENABLE ? levels[(uart->fcr & FCR_TRIGGER) >> 6] : 1;
}

static uint8_t
identify(const Uart *uart)
{
    if ((uart->ier & IER_LINE) && uart->overrun)
        return IIR_LINE;
    if ((uart->ier & IER_DATA) && uart->n_receive >= receive_trigger(uart))
        return IIR_DATA;
    /* Below the trigger level a byte interrupts after four characters' time without another (8.0, FIFO mode): at once. */
    if ((uart->ier & IER_DATA) && uart->n_receive)
        return IIR_TIMEOUT;
    if ((uart->ier & IER_THR) && uart->thr_pending)
        return IIR_THR;
    if ((uart->ier & IER_MODEM) && (uart->msr & MSR_CHANGES))
        return IIR_MODEM;
    return IIR_NONE;
}

static void
update(Uart *uart)
{
    bool line = identify(uart) != IIR_NONE && (uart->mcr & MCR_OUT2);
    if (line != uart->line)
        uart->irq->ops->set_line(uart->irq->host, uart->gsi, line);
    uart->line = line;
}

/* What the modem lines are: the other side's, always there, or in loopback our own. */
static void
set_modem_lines(Uart *uart)
{
    uint8_t lines = MSR_CONNECTED;
    if (uart->mcr & MCR_LOOP) {
        lines = (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
                (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    uint8_t old = uart->msr & ~MSR_CHANGES;
    uint8_t changed = (old ^ lines) >> 4 & ~MSR_RI_WENT_AWAY;
    if ((old & MSR_RI) && !(lines & MSR_RI)) /* of the ring indicator only the end counts */
        changed |= MSR_RI_WENT_AWAY;
    uart->msr = lines | (uart->msr & MSR_CHANGES) | changed;
}

static void
receive(Uart *uart, uint8_t byte)
{
    if (uart->n_receive >= receive_size(uart)) {
        uart->overrun = true; /* with FIFOs the new byte is lost, without them the old one */
        if (!(uart->fcr & FCR_ENABLE))
            uart->receive[0] = byte;
        return;
    }
    uart->receive[uart->n_receive++] = byte;
}

static void
transmit(Uart *uart, uint8_t byte)
{
    uart->thr_pending = false;
    if (uart->mcr & MCR_LOOP) {
        receive(uart, byte);
    } else if (uart->n_transmit || (uart->stream && !stream_write(uart->stream, &byte, 1))) {
        if (uart->n_transmit < FIFO_SIZE) /* a guest that writes to a full transmitter loses the byte */
            uart->transmit[uart->n_transmit++] = byte;
        return;
    }
    uart->thr_pending = true;
}

/* Moves what waited into the stream. */
static void
drain(Uart *uart)
{
    if (!uart->n_transmit)
        return;
    size_t taken = uart->stream ? stream_write(uart->stream, uart->transmit, uart->n_transmit) : uart->n_transmit;
    uart->n_transmit -= taken;
    memmove(uart->transmit, uart->transmit + taken, uart->n_transmit);
    if (!uart->n_transmit)
        uart->thr_pending = true;
    update(uart);
}

static uint8_t
take_received(Uart *uart)
{
    if (!uart->n_receive)
        return 0;
    uint8_t byte = uart->receive[0];
    memmove(uart->receive, uart->receive + 1, --uart->n_receive);
    /* When the FIFO is empty, the stream fills it in one go: not once a byte. */
    if (!uart->n_receive && uart->stream)
        stream_resume_input(uart->stream);
    return byte;
}

static uint8_t
line_status(Uart *uart)
{
    uint8_t status = (uart->n_receive ? LSR_DATA : 0) | (uart->overrun ? LSR_OVERRUN : 0) |
                     (uart->n_transmit ? 0 : LSR_THR_EMPTY | LSR_EMPTY);
    uart->overrun = false;
    return status;
}

static uint8_t
read_identity(Uart *uart)
{
    uint8_t identity = identify(uart);
    if (identity == IIR_THR)
        uart->thr_pending = false;
    return identity | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t
read_register(Uart *uart, uint64_t reg)
{
    uint8_t value;

    switch (reg) {
    case REG_DATA:
        return uart->lcr & LCR_DIVISOR ? uart->divisor[0] : take_received(uart);
    case REG_IER:
        return uart->lcr & LCR_DIVISOR ? uart->divisor[1] : uart->ier;
    case REG_IIR_FCR:
        return read_identity(uart);
    case REG_LCR:
        return uart->lcr;
    case REG_MCR:
        return uart->mcr;
    case REG_LSR:
        return line_status(uart);
    case REG_MSR:
        value = uart->msr;
        uart->msr &= ~MSR_CHANGES;
        return value;
    default:
        return uart->scratch;
    }
}

static void
write_ier(Uart *uart, uint8_t value)
{
    /* Wanting the transmitter's interrupt while it is empty gives one at once; drivers wait for that. */
    if ((value & IER_THR) && !(uart->ier & IER_THR) && !uart->n_transmit)
        uart->thr_pending = true;
    uart->ier = value & IER_ALL;
}

static void
write_fcr(Uart *uart, uint8_t value)
{
    bool toggled = (value ^ uart->fcr) & FCR_ENABLE;

    uart->fcr = value & (FCR_ENABLE | FCR_TRIGGER);
    if (toggled || (value & FCR_CLEAR_RECEIVE)) {
        uart->n_receive = 0;
        if (uart->stream)
            stream_resume_input(uart->stream);
    }
    if ((toggled || (value & FCR_CLEAR_TRANSMIT)) && uart->n_transmit) {
        uart->n_transmit = 0;
        uart->thr_pending = true;
    }
}

static void
write_register(Uart *uart, uint64_t reg, uint8_t value)
{
    switch (reg) {
    case REG_DATA:
        if (uart->lcr & LCR_DIVISOR)
            uart->divisor[0] = value;
        else
            transmit(uart, value);
        break;
    case REG_IER:
        if (uart->lcr & LCR_DIVISOR)
            uart->divisor[1] = value;
        else
            write_ier(uart, value);
        break;
    case REG_IIR_FCR:
        write_fcr(uart, value);
        break;
    case REG_LCR:
        uart->lcr = value;
        break;
    case REG_MCR:
        uart->mcr = value & MCR_ALL;
        set_modem_lines(uart);
        if (uart->stream) /* out of loopback: input comes from outside again */
            stream_resume_input(uart->stream);
        break;
    case REG_SCRATCH:
        uart->scratch = value;
        break;
    default: /* line and modem status are for reading */
        break;
    }
}

static uint8_t
read_byte(void *device, uint64_t offset)
{
    return read_register(device, offset);
}

static void
write_byte(void *device, uint64_t offset, uint8_t value)
{
    write_register(device, offset, value);
}

static uint64_t
uart_read(void *device, uint64_t offset, unsigned size)
{
    Uart *uart = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&uart->lock);
    uint64_t value = bytewise_read(uart, offset, size, read_byte);
    update(uart);
    return value;
}

static void
uart_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
    Uart *uart = device;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&uart->lock);
    bytewise_write(uart, offset, size, value, write_byte);
    update(uart);
}

const BusOps uart_bus_ops = {uart_read, uart_write};

static size_t
stream_room(void *user)
{
    Uart *uart = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&uart->lock);
    /* In loopback the receiver hears only ourselves. */
    if (uart->quiesced || (uart->mcr & MCR_LOOP))
        return 0;
    return receive_size(uart) - MIN(uart->n_receive, receive_size(uart));
}

static void
stream_input(void *user, const uint8_t *bytes, size_t len)
{
    Uart *uart = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&uart->lock);
    for (size_t i = 0; i < len; i++)
        receive(uart, bytes[i]);
    update(uart);
}

static void
stream_drained(void *user)
{
    Uart *uart = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&uart->lock);
    drain(uart);
}

static const StreamOps stream_ops = {stream_room, stream_input, stream_drained, NULL};

static void
power_on(Uart *uart)
{
    uart->divisor[0] = 1; /* the data sheet leaves it undefined; 115200 */
    uart->divisor[1] = 0;
    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scratch = 0;
    uart->msr = MSR_CONNECTED;
    uart->overrun = uart->thr_pending = false;
    uart->n_receive = uart->n_transmit = 0;
}

Uart *
uart_new(const IrqController *irq, unsigned gsi, Stream *stream)
{
    Uart *uart = g_new0(Uart, 1);
    uart->irq = irq;
    uart->gsi = gsi;
    uart->stream = stream;
    g_mutex_init(&uart->lock);
    uart->quiesced = true;
    power_on(uart);
    if (stream)
        stream_set_user(stream, &stream_ops, uart);
    return uart;
}

static void
uart_free(void *device)
{
    Uart *uart = device;
    if (!uart)
        return;
    stream_free(uart->stream);
    g_mutex_clear(&uart->lock);
    g_free(uart);
}

static void
uart_reset(void *device)
{
    Uart *uart = device;
    g_mutex_lock(&uart->lock);
    power_on(uart);
    update(uart);
    g_mutex_unlock(&uart->lock);
    if (uart->stream)
        stream_resume_input(uart->stream);
}

static void
uart_quiesce(void *device)
{
    Uart *uart = device;
    g_mutex_lock(&uart->lock);
    uart->quiesced = true;
    g_mutex_unlock(&uart->lock);
    if (uart->stream)
        stream_flush(uart->stream);
}

static void
uart_resume(void *device)
{
    Uart *uart = device;
    g_mutex_lock(&uart->lock);
    uart->quiesced = false;
    drain(uart); /* after a load the stream is another, and has room */
    update(uart);
    uart->irq->ops->set_line(uart->irq->host, uart->gsi, uart->line); /* nor does anybody else know the level */
    g_mutex_unlock(&uart->lock);
    if (uart->stream)
        stream_resume_input(uart->stream);
}

static bool
uart_after_load(void *object, GError **error)
{
    Uart *uart = object;
    if (uart->n_receive > FIFO_SIZE || uart->n_transmit > FIFO_SIZE) {
        g_set_error(error, STATE_ERROR, STATE_ERROR_MALFORMED, "state of uart: more than 16 bytes in a FIFO");
        return false;
    }
    uart->ier &= IER_ALL;
    uart->fcr &= FCR_ENABLE | FCR_TRIGGER;
    uart->mcr &= MCR_ALL;
    return true;
}

static const StateField uart_fields[] = {
    STATE_BYTES(Uart, divisor, 1),    STATE_UINT(Uart, ier, 1),
    STATE_UINT(Uart, fcr, 1),         STATE_UINT(Uart, lcr, 1),
    STATE_UINT(Uart, mcr, 1),         STATE_UINT(Uart, msr, 1),
    STATE_UINT(Uart, scratch, 1),     STATE_BOOL(Uart, overrun, 1),
    STATE_BOOL(Uart, thr_pending, 1), STATE_BYTES(Uart, receive, 1),
    STATE_UINT(Uart, n_receive, 1),   STATE_BYTES(Uart, transmit, 1),
    STATE_UINT(Uart, n_transmit, 1),  STATE_END,
};

static const StateTable uart_state = {
    .name = "uart", .version = 1, .oldest = 1, .fields = uart_fields, .after_load = uart_after_load};

const DeviceOps uart_device_ops = {
    .name = "uart",
    .reset = uart_reset,
    .quiesce = uart_quiesce,
    .resume = uart_resume,
    .state = &uart_state,
    .free = uart_free,
};
