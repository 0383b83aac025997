/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a processor out of KVM and writing it back, in the order KVM needs: asking for the MP state first lets KVM act
 * on an INIT or SIPI that is on its way; the LAPIC's base is in the special registers, its timer mode before the MSR that
 * arms it; events come after everything that could drop them.
 */
#include "vmm/kvm/vcpu_state.h"

#include "vmm/kvm/guest_clock.h"
#include "vmm/kvm/host.h"
#include "vmm/kvm/hyperv.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_IA32_TSC 0x10
#define MSR_IA32_TSC_DEADLINE 0x6e0

/* What KVM saves and loads but does not list: memory types (Intel SDM 3A, 12.11) and machine check banks (3B, 16.3). */
static const struct {
    uint32_t first;
    uint32_t n;
} unlisted_msrs[] = {
    {0x200, 16},                         /* variable ranges */
    {0x250, 1},  {0x258, 2}, {0x268, 8}, /* fixed ranges */
    {0x2ff, 1},                          /* default type */
    {0x400, 40},                         /* ten banks of four */
};

static bool
is_unlisted(uint32_t index)
{
    for (size_t i = 0; i < G_N_ELEMENTS(unlisted_msrs); i++)
        if (index - unlisted_msrs[i].first < unlisted_msrs[i].n)
            return true;
    return false;
}

/* A processor has about 60; Intel's performance counters bring some 70 more. */
#define MSRS_MAX 4096
/* 8 KiB of AMX tiles in the largest there is (Intel SDM 1, 13.2) */
#define XSAVE_MAX (64 * 1024)

static struct kvm_msrs *
msr_list_new(size_t n)
{
    return g_malloc0(sizeof(struct kvm_msrs) + n * sizeof(struct kvm_msr_entry));
}

/*
 * Has KVM do KVM_GET_MSRS or KVM_SET_MSRS with @n entries. It stops at the first that it cannot do; returns how many it
 * did before that one. One call for many: each has KVM load and unload the processor.
 */
static size_t
do_msrs(int vcpu_fd, unsigned long request, struct kvm_msrs *list, struct kvm_msr_entry *entries, size_t n)
{
    list->nmsrs = n;
    memcpy(list->entries, entries, n * sizeof(*entries));
    int n_done = ioctl(vcpu_fd, request, list);
    memcpy(entries, list->entries, n * sizeof(*entries));
    return MAX(n_done, 0);
}

static bool
get_msr(int vcpu_fd, uint32_t index, uint64_t *value)
{
    g_autofree struct kvm_msrs *list = msr_list_new(1);
    struct kvm_msr_entry entry = {.index = index};
    if (do_msrs(vcpu_fd, KVM_GET_MSRS, list, &entry, 1) != 1)
        return false;
    *value = entry.data;
    return true;
}

/* Writes all. One that refuses its value but already holds it is right: some are read-only, or follow from others. */
static bool
set_msrs(int vcpu_fd, struct kvm_msr_entry *entries, size_t n, GError **error)
{
    g_autofree struct kvm_msrs *list = msr_list_new(n);

    for (size_t at = 0; at < n; at++) { /* past the one it stopped at */
        uint64_t now;
        at += do_msrs(vcpu_fd, KVM_SET_MSRS, list, entries + at, n - at);
        if (at == n || (get_msr(vcpu_fd, entries[at].index, &now) && now == entries[at].data))
            continue;
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                    "this host's KVM cannot load model-specific register 0x%x with 0x%" G_GINT64_MODIFIER "x",
                    entries[at].index, (uint64_t)entries[at].data);
        return false;
    }
    return true;
}

static void
add_msr(GArray *entries, uint32_t index)
{
    struct kvm_msr_entry entry = {.index = index};
    g_array_append_val(entries, entry);
}

/*
 * Everything that may be worth saving, each once; not the TSC, which has its own place. Of Hyper-V's registers KVM lists some
 * that are no state and leaves out most that are; without Hyper-V none is saved, so that another host need not have them.
 */
static GArray *
candidate_msrs(const struct kvm_msr_list *listed, bool hyperv)
{
    GArray *entries = g_array_new(FALSE, TRUE, sizeof(struct kvm_msr_entry));
    for (uint32_t i = 0; i < listed->nmsrs; i++) {
        uint32_t index = listed->indices[i];
        if (index != MSR_IA32_TSC && !is_unlisted(index) && !hyperv_is_msr(index))
            add_msr(entries, index);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(unlisted_msrs); i++)
        for (uint32_t k = 0; k < unlisted_msrs[i].n; k++)
            add_msr(entries, unlisted_msrs[i].first + k);
    for (size_t i = 0; hyperv && i < hyperv_n_msrs; i++)
        add_msr(entries, hyperv_msrs[i]);
    return entries;
}

