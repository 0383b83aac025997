/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call after the other: the sync, the command, the answer, the time-out. agent.c decides what is called and when.
 *
 * Owner: the main thread.
 */
#pragma once

#include "vmm/agent/agent.h"

typedef struct AgentCalls AgentCalls;

typedef struct {
    const char *command; /* "guest-ping"; a static string */
    /* Makes the JSON of an object when the command is sent, and not before: it may be the time. NULL: none. */
    char *(*arguments)(Clock *clock);
    AgentResult result;
    unsigned seconds; /* that it may take, besides the sync's */
    /* It answers only when it fails; that it goes on to the next command tells that it did not. */
    bool silent;
} AgentCommand;

/* @console's port is the calls'. @opened is told when the guest opens or closes it. */
AgentCalls *agent_calls_new(VirtioDevice *console, Clock *clock, void (*opened)(void *user, bool open), void *user);
/* Fails what waits. */
void agent_calls_free(AgentCalls *calls);

bool agent_calls_are_open(const AgentCalls *calls);
void agent_calls_add(AgentCalls *calls, const AgentCommand *command, GuestAgentDone done, void *user);
