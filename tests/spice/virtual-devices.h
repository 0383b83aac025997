/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices the SPICE server talks to, without a guest: input reports are printed, and the agent's port is a pipe that a
 * test reads and writes. They stand in for vmm/virtio/input.c and console.c at link time.
 */
#pragma once

#include "display/spice/server.h"

SpiceDisplayInputs virtual_inputs(void);
VirtioDevice *virtual_console(void);
void virtual_keyboard_set_leds(unsigned leds);

/*
 * Plays the guest's agent: "open", "close", "write HEX" (the guest sends), "take N" (it makes room for N bytes from now on;
 * what it gets is printed as "agent got HEX").
 */
bool virtual_port_command(const char *command, const char *argument);
