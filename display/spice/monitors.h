/* SPDX-License-Identifier: Apache-2.0 */
/* A client's wish for monitors (VDAgentMonitorsConfig, vd_agent.h) in the Screen's terms. Pure. */
#pragma once

#include "display/scanout.h"

#include <spice/vd_agent.h>

/* The first @max of them, by scanout; returns how many. */
unsigned monitors_from_client(const VDAgentMonitorsConfig *config, MonitorRequest *requests, unsigned max);
