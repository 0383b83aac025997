/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/desktops/private.h"

void
desktops_left(Desktops *desktops, const char *desktop)
{
}

void
desktops_user_left(Desktops *desktops, const char *user)
{
}
