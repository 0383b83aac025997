/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processors' threads, and what is done with all of them at once.
 *
 * A processor is either running or resting; only resting ones are looked at. The main thread says whether they may run and
 * waits for the last to rest; a processor that needs a reset, or cannot go on, rests by itself. Each processor's state is
 * taken from KVM as it is made, and a reset loads that again.
 */
#include "vmm/kvm/vcpus.h"

#include "vmm/kvm/host.h"
#include "vmm/kvm/hyperv.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vcpu_state.h"
#include "vmm/kvm/vm_private.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#define KICK_SIGNAL SIGUSR1

#define MCG_CTL_P (1u << 8) /* Intel SDM 3B, 16.3.1.1: there is a control register for all banks */

/* A message to one processor's LAPIC (Intel SDM 3A, 11.11): address, and data that say delivery mode SMI. */
#define MESSAGE_ADDRESS 0xfee00000u
#define MESSAGE_TARGET_SHIFT 12
#define MESSAGE_SMI (2u << 8)

#define LAPIC_ID 0x20 /* Intel SDM 3A, 11.4.1; the id is in the top byte in xAPIC mode, which a LAPIC starts in */

typedef struct {
    Vcpus *vcpus;
    Vcpu vcpu;
    GThread *thread;  /* from the first run */
    pthread_t id;     /* its own, set before it first runs */
    bool resting;     /* under the lock, as the next */
    VcpuStop stopped; /* why it rests, other than for a pause */
    VcpuState state;  /* filled while saving and loading */
} Slot;

struct Vcpus {
    Vm *vm;
    VcpusOptions options;
    BootLoader loader; /* .load is NULL where there is none */

    struct kvm_cpuid2 *supported;
    struct kvm_cpuid2 *hyperv; /* what KVM supports of it; NULL: nothing */
    CpuidTable cpuid;          /* of processor 0 */
    GPtrArray *saved_cpuid;    /* of struct kvm_cpuid_entry2, while saving and loading */
    VcpuStateShape shape;
    VcpuState power_on[2]; /* of processor 0, and of any other but for its APIC id */

    GMutex lock;
    GCond wake;   /* running or quitting changed */
    GCond rested; /* one more rests */
    bool running;
    bool quitting;
    unsigned n_resting;
    Slot slots[];
};

/* ---- threads ---- */

static void
ignore_signal(int number)
{
}

/* The signal only has to interrupt KVM_RUN, so it is handled, by nothing, and restarts no call. */
static void
take_kick_signal(void)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    sigaction(KICK_SIGNAL, &action, NULL);
}

