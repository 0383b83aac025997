/* SPDX-License-Identifier: Apache-2.0 */
/* spice-server has checked that the message is as long as it says; sizes are the client's and the producer's to judge. */
#include "display/spice/monitors.h"

static MonitorRequest
request_of(const VDAgentMonConfig *monitor, const VDAgentMonitorMM *size, bool has_place)
{
    return (MonitorRequest){
        .enabled = monitor->width && monitor->height,
        .width = monitor->width,
        .height = monitor->height,
        .x = has_place ? monitor->x : 0,
        .y = has_place ? monitor->y : 0,
        .width_mm = size ? size->width : 0,
        .height_mm = size ? size->height : 0,
    };
}

unsigned
monitors_from_client(const VDAgentMonitorsConfig *config, MonitorRequest *requests, unsigned max)
{
    const VDAgentMonitorMM *sizes = (const VDAgentMonitorMM *)&config->monitors[config->num_of_monitors];
    bool has_sizes = config->flags & VD_AGENT_CONFIG_MONITORS_FLAG_PHYSICAL_SIZE;
    bool has_places = config->flags & VD_AGENT_CONFIG_MONITORS_FLAG_USE_POS;
    unsigned n = MIN(config->num_of_monitors, max);

    for (unsigned i = 0; i < n; i++)
        requests[i] = request_of(&config->monitors[i], has_sizes ? &sizes[i] : NULL, has_places);
    return n;
}
