/* SPDX-License-Identifier: Apache-2.0 */
/* Before something that matters: whether whoever has the session also knows the password. */
#pragma once

#include "appliance/daemon/call.h"

/* Has @then called, when it is right; else the call fails. At the console nobody is asked. */
void confirm_password(Call *call, const char *password, void (*then)(Call *call));
