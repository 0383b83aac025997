/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One desktop: the virtual PC with its display, put together from a configuration and open descriptors, and run.
 *
 * Owner: the main thread.
 */
#pragma once

#include "vmm/desktop/resources.h"
#include "vmm/state/saved_file.h"

typedef struct Desktop Desktop;

/*
 * Builds everything, starts nothing. @saved: go on from there, else boot. @config and @resources outlive the desktop, which
 * takes the descriptors it uses. NULL with one error.
 */
Desktop *desktop_new(const DesktopConfig *config, Resources *resources, const SavedFile *saved, GError **error);
/* Lets the guest run until it ends. Returns carrel-vmm's exit status. */
int desktop_run(Desktop *desktop);
void desktop_free(Desktop *desktop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Desktop, desktop_free)