/* Keeps those of @candidates that KVM can read. */
static void
choose_msrs(VcpuStateShape *shape, GArray *candidates, int vcpu_fd)
{
    struct kvm_msr_entry *entries = (struct kvm_msr_entry *)candidates->data;
    g_autofree struct kvm_msrs *list = msr_list_new(candidates->len);

    shape->msr_indices = g_new(uint32_t, candidates->len);
    for (size_t at = 0; at < candidates->len; at++) { /* past the one it stopped at */
        size_t n_read = do_msrs(vcpu_fd, KVM_GET_MSRS, list, entries + at, candidates->len - at);
        for (size_t i = 0; i < n_read; i++)
            shape->msr_indices[shape->n_msrs++] = entries[at + i].index;
        at += n_read;
    }
}

bool
vcpu_state_shape_init(VcpuStateShape *shape, int kvm_fd, int vm_fd, int vcpu_fd, bool hyperv, GError **error)
{
    *shape = (VcpuStateShape){0};
    g_autofree struct kvm_msr_list *list = kvm_host_msrs(kvm_fd, error);
    if (!list)
        return false;
    int xsave_size = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
    shape->xsave_size = MAX(xsave_size, (int)sizeof(struct kvm_xsave));
    g_autoptr(GArray) candidates = candidate_msrs(list, hyperv);
    choose_msrs(shape, candidates, vcpu_fd);
    return true;
}

void
vcpu_state_shape_finish(VcpuStateShape *shape)
{
    g_clear_pointer(&shape->msr_indices, g_free);
}

void
vcpu_state_init(VcpuState *state)
{
    *state = (VcpuState){.msrs = g_ptr_array_new_with_free_func(g_free)};
}

void
vcpu_state_finish(VcpuState *state)
{
    g_clear_pointer(&state->xsave, g_byte_array_unref);
    g_clear_pointer(&state->msrs, g_ptr_array_unref);
}

static void
get_xsave(VcpuState *state, const VcpuStateShape *shape, int vcpu_fd)
{
    bool large = shape->xsave_size > sizeof(struct kvm_xsave);
    g_clear_pointer(&state->xsave, g_byte_array_unref);
    state->xsave = g_byte_array_sized_new(shape->xsave_size);
    g_byte_array_set_size(state->xsave, shape->xsave_size);
    int result = ioctl(vcpu_fd, large ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, state->xsave->data);
    g_assert(result == 0);
}

static void
get_msrs(VcpuState *state, const VcpuStateShape *shape, int vcpu_fd)
{
    g_autofree struct kvm_msrs *list = msr_list_new(shape->n_msrs);
    g_autofree struct kvm_msr_entry *entries = g_new0(struct kvm_msr_entry, shape->n_msrs);

    for (size_t i = 0; i < shape->n_msrs; i++)
        entries[i].index = shape->msr_indices[i];
    size_t n_read = do_msrs(vcpu_fd, KVM_GET_MSRS, list, entries, shape->n_msrs);
    g_assert(n_read == shape->n_msrs); /* each could be read before */
    g_ptr_array_set_size(state->msrs, 0);
    for (size_t i = 0; i < shape->n_msrs; i++) {
        VcpuMsr *msr = g_new(VcpuMsr, 1);
        *msr = (VcpuMsr){.index = entries[i].index, .value = entries[i].data};
        g_ptr_array_add(state->msrs, msr);
    }
}

static void
get_tsc(VcpuState *state, int vcpu_fd)
{
    int khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);
    state->tsc_khz = MAX(khz, 0);
    bool read = get_msr(vcpu_fd, MSR_IA32_TSC, &state->tsc);
    state->tsc_realtime_ns = guest_clock_realtime();
    g_assert(read);
}

void
vcpu_state_get(VcpuState *state, const VcpuStateShape *shape, int vcpu_fd)
{
    struct kvm_xcrs xcrs;
    int failed = ioctl(vcpu_fd, KVM_GET_MP_STATE, &state->mp);
    failed |= ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &state->events);
    failed |= ioctl(vcpu_fd, KVM_GET_REGS, &state->regs);
    failed |= ioctl(vcpu_fd, KVM_GET_SREGS2, &state->sregs);
    failed |= ioctl(vcpu_fd, KVM_GET_DEBUGREGS, &state->debug);
    failed |= ioctl(vcpu_fd, KVM_GET_XCRS, &xcrs);
    failed |= ioctl(vcpu_fd, KVM_GET_LAPIC, &state->lapic);
    g_assert(!failed);
    state->xcr0 = xcrs.nr_xcrs ? xcrs.xcrs[0].value : 0;
    get_xsave(state, shape, vcpu_fd);
    get_msrs(state, shape, vcpu_fd);
    get_tsc(state, vcpu_fd);
}

