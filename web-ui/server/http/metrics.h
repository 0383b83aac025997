/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: what carreld measures, for whoever is signed in and may see it, and then what is measured here, in
 * Prometheus' text format 0.0.4. Where a request comes from is no sign-in: on the host itself a proxy may stand before
 * us.
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
