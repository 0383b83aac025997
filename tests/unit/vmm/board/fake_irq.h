/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt lines that remember: their level, and how often each rose. Messages are not for the devices tested with it. */
#pragma once

#include "vmm/board/irq.h"

#include <glib.h>

typedef struct {
    IrqController controller;
    bool level[24];
    unsigned rises[24];
} FakeIrq;

static void
fake_set_line(void *host, unsigned gsi, bool high)
{
    FakeIrq *fake = host;
    g_assert_cmpuint(gsi, <, G_N_ELEMENTS(fake->level));
    fake->rises[gsi] += high && !fake->level[gsi];
    fake->level[gsi] = high;
}

static const IrqOps fake_irq_ops = {.set_line = fake_set_line};

static inline void
fake_irq_init(FakeIrq *fake)
{
    *fake = (FakeIrq){.controller = {&fake_irq_ops, fake}};
}
