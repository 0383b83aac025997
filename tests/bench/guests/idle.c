/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that is up and does nothing: one processor, halted, no timer. */
#include "cpu.h"
#include "start.h"
#include "tap.h"

void
guest_main(void)
{
    ask_harness("ready");
    for (;;)
        __asm__ volatile("cli; hlt");
}
