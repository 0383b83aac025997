/* SPDX-License-Identifier: Apache-2.0 */
/* An idle guest costs nothing: with all legacy devices there, the loop waits for ever unless the guest armed something. */
#include "tests/unit/vmm/board/fake_irq.h"
#include "vmm/board/memory_map.h"
#include "vmm/board/pm.h"
#include "vmm/board/rtc.h"
#include "vmm/board/uart.h"

typedef struct {
    GMainContext *context;
    Clock *clock;
    FakeIrq irq;
    Rtc *rtc;
    Pm *pm;
    Uart *uart;
} Board;

static void
ignore_request(void *user, MachineRequest request)
{
}

static void
board_init(Board *board)
{
    *board = (Board){.context = g_main_context_new()};
    fake_irq_init(&board->irq);
    board->clock = clock_new(board->context);
    board->rtc = rtc_new(board->clock, &board->irq.controller, 0);
    board->pm = pm_new(board->clock, &board->irq.controller, ignore_request, NULL);
    board->uart = uart_new(&board->irq.controller, BOARD_GSI_COM1, stream_new_fds(-1, -1, board->context));
    rtc_device_ops.resume(board->rtc);
    pm_device_ops.resume(board->pm);
    uart_device_ops.resume(board->uart);
}

static void
board_finish(Board *board)
{
    uart_device_ops.free(board->uart);
    pm_device_ops.free(board->pm);
    rtc_device_ops.free(board->rtc);
    clock_free(board->clock);
    g_main_context_unref(board->context);
}

/* Milliseconds the loop would sleep once what is ready is done; -1: for ever. */
static int
loop_timeout(const Board *board)
{
    int priority, timeout;
    GPollFD fds[8];

    while (g_main_context_iteration(board->context, FALSE))
        ;
    g_assert_true(g_main_context_acquire(board->context));
    g_main_context_prepare(board->context, &priority);
    g_main_context_query(board->context, priority, &timeout, fds, G_N_ELEMENTS(fds));
    g_main_context_release(board->context);
    return timeout;
}

static void
set_rtc(const Board *board, uint8_t index, uint8_t value)
{
    rtc_bus_ops.write(board->rtc, 0, 2, index | value << 8);
}

static void
test_idle(void)
{
    Board board;
    board_init(&board);
    g_assert_cmpint(loop_timeout(&board), ==, -1);

    /* What a booting Linux does: read the time, set the port up, enable the button. */
    rtc_bus_ops.write(board.rtc, 0, 1, 0);
    rtc_bus_ops.read(board.rtc, 1, 1);
    pm_bus_ops.read(board.pm, PM_REGISTER_TIMER, 4);
    pm_bus_ops.write(board.pm, PM_REGISTER_ENABLE, 2, 0x100);
    uart_bus_ops.write(board.uart, 1, 1, 0x0f);
    uart_bus_ops.write(board.uart, 0, 1, 'x');
    g_assert_cmpint(loop_timeout(&board), ==, -1);

    /* What a guest arms costs as long as it is armed. */
    set_rtc(&board, 0x0b, 0x42); /* periodic */
    g_assert_cmpint(loop_timeout(&board), !=, -1);
    rtc_device_ops.quiesce(board.rtc);
    g_assert_cmpint(loop_timeout(&board), ==, -1);
    rtc_device_ops.resume(board.rtc);
    set_rtc(&board, 0x0b, 0x02);
    g_assert_cmpint(loop_timeout(&board), ==, -1);
    pm_bus_ops.write(board.pm, PM_REGISTER_ENABLE, 2, 0x001);
    g_assert_cmpint(loop_timeout(&board), >, 500 * 1000);
    pm_device_ops.reset(board.pm);
    g_assert_cmpint(loop_timeout(&board), ==, -1);
    board_finish(&board);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/idle", test_idle);
    return g_test_run();
}
