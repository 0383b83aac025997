/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/desktops.h"

G_DEFINE_QUARK(carrel_desktops_error, desktops_error)
