/* SPDX-License-Identifier: Apache-2.0 */
/* The DSDT's byte code: the board as the guest's ACPI interpreter sees it. Used by acpi.c alone. */
#pragma once

#include "vmm/board/acpi.h"

/* The caller's to free. */
GByteArray *dsdt_code(const AcpiOptions *options);