/* Signals for the process go to the main thread; what a fault raises still ends it here. */
static void
block_signals(void)
{
    static const int wanted[] = {KICK_SIGNAL, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
        sigdelset(&blocked, wanted[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
}

static bool
may_run(const Slot *slot)
{
    return slot->vcpus->running && slot->stopped == VCPU_STOP_KICKED;
}

static void *
vcpu_thread(void *data)
{
    Slot *slot = data;
    Vcpus *vcpus = slot->vcpus;

    block_signals();
    if (vcpus->options.thread_begin)
        vcpus->options.thread_begin(vcpus->options.user);
    g_mutex_lock(&vcpus->lock);
    slot->id = pthread_self();
    for (;;) {
        while (!vcpus->quitting && !may_run(slot))
            g_cond_wait(&vcpus->wake, &vcpus->lock);
        if (vcpus->quitting)
            break;
        slot->resting = false;
        vcpus->n_resting--;
        g_mutex_unlock(&vcpus->lock);
        VcpuStop stopped = vcpu_run(&slot->vcpu);
        g_mutex_lock(&vcpus->lock);
        slot->stopped = stopped;
        slot->resting = true;
        vcpus->n_resting++;
        g_cond_signal(&vcpus->rested);
    }
    g_mutex_unlock(&vcpus->lock);
    return NULL;
}

/* Under the lock; a new thread counts as resting until it takes the lock itself. */
static void
start_threads(Vcpus *vcpus)
{
    for (unsigned i = 0; i < vcpus->options.count; i++) {
        Slot *slot = &vcpus->slots[i];
        char name[16];
        g_snprintf(name, sizeof(name), "vcpu%u", i);
        if (!slot->thread)
            slot->thread = g_thread_new(name, vcpu_thread, slot);
    }
}

static void
vcpus_run(void *user)
{
    Vcpus *vcpus = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&vcpus->lock);

    g_assert(!vcpus->running && vcpus->n_resting == vcpus->options.count);
    start_threads(vcpus);
    vcpus->running = true;
    for (unsigned i = 0; i < vcpus->options.count; i++) {
        Slot *slot = &vcpus->slots[i];
        if (slot->stopped == VCPU_STOP_ERROR)
            slot->stopped = VCPU_STOP_KICKED; /* somebody thinks it is worth another try */
        vcpu_allow(&slot->vcpu);
    }
    g_cond_broadcast(&vcpus->wake);
}

static void
vcpus_pause(void *user)
{
    Vcpus *vcpus = user;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&vcpus->lock);

    vcpus->running = false;
    for (unsigned i = 0; i < vcpus->options.count; i++) {
        Slot *slot = &vcpus->slots[i];
        vcpu_forbid(&slot->vcpu);
        if (!slot->resting)
            pthread_kill(slot->id, KICK_SIGNAL);
    }
    while (vcpus->n_resting < vcpus->options.count)
        g_cond_wait(&vcpus->rested, &vcpus->lock);
}

/* ---- reset and boot ---- */

bool
vcpus_boot(Vcpus *vcpus, GError **error)
{
    BootState state = {.mode = BOOT_MODE_RESET_VECTOR};
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    int fd = vcpus->slots[0].vcpu.fd;

    if (!vcpus->loader.load)
        return true;
    if (!vcpus->loader.load(vcpus->loader.loader, &state, error))
        return false;
    if (ioctl(fd, KVM_GET_REGS, &regs) == 0 && ioctl(fd, KVM_GET_SREGS, &sregs) == 0) {
        boot_state_apply(&state, &regs, &sregs);
        if (ioctl(fd, KVM_SET_SREGS, &sregs) == 0 && ioctl(fd, KVM_SET_REGS, &regs) == 0)
            return true;
    }
    kvm_set_error(error, errno, "cannot set the first processor's registers");
    return false;
}

static bool
power_on(Vcpus *vcpus, unsigned index, GError **error)
{
    VcpuState *state = &vcpus->power_on[index > 0];
    uint32_t id = index << 24;
    memcpy(state->lapic.regs + LAPIC_ID, &id, sizeof(id));
    return vcpu_state_set(state, &vcpus->shape, vcpus->slots[index].vcpu.fd, error);
}

static void
vcpus_reset(void *user)
{
    Vcpus *vcpus = user;
    g_autoptr(GError) error = NULL;
    bool done = true;

    for (unsigned i = 0; done && i < vcpus->options.count; i++) {
        vcpus->slots[i].stopped = VCPU_STOP_KICKED; /* resting: no lock needed */
        done = power_on(vcpus, i, &error);
    }
    if (!done || !vcpus_boot(vcpus, &error)) {
        for (unsigned i = 0; i < vcpus->options.count; i++)
            vcpus->slots[i].stopped = VCPU_STOP_RESET; /* there is nothing to run: wait for another reset */
        g_autofree char *detail = g_strdup_printf("cannot reset: %s", error->message);
        machine_request(vcpus->options.machine, MACHINE_REQUEST_PAUSE_ERROR, detail);
    }
}

static const MachineCpuOps machine_ops = {.run = vcpus_run, .pause = vcpus_pause, .reset = vcpus_reset};

/* ---- saved state ---- */

static void
vcpu_before_save(void *object)
{
    Slot *slot = object;
    vcpu_state_get(&slot->state, &slot->vcpus->shape, slot->vcpu.fd);
}

static void
forget_state(Slot *slot)
{
    vcpu_state_finish(&slot->state);
    vcpu_state_init(&slot->state);
}

static void
vcpu_after_save(void *object)
{
    forget_state(object);
}

static bool
vcpu_after_load(void *object, GError **error)
{
    Slot *slot = object;
    bool done = vcpu_state_set(&slot->state, &slot->vcpus->shape, slot->vcpu.fd, error);
    forget_state(slot);
    if (!done)
        g_prefix_error(error, "vcpu%u: ", slot->vcpu.index);
    return done;
}

/* A guest that uses kvmclock is told that it was held, so that its watchdogs do not take the gap for a hang. */
static void
vcpu_resume(void *device)
{
    Slot *slot = device;
    (void)ioctl(slot->vcpu.fd, KVM_KVMCLOCK_CTRL, 0); /* EINVAL where the guest does not use it */
}

static const StateField vcpu_fields[] = {
    STATE_STRUCT(Slot, state, 1, &vcpu_state_table),
    STATE_END,
};
static const StateTable vcpu_table = {
    .name = "vcpu",
    .version = 1,
    .oldest = 1,
    .fields = vcpu_fields,
    .before_save = vcpu_before_save,
    .after_save = vcpu_after_save,
    .after_load = vcpu_after_load,
};
static const DeviceOps vcpu_ops = {.name = "vcpu", .resume = vcpu_resume, .state = &vcpu_table};

/* What of Hyper-V a processor has only when asked: its interrupt controller; and that it has no more than it shows. */
static bool
enable_hyperv(Vcpus *vcpus, int vcpu_fd, GError **error)
{
    struct kvm_enable_cap synic = {.cap = KVM_CAP_HYPERV_SYNIC2};
    struct kvm_enable_cap enforce = {.cap = KVM_CAP_HYPERV_ENFORCE_CPUID, .args = {1}};

    if (!hyperv_is_shown(&vcpus->cpuid))
        return true;
    (void)ioctl(vcpu_fd, KVM_ENABLE_CAP, &enforce); /* EINVAL before Linux 5.14 */
    if (!hyperv_shows_synic(&vcpus->cpuid) || ioctl(vcpu_fd, KVM_ENABLE_CAP, &synic) == 0)
        return true;
    kvm_set_error(error, errno, "cannot set up Hyper-V's interrupt controller: KVM_CAP_HYPERV_SYNIC2");
    return false;
}

static bool
set_cpuid(Vcpus *vcpus, GError **error)
{
    for (unsigned i = 0; i < vcpus->options.count; i++) {
        CpuidTable table;
        cpuid_for_vcpu(&vcpus->cpuid, i, &table);
        if (ioctl(vcpus->slots[i].vcpu.fd, KVM_SET_CPUID2, &table) < 0) {
            kvm_set_error(error, errno, "cannot set what the processor tells of itself: KVM_SET_CPUID2");
            return false;
        }
        if (!enable_hyperv(vcpus, vcpus->slots[i].vcpu.fd, error))
            return false;
    }
    return true;
}

/* Which registers there are, and what is in them before anything ran. */
static bool
read_power_on(Vcpus *vcpus, GError **error)
{
    bool hyperv = hyperv_is_shown(&vcpus->cpuid);

    vcpu_state_shape_finish(&vcpus->shape);
    if (!vcpu_state_shape_init(&vcpus->shape, vm_kvm_fd(vcpus->vm), vm_fd(vcpus->vm), vcpus->slots[0].vcpu.fd, hyperv,
                               error))
        return false;
    for (unsigned i = 0; i < MIN(vcpus->options.count, 2); i++) {
        vcpu_state_get(&vcpus->power_on[i], &vcpus->shape, vcpus->slots[i].vcpu.fd);
        vcpus->power_on[i].tsc_realtime_ns = 0; /* a reset leaves the time alone */
    }
    return true;
}

static void
cpuid_before_save(void *object)
{
    Vcpus *vcpus = object;
    g_ptr_array_set_size(vcpus->saved_cpuid, 0);
    for (uint32_t i = 0; i < vcpus->cpuid.nent; i++)
        g_ptr_array_add(vcpus->saved_cpuid, g_memdup2(&vcpus->cpuid.entries[i], sizeof(vcpus->cpuid.entries[i])));
}

static void
cpuid_after_save(void *object)
{
    Vcpus *vcpus = object;
    g_ptr_array_set_size(vcpus->saved_cpuid, 0);
}

/* The guest goes on with the processor it had, where this host can be that: not with what its configuration says now. */
static bool
cpuid_after_load(void *object, GError **error)
{
    Vcpus *vcpus = object;
    CpuidTable saved = {.nent = vcpus->saved_cpuid->len};

    for (uint32_t i = 0; i < saved.nent; i++)
        saved.entries[i] = *(struct kvm_cpuid_entry2 *)vcpus->saved_cpuid->pdata[i];
    g_ptr_array_set_size(vcpus->saved_cpuid, 0);
    if (!cpuid_check(&saved, vcpus->supported, error) || !hyperv_check(&saved, vcpus->hyperv, error))
        return false;
    vcpus->cpuid = saved;
    return set_cpuid(vcpus, error) && read_power_on(vcpus, error);
}

static void *
cpuid_entry_create(void)
{
    return g_new0(struct kvm_cpuid_entry2, 1);
}

static const StateField cpuid_entry_fields[] = {
    STATE_UINT(struct kvm_cpuid_entry2, function, 1), STATE_UINT(struct kvm_cpuid_entry2, index, 1),
    STATE_UINT(struct kvm_cpuid_entry2, flags, 1),    STATE_UINT(struct kvm_cpuid_entry2, eax, 1),
    STATE_UINT(struct kvm_cpuid_entry2, ebx, 1),      STATE_UINT(struct kvm_cpuid_entry2, ecx, 1),
    STATE_UINT(struct kvm_cpuid_entry2, edx, 1),      STATE_END,
};
static const StateTable cpuid_entry_table = {
    .name = "cpuid-entry", .version = 1, .oldest = 1, .fields = cpuid_entry_fields, .create = cpuid_entry_create};

static const StateField cpuid_fields[] = {
    STATE_LIST(Vcpus, saved_cpuid, 1, &cpuid_entry_table, CPUID_TABLE_MAX),
    STATE_END,
};
static const StateTable cpuid_table = {
    .name = "cpuid",
    .version = 1,
    .oldest = 1,
    .fields = cpuid_fields,
    .before_save = cpuid_before_save,
    .after_save = cpuid_after_save,
    .after_load = cpuid_after_load,
};
static const DeviceOps cpuid_ops = {.name = "cpuid", .state = &cpuid_table};

/* ---- life ---- */

/* Machine check banks, as many as today's processors have. KVM gives none unless asked. */
#define MCE_BANKS 10

static bool
set_up_mce(Vcpus *vcpus, GError **error)
{
    uint64_t capabilities = 0;

    if (!vcpus->options.cpuid.mce)
        return true;
    bool done = ioctl(vm_kvm_fd(vcpus->vm), KVM_X86_GET_MCE_CAP_SUPPORTED, &capabilities) == 0;
    capabilities = (capabilities & MCG_CTL_P) | MCE_BANKS;
    for (unsigned i = 0; done && i < vcpus->options.count; i++)
        done = ioctl(vcpus->slots[i].vcpu.fd, KVM_X86_SETUP_MCE, &capabilities) == 0;
    if (!done)
        kvm_set_error(error, errno, "cannot set up machine checks (mce=true): KVM_X86_SETUP_MCE");
    return done;
}

/*
 * AMD processors have four performance counters that no CPUID bit announces, so hiding the bits is not enough. A KVM that
 * cannot turn them off (before Linux 5.18) leaves them there.
 */
static void
turn_pmu_off(Vcpus *vcpus)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_PMU_CAPABILITY, .args = {KVM_PMU_CAP_DISABLE}};
    if (!vcpus->options.cpuid.pmu)
        (void)ioctl(vm_fd(vcpus->vm), KVM_ENABLE_CAP, &cap);
}

