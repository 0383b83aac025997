/* SPDX-License-Identifier: Apache-2.0 */
/* Says "idle" and halts for good: a guest for tests of everything around it. */
#include "console.h"
#include "cpu.h"
#include "start.h"

void
guest_main(void)
{
    console_printf("idle\n");
    for (;;)
        cpu_wait_interrupt();
}