static bool
done(int result, const char *what, GError **error)
{
    if (result >= 0)
        return true;
    g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING, "this host's KVM cannot load the processor's %s: %s", what,
                g_strerror(errno));
    return false;
}

static bool
set_xsave(const VcpuState *state, const VcpuStateShape *shape, int vcpu_fd, GError **error)
{
    g_autofree uint8_t *area = g_malloc0(shape->xsave_size);
    guint len = state->xsave ? state->xsave->len : 0;

    for (gsize i = shape->xsave_size; i < len; i++)
        if (state->xsave->data[i]) {
            g_set_error_literal(error, KVM_ERROR, KVM_ERROR_LACKING,
                                "the saved processor has registers that this host's has not");
            return false;
        }
    if (len)
        memcpy(area, state->xsave->data, MIN(len, shape->xsave_size));
    if (!done(ioctl(vcpu_fd, KVM_SET_XSAVE, area), "floating-point and vector registers", error))
        return false;
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = state->xcr0}}};
    return !state->xcr0 || done(ioctl(vcpu_fd, KVM_SET_XCRS, &xcrs), "XCR0", error);
}

/* The TSC as it is now: it has gone on by the real time since it was read. */
static bool
moved_tsc(const VcpuState *state, int vcpu_fd, uint64_t *tsc, GError **error)
{
    int host_khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);
    uint32_t khz = MAX(host_khz, 0);
    if (state->tsc_khz && state->tsc_khz != khz && ioctl(vcpu_fd, KVM_SET_TSC_KHZ, (long)state->tsc_khz) < 0) {
        g_set_error(error, KVM_ERROR, KVM_ERROR_LACKING,
                    "the saved processor's time stamp counter runs at %u kHz, this host's at %u, and its KVM cannot "
                    "scale it",
                    state->tsc_khz, khz);
        return false;
    }
    uint64_t elapsed = guest_clock_elapsed(state->tsc_realtime_ns, guest_clock_realtime());
    *tsc = state->tsc + (uint64_t)((unsigned __int128)elapsed * state->tsc_khz / 1000000);
    return true;
}

/* The TSC first, and last what arms a timer against it. */
static bool
set_all_msrs(const VcpuState *state, int vcpu_fd, GError **error)
{
    g_autofree struct kvm_msr_entry *entries = g_new0(struct kvm_msr_entry, state->msrs->len + 2);
    const VcpuMsr *deadline = NULL;
    size_t n = 0;

    if (state->tsc_realtime_ns) {
        uint64_t tsc;
        if (!moved_tsc(state, vcpu_fd, &tsc, error))
            return false;
        entries[n++] = (struct kvm_msr_entry){.index = MSR_IA32_TSC, .data = tsc};
    }
    for (guint i = 0; i < state->msrs->len; i++) {
        const VcpuMsr *msr = state->msrs->pdata[i];
        if (msr->index == MSR_IA32_TSC_DEADLINE)
            deadline = msr;
        else if (msr->index != MSR_IA32_TSC)
            entries[n++] = (struct kvm_msr_entry){.index = msr->index, .data = msr->value};
    }
    if (deadline)
        entries[n++] = (struct kvm_msr_entry){.index = deadline->index, .data = deadline->value};
    return set_msrs(vcpu_fd, entries, n, error);
}

bool
vcpu_state_set(const VcpuState *state, const VcpuStateShape *shape, int vcpu_fd, GError **error)
{
    return done(ioctl(vcpu_fd, KVM_SET_SREGS2, &state->sregs), "control and segment registers", error) &&
           done(ioctl(vcpu_fd, KVM_SET_REGS, &state->regs), "registers", error) &&
           set_xsave(state, shape, vcpu_fd, error) &&
           done(ioctl(vcpu_fd, KVM_SET_DEBUGREGS, &state->debug), "debug registers", error) &&
           done(ioctl(vcpu_fd, KVM_SET_LAPIC, &state->lapic), "local APIC", error) &&
           set_all_msrs(state, vcpu_fd, error) &&
           done(ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, &state->events), "pending events", error) &&
           done(ioctl(vcpu_fd, KVM_SET_MP_STATE, &state->mp), "run state", error);
}