static bool
create(Vcpus *vcpus, GError **error)
{
    int kvm_fd = vm_kvm_fd(vcpus->vm);
    unsigned count = vcpus->options.count;

    vcpus->supported = kvm_host_cpuid(kvm_fd, error);
    if (!vcpus->supported || !cpuid_build(vcpus->supported, &vcpus->options.cpuid, count, &vcpus->cpuid, error))
        return false;
    vcpus->hyperv = kvm_host_hyperv_cpuid(kvm_fd);
    if (vcpus->options.cpuid.hyperv && hyperv_offered(vcpus->hyperv))
        hyperv_add(&vcpus->cpuid, vcpus->hyperv);
    turn_pmu_off(vcpus);
    for (unsigned i = 0; i < count; i++)
        if (!vcpu_init(&vcpus->slots[i].vcpu, i, kvm_fd, vm_fd(vcpus->vm), error))
            return false;
    return set_cpuid(vcpus, error) && set_up_mce(vcpus, error) && read_power_on(vcpus, error);
}

Vcpus *
vcpus_new(Vm *vm, const VcpusOptions *options, GError **error)
{
    g_assert(options->count >= 1 && options->count <= VCPUS_MAX);
    g_assert(options->ports && options->addresses && options->machine);
    g_autoptr(Vcpus) vcpus = g_malloc0(sizeof(*vcpus) + options->count * sizeof(vcpus->slots[0]));
    vcpus->vm = vm;
    vcpus->options = *options;
    vcpus->n_resting = options->count;
    vcpus->saved_cpuid = g_ptr_array_new_with_free_func(g_free);
    g_mutex_init(&vcpus->lock);
    g_cond_init(&vcpus->wake);
    g_cond_init(&vcpus->rested);
    for (size_t i = 0; i < G_N_ELEMENTS(vcpus->power_on); i++)
        vcpu_state_init(&vcpus->power_on[i]);
    for (unsigned i = 0; i < options->count; i++) {
        Slot *slot = &vcpus->slots[i];
        slot->vcpus = vcpus;
        slot->resting = true;
        slot->vcpu = (Vcpu){.fd = -1,
                            .ports = options->ports,
                            .addresses = options->addresses,
                            .smm = options->smm,
                            .machine = options->machine};
        vcpu_state_init(&slot->state);
    }
    take_kick_signal();
    if (!create(vcpus, error))
        return NULL;
    return g_steal_pointer(&vcpus);
}

