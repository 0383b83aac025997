/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest whose memory is in use, and that can be seen to run: it fills what it has and then puts a byte on the serial
 * port every millisecond. Saved and restored, its first byte is the moment it runs again. Command line: fill=MIB.
 */
#include "clock.h"
#include "console.h"
#include "start.h"
#include "tap.h"
#include "user.h"

/* A number a page, each other than the last: no page is zero, none equals another. */
static uint64_t
fill(void *pages)
{
    uint64_t *words = pages, n = start_option_number("fill", 16) << 20;

    for (uint64_t i = 0; i < n / 8; i++)
        words[i] = (i + 1) * 0x9e3779b97f4a7c15;
    return 0;
}

void
guest_main(void)
{
    void *pages = pages_allocate(start_option_number("fill", 16) << 20 >> 12);

    user_run(fill, pages);
    ask_harness("ready");
    for (;;) {
        console_put('.');
        clock_delay(MILLISECONDS(1));
    }
}
