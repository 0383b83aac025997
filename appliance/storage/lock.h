/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks on what is open: open-file-description locks on the whole file, which pass to whoever inherits the descriptor and end
 * with its last copy. A VMM takes the same one on what it is given. Any thread.
 */
#pragma once

#include "appliance/storage/storage.h"

/*
 * Takes a lock on @fd; @writing needs a descriptor to write to. IN_USE if another description has one that does not go with
 * it, after waiting for a moment: a process that was killed lets go some time after it is gone. @what names it in the message.
 */
bool lock_take(int fd, bool writing, const char *what, GError **error);
