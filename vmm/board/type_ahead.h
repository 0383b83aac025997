/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys typed ahead of a guest: what went down and up, in order, until the guest takes it.
 *
 * Two things lose letters. A guest that stands still for a moment has no room for them; so they wait here, some 2000
 * characters of them. And what comes to a guest all at once its own small buffers lose again: Linux keeps 64 events for a
 * program that reads a keyboard, some twenty keys, and a PC's BIOS fifteen. A keyboard on a desk never fills them, since it
 * is asked every 8 ms; so neither does this one: a few changes, as many as Ctrl + Alt + Delete makes, go at once, and those
 * behind them at the keyboard's pace.
 *
 * Each key that is down has a place kept for its going up. So where even this is full, what goes down is lost and nothing
 * sticks. Loaded from a saved desktop, all keys come up: who held them then does not now.
 *
 * Pure; the owner says what time it is, holds whatever lock there is, and wakes itself when the next change is due. Zeroed
 * memory is empty, with all keys up.
 */
#pragma once

#include "vmm/board/clock.h"
#include "vmm/state/state.h"

#include <linux/input-event-codes.h>

#define TYPE_AHEAD_MAX 4096
#define TYPE_AHEAD_INTERVAL (8 * CLOCK_SECOND / 1000)
#define TYPE_AHEAD_AT_ONCE 6

typedef struct {
    uint16_t key; /* below KEY_CNT; of whatever numbering its owner has */
    bool down;
} TypeAheadKey;

typedef struct {
    uint16_t waiting[TYPE_AHEAD_MAX]; /* a ring */
    uint16_t first, n;
    uint8_t down[KEY_CNT / 8]; /* once all that waits is taken */
    uint16_t n_down;
    int64_t paid_until; /* each change taken pays for an interval, from now on or behind those before */
} TypeAhead;

/* false: it changes nothing, or there is no room for it. */
bool type_ahead_add(TypeAhead *ahead, TypeAheadKey key);
/* The one that comes next; false: nothing waits. */
bool type_ahead_first(const TypeAhead *ahead, TypeAheadKey *key);
/* When that may be taken, in clock_now()'s time: perhaps in the past; CLOCK_NEVER: nothing waits. */
int64_t type_ahead_due(const TypeAhead *ahead);
/* Takes it; mandatory that there is one. */
void type_ahead_take(TypeAhead *ahead, int64_t now);
/* Whoever was told of keys is gone. */
void type_ahead_clear(TypeAhead *ahead);

extern const StateTable type_ahead_state;
