/* SPDX-License-Identifier: Apache-2.0 */
/* The desktop that most calls on desktops have for their second argument. */
#pragma once

#include "appliance/daemon/call.h"

/* Its id, if the caller sees it; NULL: the call has failed. */
const char *desktop_of(Call *call);
