/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desktop saved and restored, as the guest sees it: nothing happened. Every device is brought into a state that differs
 * from reset, the harness saves the desktop and goes on with the restored one, and each device is asked for what it had.
 * Meanwhile another processor reads and writes a disk, so that requests are in flight.
 *
 * Command line: port=NAME of the console's port. Two processors; disk 0 is 1 MiB of zeroes with two queues.
 */
#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "gpu.h"
#include "interrupt.h"
#include "smp.h"
#include "start.h"
#include "tap.h"
#include "text.h"
#include "user.h"
#include "virtqueue.h"

#define MSR_LSTAR 0xc0000082
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MARK 0x00005aa512345678
#define SECTOR 512

static volatile bool loading;

/* --- processor and board --- */

static uint8_t timer_vector;
static uint64_t clock_before, tsc_before;

static void
cmos_write(uint8_t index, uint8_t value)
{
    port_write8(0x70, index);
    port_write8(0x71, value);
}

static uint8_t
cmos_read(uint8_t index)
{
    port_write8(0x70, index);
    return port_read8(0x71);
}

static void
set_board(void)
{
    timer_vector = interrupt_allocate(NULL, NULL);
    msr_write(MSR_LSTAR, MARK);
    msr_write(MSR_KERNEL_GS_BASE, MARK + 1);
    port_write8(0x3ff, 0xa7); /* the serial port's scratch register */
    cmos_write(0x55, 0x3c);
    port_write16(acpi.pm1a_event + 2, 0x0100); /* the power button's event is enabled */
    io_apic_route(9, timer_vector, true, false);
    local_apic_write(LOCAL_APIC_TASK_PRIORITY, 0x10);
    /* Rings in three seconds: after the desktop was saved, perhaps before it is restored. */
    local_apic_write(LOCAL_APIC_TIMER_DIVIDE, 0xb);
    local_apic_write(LOCAL_APIC_TIMER, timer_vector);
    local_apic_write(LOCAL_APIC_TIMER_COUNT, 3000000000u);
    clock_before = clock_kvm_ns();
    tsc_before = tsc_read();
}

static void
check_board(void)
{
    ok_equal(msr_read(MSR_LSTAR), MARK, "processor: a model-specific register");
    ok_equal(msr_read(MSR_KERNEL_GS_BASE), MARK + 1, "processor: and another");
    ok(tsc_read() > tsc_before, "processor: the time stamp counter went on");
    uint64_t passed = clock_kvm_ns() - clock_before;
    ok(passed > 0 && passed < SECONDS(60), "processor: kvmclock went on, by seconds at most");
    ok_equal(port_read8(0x3ff), 0xa7, "serial port: its scratch register");
    ok_equal(cmos_read(0x55), 0x3c, "clock: its memory");
    ok_equal(port_read16(acpi.pm1a_event + 2), 0x0100, "power management: the event enabled");
    ok_equal(local_apic_read(LOCAL_APIC_TASK_PRIORITY), 0x10, "local APIC: its priority");
    local_apic_write(LOCAL_APIC_TASK_PRIORITY, 0);
    ok(interrupt_wait(timer_vector, 0, SECONDS(20)), "local APIC: its timer rings");
}

/* --- entropy device: a moved register block, a packed ring in mid-turn, an interrupt held back --- */

static VirtioDevice rng;
static VirtQueue rng_queue;
static uint8_t rng_vector, bytes[64];

static bool
entropy(void)
{
    VirtBuffer buffer = {bytes, sizeof(bytes)};

    return virtqueue_do(&rng_queue, &buffer, 0, 1) == sizeof(bytes);
}

static void
set_entropy(void)
{
    rng_vector = interrupt_allocate(NULL, NULL);
    virtio_find(VIRTIO_ENTROPY, 0, &rng);
    virtio_negotiate(&rng, VIRTIO_F_PACKED | VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_INDEX);
    pci_msix_set(&rng.pci, 1, rng_vector, true);
    pci_msix_enable(&rng.pci, true, false);
    virtqueue_init(&rng_queue, &rng, 0, 8, 1);
    virtio_driver_ok(&rng);
    for (unsigned i = 0; i < 13; i++)
        entropy();
    ok(mmio_read32(pci_msix_pending(&rng.pci)) & 2, "before: an interrupt is held back by its mask");
}

static void
check_entropy(void)
{
    ok(mmio_read32(pci_msix_pending(&rng.pci)) & 2, "entropy: the interrupt held back is still pending");
    pci_msix_set(&rng.pci, 1, rng_vector, false);
    ok(interrupt_wait(rng_vector, 0, SECONDS(2)), "entropy: and comes when it is let");
    unsigned good = 0;
    for (unsigned i = 0; i < 20; i++)
        good += entropy();
    ok_equal(good, 20, "entropy: its ring goes on where it was");
    uint64_t seen = interrupt_count(rng_vector);
    entropy();
    ok(interrupt_wait(rng_vector, seen, SECONDS(2)), "entropy: and interrupts");
}

