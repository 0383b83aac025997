/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's, its desktops' and the daemon's figures in Prometheus' text format 0.0.4.
 *
 * Owner: the main thread.
 */
#pragma once

#include "appliance/daemon/daemon.h"

char *metrics_text(Daemon *daemon, const StorageRoom *room);
