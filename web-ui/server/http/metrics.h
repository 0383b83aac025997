/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: what carreld measures, for whoever has a session or comes from the host itself, and then what is measured
 * here, in Prometheus' text format 0.0.4.
 *
 * Owner: the main loop.
 */
#pragma once

#include "web-ui/server/tunnel/tunnels.h"

typedef struct {
    const Guests *guests;
    Tunnels *tunnels;
    uint64_t requests;
} MetricsSources;

void metrics_serve(HostLink *link, SoupServerMessage *message, const MetricsSources *sources);
