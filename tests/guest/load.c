/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that works on everything at once and notices when the world was not as it left it: what a desktop does while
 * somebody pauses, saves, restores or ends it at a moment nobody chose.
 *
 * Several disk writes are always in flight, numbered; number N goes to block N % slots and holds nothing but numbers
 * made from N, and what was acknowledged is read again later. Memory is rewritten and compared, on every processor. A timer
 * interrupts, and no clock may go backwards. What comes in on a console port goes out again. A picture is on the screen.
 *
 * Command line: ring=N of virt_modes, slots=BLOCKS of disk 0 (none: no disk), memory=MIB to work on, port=NAME (none: no
 * port), gpu=1. Every 20 ms it says "alive K written N at NS": all writes before N are on stable storage, kvmclock was NS.
 * A byte on the serial port ends it: it reads every block again and says "end N", or before that "wrong: …".
 */
#include "apic.h"
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "gpu.h"
#include "interrupt.h"
#include "layout.h"
#include "smp.h"
#include "start.h"
#include "text.h"
#include "user.h"
#include "virtqueue.h"

#define REPORT_NS MILLISECONDS(20)
#define MIX 0x9e3779b97f4a7c15ull

static bool wrong; /* said so: the guest ends */

static void __attribute__((format(printf, 1, 2)))
fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_printf("wrong: ");
    console_vprintf(format, arguments);
    console_put('\n');
    va_end(arguments);
    wrong = true;
}

/* --- disk --- */

#define BLOCK 4096
#define WORDS (BLOCK / 8)
#define DEPTH 12
#define SLOTS_MAX 4096
#define FLUSH_EVERY 64

#define T_IN 0
#define T_OUT 1
#define T_FLUSH 4

typedef struct Request {
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } head;
    volatile uint8_t status;
    bool busy;
    uint64_t number; /* of a write; of a flush: all writes before it are done */
    uint64_t slot;   /* of a read */
    uint64_t *data;
} Request;

static VirtioDevice disk;
static VirtQueue disk_queue;
static Request requests[DEPTH], *request_of[1024];
static uint64_t slots, next_number = 1, stable; /* all writes before it were flushed */
static uint64_t done_in[SLOTS_MAX];             /* the number a slot's last acknowledged write had */
static uint64_t since_flush;
static bool flushing;

static void
fill_block(uint64_t *words, uint64_t number)
{
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = i ? number * MIX + i : number;
}

static bool
block_is(const uint64_t *words, uint64_t number)
{
    for (unsigned i = 0; i < WORDS; i++) {
        if (words[i] != (i ? number * MIX + i : number))
            return false;
    }
    return true;
}

static void
submit(Request *request, uint32_t type, uint64_t slot)
{
    VirtBuffer chain[] = {
        {&request->head, sizeof(request->head)}, {request->data, BLOCK}, {(void *)&request->status, 1}};

    if (type == T_FLUSH)
        chain[1] = chain[2];
    request->head.type = type;
    request->head.sector = type == T_FLUSH ? 0 : slot * (BLOCK / 512);
    request->slot = slot;
    request->status = 0xff;
    request->busy = true;
    int id = virtqueue_add(&disk_queue, chain, type == T_OUT ? 2 : 1, type == T_IN ? 2 : 1);
    if (id < 0 || request_of[id])
        fail("the ring has no room, or gives out id %d twice", id);
    else
        request_of[id] = request;
}

/* The oldest write under way, or the next to be made. */
static uint64_t
oldest(void)
{
    uint64_t number = next_number;

    for (unsigned i = 0; i < DEPTH; i++) {
        if (requests[i].busy && requests[i].head.type == T_OUT && requests[i].number < number)
            number = requests[i].number;
    }
    return number;
}

static void
start_something(Request *request)
{
    if (since_flush >= FLUSH_EVERY && !flushing) {
        request->number = oldest();
        flushing = true;
        since_flush = 0;
        submit(request, T_FLUSH, 0);
    } else if (next_number % 8 == 7 && next_number > slots && request != requests) {
        /* written half a turn ago, so not under way */
        submit(request, T_IN, (next_number + slots / 2) % slots);
    } else if (next_number - oldest() < slots / 4) {
        request->number = next_number++;
        since_flush++;
        fill_block(request->data, request->number);
        submit(request, T_OUT, request->number % slots);
    }
}

static void
finish(int id)
{
    Request *request = request_of[id];

    if (!request || !request->busy)
        return fail("a request came back twice, or none was made under id %d", id);
    request_of[id] = NULL;
    request->busy = false;
    if (request->status != 0)
        return fail("request %u of block %lu: status %u", request->head.type, request->slot, request->status);
    if (request->head.type == T_OUT) {
        done_in[request->slot] = request->number;
    } else if (request->head.type == T_FLUSH) {
        stable = request->number;
        flushing = false;
    } else if (done_in[request->slot] && !block_is(request->data, done_in[request->slot])) {
        fail("block %lu holds %lu, not %lu", request->slot, request->data[0], done_in[request->slot]);
    }
}