void
vcpus_free(Vcpus *vcpus)
{
    if (!vcpus)
        return;
    g_mutex_lock(&vcpus->lock);
    g_assert(!vcpus->running);
    vcpus->quitting = true;
    g_cond_broadcast(&vcpus->wake);
    g_mutex_unlock(&vcpus->lock);
    for (unsigned i = 0; i < vcpus->options.count; i++) {
        Slot *slot = &vcpus->slots[i];
        g_clear_pointer(&slot->thread, g_thread_join);
        vcpu_finish(&slot->vcpu);
        vcpu_state_finish(&slot->state);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(vcpus->power_on); i++)
        vcpu_state_finish(&vcpus->power_on[i]);
    vcpu_state_shape_finish(&vcpus->shape);
    g_ptr_array_unref(vcpus->saved_cpuid);
    g_free(vcpus->supported);
    g_free(vcpus->hyperv);
    g_cond_clear(&vcpus->wake);
    g_cond_clear(&vcpus->rested);
    g_mutex_clear(&vcpus->lock);
    g_free(vcpus);
}

void
vcpus_add_to_machine(Vcpus *vcpus)
{
    Machine *machine = vcpus->options.machine;

    vm_add_clock(vcpus->vm, machine);
    machine_add(machine, "cpuid", &cpuid_ops, vcpus);
    for (unsigned i = 0; i < vcpus->options.count; i++) {
        char id[16];
        g_snprintf(id, sizeof(id), "vcpu%u", i);
        machine_add(machine, id, &vcpu_ops, &vcpus->slots[i]);
    }
    vm_add_chips(vcpus->vm, machine); /* a loaded IOAPIC delivers what it has pending, so the LAPICs come first */
    machine_set_cpus(machine, &machine_ops, vcpus);
}

