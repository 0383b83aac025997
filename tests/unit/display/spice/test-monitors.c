/* SPDX-License-Identifier: Apache-2.0 */
/* Clients' wishes for monitors. */
#include "display/spice/monitors.h"

#include <glib.h>

typedef struct {
    VDAgentMonitorsConfig config;
    VDAgentMonConfig monitors[3];
    VDAgentMonitorMM sizes[3];
} Message;

static void
test_places_and_sizes(void)
{
    Message message = {
        .config = {.num_of_monitors = 3,
                   .flags = VD_AGENT_CONFIG_MONITORS_FLAG_USE_POS | VD_AGENT_CONFIG_MONITORS_FLAG_PHYSICAL_SIZE},
        .monitors = {{.width = 1920, .height = 1080}, {.width = 0}, {.width = 800, .height = 600, .x = -800, .y = 40}},
        .sizes = {{.width = 527, .height = 296}, {0}, {.width = 300, .height = 200}},
    };
    MonitorRequest requests[4];

    g_assert_cmpuint(monitors_from_client(&message.config, requests, 4), ==, 3);
    g_assert_true(requests[0].enabled && !requests[1].enabled && requests[2].enabled);
    g_assert_cmpuint(requests[0].width, ==, 1920);
    g_assert_cmpuint(requests[0].height, ==, 1080);
    g_assert_cmpuint(requests[0].width_mm, ==, 527);
    g_assert_cmpint(requests[2].x, ==, -800);
    g_assert_cmpint(requests[2].y, ==, 40);
    g_assert_cmpuint(requests[2].height_mm, ==, 200);
    g_assert_cmpuint(monitors_from_client(&message.config, requests, 1), ==, 1);
}

static void
test_neither(void)
{
    Message message = {.config = {.num_of_monitors = 1}, .monitors = {{.width = 640, .height = 480, .x = 5, .y = 6}}};
    MonitorRequest requests[4];

    g_assert_cmpuint(monitors_from_client(&message.config, requests, 4), ==, 1);
    g_assert_cmpint(requests[0].x, ==, 0);
    g_assert_cmpuint(requests[0].width_mm, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/monitors/places-and-sizes", test_places_and_sizes);
    g_test_add_func("/monitors/neither", test_neither);
    return g_test_run();
}
