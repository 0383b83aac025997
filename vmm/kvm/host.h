/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's KVM: /dev/kvm opened or inherited, looked over, and asked what the processors can do.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include <linux/kvm.h>

#define KVM_ERROR (kvm_error_quark())
GQuark kvm_error_quark(void);
typedef enum {
    KVM_ERROR_ABSENT,  /* no /dev/kvm, no right to it, or a descriptor that is something else */
    KVM_ERROR_LACKING, /* KVM or the processor lacks something needed; the message names it */
    KVM_ERROR_HOST,    /* a call that should work failed */
} KvmError;

/*
 * Opens /dev/kvm, or takes over @inherited where that is not -1 (it is closed on failure too). Checks that it is KVM, its
 * version, and one by one each capability Carrel needs. Returns the descriptor, or -1 and an error in one line.
 */
int kvm_host_open(int inherited, GError **error);
/* Whether processors can have system management mode, with memory of its own. */
bool kvm_host_has_smm(int kvm_fd);

/*
 * KVM_GET_SUPPORTED_CPUID as a whole, and the TSC deadline timer, of which a capability tells; freed with g_free(). NULL and
 * an error where the host does not tell.
 */
struct kvm_cpuid2 *kvm_host_cpuid(int kvm_fd, GError **error);
/* KVM_GET_SUPPORTED_HV_CPUID, freed with g_free(); NULL where KVM offers nothing of Hyper-V. */
struct kvm_cpuid2 *kvm_host_hyperv_cpuid(int kvm_fd);
/* The registers KVM can save and load (KVM_GET_MSR_INDEX_LIST); freed with g_free(). */
struct kvm_msr_list *kvm_host_msrs(int kvm_fd, GError **error);

/* Sets a KVM_ERROR_HOST error: "@what: @strerror(code)". For the files of this folder. */
void kvm_set_error(GError **error, int code, const char *what);
