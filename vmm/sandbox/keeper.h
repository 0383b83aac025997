/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two processes; for this folder. */
#pragma once

/*
 * In the desktop process: it ends when its keeper does, also when that has happened already. Again after each change of
 * user, since the kernel forgets.
 */
void keeper_follow(void);