static bool
work_on_disk(bool more)
{
    bool busy = false;
    int id;

    while (!wrong && (id = virtqueue_used(&disk_queue, NULL)) >= 0)
        finish(id);
    for (unsigned i = 0; i < DEPTH && !wrong; i++) {
        if (more && !requests[i].busy)
            start_something(&requests[i]);
        busy |= requests[i].busy;
    }
    if (busy)
        virtqueue_kick(&disk_queue);
    return busy;
}

static void
check_every_block(void)
{
    for (uint64_t slot = 0; slot < slots && !wrong; slot++) {
        submit(&requests[0], T_IN, slot);
        virtqueue_kick(&disk_queue);
        while (!wrong && work_on_disk(false))
            cpu_pause();
    }
}

static bool
start_disk(uint64_t ring)
{
    slots = start_option_number("slots", 0);
    if (!slots)
        return true;
    if (!virtio_find(VIRTIO_BLOCK, 0, &disk) || !virtio_negotiate(&disk, ring | 1ull << 9) ||
        !virtqueue_init(&disk_queue, &disk, 0, 64, VIRTIO_NO_VECTOR))
        return false;
    for (unsigned i = 0; i < DEPTH; i++)
        requests[i].data = pages_allocate(BLOCK / PAGE_SIZE);
    virtio_driver_ok(&disk);
    return true;
}

/* --- memory, on every processor --- */

#define PAGE_WORDS (PAGE_SIZE / 8)

typedef struct Worker {
    uint64_t (*pages)[PAGE_WORDS];
    uint64_t n, at, step; /* pages; the next one; words between two that are looked at */
    volatile uint64_t turns;
    volatile bool bad;
} Worker;

static Worker workers[SMP_CPUS_MAX];
static unsigned n_workers;

/* A page's first word tells its turn, the others follow from it. */
static void
work_on_page(Worker *worker)
{
    uint64_t *words = worker->pages[worker->at], turn = words[0], key = (worker->at + 1) * MIX;

    for (unsigned i = 1; turn && i < PAGE_WORDS; i += worker->step)
        worker->bad |= words[i] != turn * key + i;
    for (unsigned i = 1; i < PAGE_WORDS; i += worker->step)
        words[i] = (turn + 1) * key + i;
    words[0] = turn + 1;
    worker->at = (worker->at + 1) % worker->n;
    worker->turns++;
}

static void
run_worker(void *worker)
{
    for (;;)
        work_on_page(worker);
}

static void
start_workers(void)
{
    n_workers = smp_start();
    for (unsigned i = 0; i < n_workers; i++) {
        uint64_t n = i ? 8 : start_option_number("memory", 4) << 20 >> 12;
        /* Kernel mode, where the others stay, may be emulated: they look at a few words of each page only. */
        workers[i] = (Worker){.pages = pages_allocate(n), .n = n, .step = i ? 64 : 1};
    }
    for (unsigned i = 1; i < n_workers; i++)
        smp_run(i, run_worker, &workers[i]);
}

/* --- a console port --- */

#define PORT_BUFFER 256
#define PORT_BUFFERS 4

typedef struct Control {
    uint32_t port;
    uint16_t event, value;
    char name[56];
} Control;

static VirtioDevice console;
static VirtQueue control_in, control_out, port_in, port_out;
static Control messages[8], *message_of[1024];
static char *in_of[64], *out_of[64];
static bool have_port;

static void
listen_for(char *buffer)
{
    VirtBuffer room = {buffer, PORT_BUFFER};
    int id = virtqueue_add(&port_in, &room, 0, 1);

    if (id >= 0)
        in_of[id] = buffer;
}

static void
post_message(Control *message)
{
    VirtBuffer room = {message, sizeof(*message)};
    int id = virtqueue_add(&control_in, &room, 0, 1);

    if (id >= 0)
        message_of[id] = message;
}

static void
tell(uint32_t port, uint16_t event, uint16_t value)
{
    Control message = {port, event, value, {0}};
    VirtBuffer buffer = {&message, 8};

    virtqueue_do(&control_out, &buffer, 1, 0);
}

/* Takes every port that is added as ready and open (virtio 1.2, 5.3.6.2). */
static void
hear_messages(uint64_t patience)
{
    int id;

    while ((id = virtqueue_wait(&control_in, NULL, patience)) >= 0) {
        Control *message = message_of[id];
        if (message->event == 1) {
            tell(message->port, 3, 1);
            tell(message->port, 6, 1);
        }
        post_message(message);
        virtqueue_kick(&control_in);
    }
}

static bool
start_port(uint64_t ring)
{
    have_port = *start_option("port", "");
    if (!have_port)
        return true;
    /* port 1, the first that the configuration names, has queues 4 and 5 */
    if (!virtio_find(VIRTIO_CONSOLE, 0, &console) || !virtio_negotiate(&console, ring | 1ull << 1) ||
        !virtqueue_init(&control_in, &console, 2, 0, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&control_out, &console, 3, 0, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&port_in, &console, 4, 16, VIRTIO_NO_VECTOR) ||
        !virtqueue_init(&port_out, &console, 5, 16, VIRTIO_NO_VECTOR))
        return false;
    virtio_driver_ok(&console);
    for (unsigned i = 0; i < 8; i++)
        post_message(&messages[i]);
    virtqueue_kick(&control_in);
    tell(0, 0, 1);
    hear_messages(MILLISECONDS(20));
    char *buffers = pages_allocate(1);
    for (unsigned i = 0; i < PORT_BUFFERS; i++)
        listen_for(buffers + i * PORT_BUFFER);
    virtqueue_kick(&port_in);
    return true;
}

