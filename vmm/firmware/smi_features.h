/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What firmware and board agree on about system management interrupts, through three fw_cfg files as QEMU has them:
 *
 *     etc/smi/supported-features   what the board can do, bits of SMI_FEATURE_…
 *     etc/smi/requested-features   what firmware wants of it; it writes this, then selects
 *     etc/smi/features-ok          1: agreed, until the next reset; 0: something was wanted that there is not
 *
 * Where nothing is agreed an interrupt that software raises reaches the processor that raised it alone.
 *
 * Owner: the main thread; the files are the guest's, on any thread.
 */
#pragma once

#include "vmm/board/device.h"
#include "vmm/firmware/fw_cfg.h"

#define SMI_FEATURE_BROADCAST 1 /* it reaches every processor: none is left to look on from outside */

typedef struct SmiFeatures SmiFeatures;

/* Adds the files. */
SmiFeatures *smi_features_new(FwCfg *fw_cfg);
/* Bits that are agreed on now. Any thread. */
uint64_t smi_features_agreed(const SmiFeatures *features);

/* For the machine's table, which owns it. */
extern const DeviceOps smi_features_device_ops;
