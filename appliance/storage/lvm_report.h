/* SPDX-License-Identifier: Apache-2.0 */
/* What lvs tells, from its JSON (lvmreport(7)). No state, any thread. */
#pragma once

#include "appliance/storage/volumes.h"

/* The fields that lvs is to be asked for, in bytes and without units; times in seconds since 1970. */
#define LVM_REPORT_FIELDS \
    "lv_name,lv_size,lv_time,pool_lv,data_percent,metadata_percent,lv_tags,vg_extent_size,lv_when_full"
#define LVM_TAG "carrel"

typedef struct {
    VolumesView *view; /* of the pool @pool: its tagged volumes whose names are ours */
    bool has_pool;
    double metadata_percent; /* of the pool's */
    uint64_t extent;         /* bytes */
    bool fails_when_full;
} LvmReport;

void lvm_report_clear(LvmReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LvmReport, lvm_report_clear)

/* @report: set on success only. */
bool lvm_report_read(const char *json, const char *pool, LvmReport *report, GError **error);