static void
work_on_port(void)
{
    uint32_t length;
    int id;

    hear_messages(0);
    while ((id = virtqueue_used(&port_in, &length)) >= 0) {
        VirtBuffer back = {in_of[id], length};
        int out = virtqueue_add(&port_out, &back, 1, 0);
        if (out < 0)
            return fail("the port's ring has no room");
        out_of[out] = in_of[id];
        virtqueue_kick(&port_out);
    }
    while ((id = virtqueue_used(&port_out, NULL)) >= 0) {
        listen_for(out_of[id]);
        virtqueue_kick(&port_in);
    }
}

/* --- a picture --- */

static bool
start_picture(uint64_t ring)
{
    enum { WIDTH = 320, HEIGHT = 200 };
    GpuBox all = {0, 0, WIDTH, HEIGHT};

    if (!start_option_number("gpu", 0))
        return true;
    uint32_t *pixels = pages_allocate(WIDTH * HEIGHT * 4 / PAGE_SIZE + 1);
    GpuEntry entry = {(uint64_t)pixels, WIDTH * HEIGHT * 4, 0};
    for (unsigned i = 0; i < 2 * WIDTH; i++) /* a few lines, of different colours */
        pixels[i * 7] = i * 0x010305;
    return gpu_start(ring) && gpu_create(1, GPU_BGRX, WIDTH, HEIGHT) == GPU_OK && gpu_attach(1, &entry, 1) == GPU_OK &&
           gpu_transfer(1, all, 0) == GPU_OK && gpu_set_scanout(0, 1, all) == GPU_OK && gpu_flush(1, all) == GPU_OK;
}

/* --- time --- */

#define TIMER_PERIODIC (1u << 17)

static uint8_t timer;
static uint64_t last_kvm, last_tsc, last_report, timer_seen, reports, turns_seen[SMP_CPUS_MAX];

static void
start_timer(void)
{
    timer = interrupt_allocate(NULL, NULL);
    local_apic_write(LOCAL_APIC_TIMER_DIVIDE, 0xb); /* by 1: KVM's timer then counts nanoseconds */
    local_apic_write(LOCAL_APIC_TIMER, timer | TIMER_PERIODIC);
    local_apic_write(LOCAL_APIC_TIMER_COUNT, MILLISECONDS(5));
}

static void
check_clocks(void)
{
    uint64_t kvm = clock_kvm_ns(), tsc = tsc_read();

    if (kvm < last_kvm)
        fail("kvmclock went back from %lu to %lu", last_kvm, kvm);
    if (tsc < last_tsc)
        fail("the time stamp counter went back from %lu to %lu", last_tsc, tsc);
    last_kvm = kvm;
    last_tsc = tsc;
}

/* Whatever should have moved since the last look, some reports ago. */
static void
check_progress(void)
{
    if (interrupt_count(timer) == timer_seen)
        fail("the timer stands still");
    timer_seen = interrupt_count(timer);
    for (unsigned i = 0; i < n_workers; i++) {
        if (workers[i].bad)
            fail("memory of processor %u changed", i);
        if (workers[i].turns == turns_seen[i])
            fail("processor %u stands still", i);
        turns_seen[i] = workers[i].turns;
    }
}

static void
report(void)
{
    if (last_kvm - last_report < REPORT_NS)
        return;
    last_report = last_kvm;
    if (++reports % 50 == 0)
        check_progress();
    console_printf("alive %lu written %lu at %lu\n", reports, stable, last_kvm);
}

static bool
asked_to_end(void)
{
    return port_read8(0x3fd) & 1;
}

/* In user mode: native speed. */
static uint64_t
work(void *argument)
{
    (void)argument;
    for (unsigned turn = 1; !wrong; turn++) {
        work_on_page(&workers[0]);
        if (slots)
            work_on_disk(true);
        if (turn % 16)
            continue;
        if (have_port)
            work_on_port();
        check_clocks();
        uint64_t before = reports;
        report();
        if (reports != before && asked_to_end())
            break;
    }
    while (!wrong && slots && work_on_disk(false))
        cpu_pause();
    if (!wrong)
        check_every_block();
    return 0;
}

void
guest_main(void)
{
    uint64_t ring = virt_modes[start_option_number("ring", 0) % VIRT_MODES].features;

    if (!start_disk(ring) || !start_port(ring) || !start_picture(ring))
        return fail("a device does not start");
    start_workers();
    start_timer();
    console_printf("load on %u processors\n", n_workers);
    user_run(work, NULL);
    if (!wrong)
        console_printf("end %lu\n", next_number);
}