/* --- disk: a second processor works on it all the time --- */

static VirtioDevice disk;
static VirtQueue disk_queues[2];
static uint64_t written, bad;

typedef struct Head {
    uint32_t type, reserved;
    uint64_t sector;
} Head;

static bool
transfer(VirtQueue *queue, uint32_t type, uint64_t sector, void *data)
{
    Head head = {type, 0, sector};
    volatile uint8_t status = 0xff;
    VirtBuffer chain[] = {{&head, sizeof(head)}, {data, SECTOR}, {(void *)&status, 1}};

    return virtqueue_do(queue, chain, type ? 2 : 1, type ? 1 : 2) >= 0 && status == 0;
}

static void
load(void *context)
{
    static uint64_t out[SECTOR / 8], in[SECTOR / 8];

    (void)context;
    while (loading) {
        uint64_t sector = 64 + written % 64;
        out[0] = ++written;
        bad +=
            !transfer(&disk_queues[1], 1, sector, out) || !transfer(&disk_queues[1], 0, sector, in) || in[0] != written;
    }
}

static void
set_disk(void)
{
    static uint64_t data[SECTOR / 8] = {MARK};

    virtio_find(VIRTIO_BLOCK, 0, &disk);
    virtio_negotiate(&disk, 1ull << 12 | 1ull << 9 | VIRTIO_F_EVENT_INDEX);
    for (unsigned i = 0; i < 2; i++)
        virtqueue_init(&disk_queues[i], &disk, i, 16, VIRTIO_NO_VECTOR);
    virtio_driver_ok(&disk);
    ok(transfer(&disk_queues[0], 1, 3, data), "before: a sector is written");
}

static void
check_disk(void)
{
    static uint64_t data[SECTOR / 8];
    uint64_t before = written;

    ok(transfer(&disk_queues[0], 0, 3, data) && data[0] == MARK, "disk: what was written is there");
    clock_delay(MILLISECONDS(100));
    ok(written > before, "disk: the other processor goes on writing");
    loading = false;
    ok(smp_wait(1, SECONDS(5)), "disk: until it is stopped");
    ok_equal(bad, 0, "disk: no request was lost or wrong");
    note("%lu sectors", written);
}

/* --- picture --- */

static void
set_picture(void)
{
    enum { WIDTH = 320, HEIGHT = 200 };
    uint32_t *pixels = pages_allocate(WIDTH * HEIGHT * 4 / PAGE_SIZE + 1);
    GpuEntry entry = {(uint64_t)pixels, WIDTH * HEIGHT * 4, 0};
    GpuBox all = {0, 0, WIDTH, HEIGHT}, half = {0, 0, WIDTH, HEIGHT / 2};

    gpu_start(VIRTIO_F_EVENT_INDEX);
    gpu_create(5, GPU_BGRX, WIDTH, HEIGHT);
    gpu_attach(5, &entry, 1);
    memset(pixels, 0x60, WIDTH * HEIGHT * 2);
    gpu_transfer(5, half, 0);
    /* The backing changes after the transfer: the picture has to come from the resource. */
    memset(pixels, 0x90, WIDTH * HEIGHT * 2);
    gpu_set_scanout(0, 5, all);
    ok_equal(gpu_flush(5, all), GPU_OK, "before: a picture");
    ask_harness("screen");
}

static void
check_picture(void)
{
    GpuBox corner = {0, 0, 64, 64};

    ask_harness("screen");
    ok_equal(gpu_transfer(5, corner, 0), GPU_OK, "picture: its resource and backing are there");
    ok_equal(gpu_flush(5, corner), GPU_OK, "picture: and shown");
    ask_harness("screen");
    ok(gpu_create(5, GPU_BGRX, 64, 64) >= GPU_ERROR, "picture: its number is taken");
    ok_equal(gpu_unref(5), GPU_OK, "picture: and is given back");
}

/* --- user mode: the registers that are switched with it --- */

static uint64_t
user_part(void *argument)
{
    uint64_t xmm = MARK, got;

    (void)argument;
    __asm__ volatile("movq %0, %%xmm5" : : "r"(xmm));
    ask_harness("save");
    __asm__ volatile("movq %%xmm5, %0" : "=r"(got));
    return got;
}

static void
allow_sse(void)
{
    uint64_t cr0, cr4;

    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movq %0, %%cr0" : : "r"((cr0 & ~4ul) | 2));
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4 | 0x600)); /* OSFXSR, OSXMMEXCPT */
}

void
guest_main(void)
{
    allow_sse();
    ok_equal(smp_start(), 2, "before: two processors");
    set_entropy();
    set_disk();
    set_picture();
    set_board();
    loading = true;
    smp_run(1, load, NULL);
    clock_delay(MILLISECONDS(20));

    ok_equal(user_run(user_part, NULL), MARK, "user mode: a vector register");
    check_board();
    check_entropy();
    check_disk();
    check_picture();
    tap_done();
}