void
vcpus_set_loader(Vcpus *vcpus, const BootLoader *loader)
{
    vcpus->loader = *loader;
}

/* Nobody but its own thread may ask KVM anything about a processor that runs; so others get theirs as a message. */
static void
send_smi(const Vcpus *vcpus, unsigned index)
{
    struct kvm_msi message = {.address_lo = MESSAGE_ADDRESS | index << MESSAGE_TARGET_SHIFT, .data = MESSAGE_SMI};

    (void)ioctl(vm_fd(vcpus->vm), KVM_SIGNAL_MSI, &message); /* 0 where a LAPIC is off: it takes none */
}

static void
raise_smi(Vcpus *vcpus, bool others)
{
    for (unsigned i = 0; i < vcpus->options.count; i++) {
        Slot *slot = &vcpus->slots[i];
        if (slot->thread == g_thread_self())
            (void)ioctl(slot->vcpu.fd, KVM_SMI, 0); /* cannot fail where the capability is there */
        else if (others)
            send_smi(vcpus, i);
    }
}

void
vcpus_raise_smi(Vcpus *vcpus)
{
    raise_smi(vcpus, false);
}

void
vcpus_broadcast_smi(Vcpus *vcpus)
{
    raise_smi(vcpus, true);
}

unsigned
vcpus_count(const Vcpus *vcpus)
{
    return vcpus->options.count;
}

bool
vcpus_show_hyperv(const Vcpus *vcpus)
{
    return hyperv_is_shown(&vcpus->cpuid);
}

unsigned
vcpus_physical_bits(const Vcpus *vcpus)
{
    return cpuid_physical_bits(&vcpus->cpuid);
}

void
vcpus_exits(const Vcpus *vcpus, unsigned index, uint64_t counts[VCPU_EXITS])
{
    g_assert(index < vcpus->options.count);
    for (int i = 0; i < VCPU_EXITS; i++)
        counts[i] = __atomic_load_n(&vcpus->slots[index].vcpu.exits[i], __ATOMIC_RELAXED);
}
