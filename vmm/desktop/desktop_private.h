/* SPDX-License-Identifier: Apache-2.0 */
/* A desktop's parts, for the files of this folder: assembly.c makes them, control.c and save.c use them. */
#pragma once

#include "display/gpu/gpu.h"
#include "display/spice/server.h"
#include "vmm/board/loop_thread.h"
#include "vmm/agent/agent.h"
#include "vmm/block/blk.h"
#include "vmm/board/acpi.h"
#include "vmm/board/clock.h"
#include "vmm/board/pm.h"
#include "vmm/board/rtc.h"
#include "vmm/control/server.h"
#include "vmm/desktop/desktop.h"
#include "vmm/desktop/usb.h"
#include "vmm/firmware/address_map.h"
#include "vmm/firmware/fw_cfg.h"
#include "vmm/firmware/kernel.h"
#include "vmm/firmware/smi_features.h"
#include "vmm/kvm/vcpus.h"
#include "vmm/kvm/vm.h"
#include "vmm/net/net.h"
#include "vmm/pci/bus.h"
#include "vmm/tpm/crb.h"
#include "vmm/virtio/balloon.h"

typedef struct SaveJob SaveJob;

struct Desktop {
    const DesktopConfig *config;
    GMainLoop *loop;
    int end; /* a file for why it ended; -1: nobody wants to know */

    /* The board, in the order it is made. */
    GuestMemory *memory;
    Vm *vm;
    Bus *ports;
    Bus *addresses;
    Bus *smm_addresses; /* NULL without Secure Boot */
    IrqController irq;
    Machine *machine; /* owns the devices of its table */
    Clock *clock;
    Vcpus *vcpus;
    AcpiTables *acpi;
    Kernel *kernel; /* NULL with firmware, as the next four without */
    Rom rom;
    AddressMap *address_map;
    FwCfg *fw_cfg;             /* the machine's; devices add their files to it as they are made */
    Flash *flash;              /* the machine's; NULL where the firmware has no variables */
    SmiFeatures *smi_features; /* the machine's; NULL without Secure Boot */
    PciBus *pci;

    /* Threads that devices run on. */
    IoThread *io_thread;
    LoopThread *display_thread;

    /* Devices that something besides the machine has to do with; the machine owns them. NULL where there is none. */
    Pm *pm;
    Crb *tpm;
    VirtioDevice *gpu, *keyboard, *tablet, *mouse, *console, *balloon;
    GPtrArray *disks; /* VirtioDevice *, those of the configuration on virtio, in its order */
    GPtrArray *nets;
    GPtrArray *ports_of_guest; /* SocketPort *: named console ports with a socket */

    GuestAgent *agent;                          /* NULL: not wanted */
    DesktopUsb *usb;                            /* NULL without [usb] */
    InputRoute *keyboard_route, *pointer_route; /* virtio's where its driver is up, else USB's */

    /* What people see of it. */
    Screen *screen;
    SpiceDisplay *spice;
    ControlServer *control;

    bool start_paused;
    SaveJob *save;       /* while its state is written; save.c */
    GPtrArray *pictures; /* being taken; picture.c */
};

/* assembly.c: in this order. */
bool desktop_make_board(Desktop *desktop, Resources *resources, const SavedFile *saved, GError **error);
bool desktop_make_devices(Desktop *desktop, Resources *resources, GError **error);
/* The sixteen bytes of a canonical UUID (RFC 9562, 4). */
void desktop_uuid_bytes(const char *text, uint8_t bytes[16]);

/* firmware.c: what firmware needs in place of a kernel, made with the board, … */
bool desktop_make_firmware(Desktop *desktop, Resources *resources, GError **error);
void desktop_add_firmware_devices(Desktop *desktop, Rtc *rtc);
/* … its screen, with the display, … */
bool desktop_make_firmware_screen(Desktop *desktop, Resources *resources, GError **error);
/* … and what it is told, when all devices are there. */
void desktop_tell_firmware(Desktop *desktop);

/* desktop.c */
extern const SpiceDisplayEvents desktop_spice_events;
void desktop_agent_changed(void *desktop, bool connected, bool frozen);

/* control.c */
extern const ControlOps desktop_control_ops;

/* picture.c: as ControlOps.screenshot. Freeing the array waits for those under way, and answers. */
GPtrArray *desktop_pictures_new(void);
void desktop_take_picture(void *desktop, unsigned scanout, uint64_t seen, int fd, ControlAnswer answer, void *user);

/* save.c */
void desktop_save(void *desktop, int fd, ControlSaved saved, void *user);
/* The saving under way, if any, ends with an error soon and the desktop goes on. */
void desktop_cancel_save(void *desktop);
bool desktop_load(Desktop *desktop, const SavedFile *saved, GError **error);