static const StateField segment_fields[] = {
    STATE_UINT(struct kvm_segment, base, 1),
    STATE_UINT(struct kvm_segment, limit, 1),
    STATE_UINT(struct kvm_segment, selector, 1),
    STATE_UINT(struct kvm_segment, type, 1),
    STATE_UINT(struct kvm_segment, present, 1),
    STATE_UINT(struct kvm_segment, dpl, 1),
    STATE_UINT(struct kvm_segment, db, 1),
    STATE_UINT(struct kvm_segment, s, 1),
    STATE_UINT(struct kvm_segment, l, 1),
    STATE_UINT(struct kvm_segment, g, 1),
    STATE_UINT(struct kvm_segment, avl, 1),
    STATE_UINT(struct kvm_segment, unusable, 1),
    STATE_END,
};
static const StateTable segment_table = {.name = "segment", .version = 1, .oldest = 1, .fields = segment_fields};

static const StateField dtable_fields[] = {
    STATE_UINT(struct kvm_dtable, base, 1),
    STATE_UINT(struct kvm_dtable, limit, 1),
    STATE_END,
};
static const StateTable dtable_table = {.name = "dtable", .version = 1, .oldest = 1, .fields = dtable_fields};

static const StateField word_fields[] = {
    {.name = "word", .kind = STATE_KIND_UINT, .since = 1, .offset = 0, .size = sizeof(uint64_t)},
    STATE_END,
};
static const StateTable word_table = {.name = "word", .version = 1, .oldest = 1, .fields = word_fields};

static void *
msr_create(void)
{
    return g_new0(VcpuMsr, 1);
}

static const StateField msr_fields[] = {
    STATE_UINT(VcpuMsr, index, 1),
    STATE_UINT(VcpuMsr, value, 1),
    STATE_END,
};
static const StateTable msr_table = {
    .name = "msr", .version = 1, .oldest = 1, .fields = msr_fields, .create = msr_create};

#define WORD(member) STATE_UINT(VcpuState, member, 1)
#define SEGMENT(member) STATE_STRUCT(VcpuState, sregs.member, 1, &segment_table)

static const StateField vcpu_state_fields[] = {
    WORD(mp.mp_state),

    WORD(regs.rax),
    WORD(regs.rbx),
    WORD(regs.rcx),
    WORD(regs.rdx),
    WORD(regs.rsi),
    WORD(regs.rdi),
    WORD(regs.rsp),
    WORD(regs.rbp),
    WORD(regs.r8),
    WORD(regs.r9),
    WORD(regs.r10),
    WORD(regs.r11),
    WORD(regs.r12),
    WORD(regs.r13),
    WORD(regs.r14),
    WORD(regs.r15),
    WORD(regs.rip),
    WORD(regs.rflags),

    SEGMENT(cs),
    SEGMENT(ds),
    SEGMENT(es),
    SEGMENT(fs),
    SEGMENT(gs),
    SEGMENT(ss),
    SEGMENT(tr),
    SEGMENT(ldt),
    STATE_STRUCT(VcpuState, sregs.gdt, 1, &dtable_table),
    STATE_STRUCT(VcpuState, sregs.idt, 1, &dtable_table),
    WORD(sregs.cr0),
    WORD(sregs.cr2),
    WORD(sregs.cr3),
    WORD(sregs.cr4),
    WORD(sregs.cr8),
    WORD(sregs.efer),
    WORD(sregs.apic_base),
    WORD(sregs.flags),
    STATE_ARRAY(VcpuState, sregs.pdptrs, 1, &word_table),

    STATE_ARRAY(VcpuState, debug.db, 1, &word_table),
    WORD(debug.dr6),
    WORD(debug.dr7),

    WORD(events.exception.injected),
    WORD(events.exception.nr),
    WORD(events.exception.has_error_code),
    WORD(events.exception.pending),
    WORD(events.exception.error_code),
    WORD(events.exception_has_payload),
    WORD(events.exception_payload),
    WORD(events.interrupt.injected),
    WORD(events.interrupt.nr),
    WORD(events.interrupt.soft),
    WORD(events.interrupt.shadow),
    WORD(events.nmi.injected),
    WORD(events.nmi.pending),
    WORD(events.nmi.masked),
    WORD(events.sipi_vector),
    WORD(events.flags),
    WORD(events.smi.smm),
    WORD(events.smi.pending),
    WORD(events.smi.smm_inside_nmi),
    WORD(events.smi.latched_init),
    WORD(events.triple_fault.pending),

    STATE_BYTES(VcpuState, lapic.regs, 1), /* the register page, as the LAPIC defines it */
    WORD(xcr0),
    STATE_BUFFER(VcpuState, xsave, 1, XSAVE_MAX),
    STATE_LIST(VcpuState, msrs, 1, &msr_table, MSRS_MAX),
    WORD(tsc_khz),
    WORD(tsc),
    WORD(tsc_realtime_ns),
    STATE_END,
};

const StateTable vcpu_state_table = {.name = "vcpu", .version = 1, .oldest = 1, .fields = vcpu_state_fields};
