/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to the guest's agent (qemu-guest-agent) over the console port org.qemu.guest_agent.0.
 *
 * One call at a time: guest-sync-delimited with a fresh number, so that what an earlier call left unread is passed over,
 * then the command; each within a time. Calls wait in line. The guest is hostile: lines.h and reply.h bound what it says, a
 * time-out what it does not.
 *
 * A freeze of the file systems is for a while: when its time is over, or it went wrong in an unknown way, they are thawed,
 * again and again until the guest says so. That goes on after a restore, and when the agent went away and came back. Whoever
 * freezes therefore must look at the answer to the thaw: an error says that nothing was frozen any more.
 *
 * The guest's time: after the desktop was held or restored, the agent is asked what time it is in the guest, and told the
 * right one where that is off by more than half a second.
 *
 * Owner: the main thread, every callback included.
 */
#pragma once

#include "vmm/agent/reply.h"
#include "vmm/board/clock.h"
#include "vmm/board/device.h"
#include "vmm/virtio/console.h"

#define AGENT_PORT_NAME "org.qemu.guest_agent.0"
#define AGENT_WAITING_MAX 16    /* calls */
#define AGENT_FREEZE_MAX 600    /* seconds */
#define AGENT_FREEZE_DEFAULT 30 /* seconds */

typedef struct GuestAgent GuestAgent;

/* Called later or at once, exactly once. @result: as AgentResult says, the agent's to free; NULL with an error. */
typedef void (*GuestAgentDone)(void *user, GVariant *result, const GError *error);

/* Told after a change: an agent opened or closed its port; file systems were frozen or thawed. */
typedef void (*GuestAgentChanged)(void *user, bool connected, bool frozen);

/* Adds the port; @clock and @console outlive the agent, which nothing calls any more once it is freed and the loop rests. */
GuestAgent *guest_agent_new(VirtioDevice *console, Clock *clock, GuestAgentChanged changed, void *user);
/* Calls that wait fail first. NULL is fine. */
void guest_agent_free(GuestAgent *agent);

bool guest_agent_is_connected(const GuestAgent *agent);

/* Sets the guest's time to the host's. "()" */
void guest_agent_set_time(GuestAgent *agent, GuestAgentDone done, void *user);
/* Freezes all file systems for @seconds at most, 1 to AGENT_FREEZE_MAX. "(u)": how many. */
void guest_agent_freeze(GuestAgent *agent, unsigned seconds, GuestAgentDone done, void *user);
/* "(u)": how many. An error where nothing was frozen by us, or not any more. */
void guest_agent_thaw(GuestAgent *agent, GuestAgentDone done, void *user);
/* The guest begins to shut down or to restart; "()" where it did not refuse. */
void guest_agent_shut_down(GuestAgent *agent, bool restart, GuestAgentDone done, void *user);
/* "(a(ssa(su)))" */
void guest_agent_addresses(GuestAgent *agent, GuestAgentDone done, void *user);

/* For the machine's table; not freed with it. */
extern const DeviceOps guest_agent_device_ops;
