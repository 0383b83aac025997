/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An input that waits for the picture that answers it; see SpiceQuality. There is one such place for a desktop, whose first
 * input stays in it until a change of the picture comes, or until it is too old to have caused one.
 *
 * The main thread asks, producers of pictures take: both by one atomic word, so that neither waits. Times are microseconds of
 * the monotonic clock, and injected.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What changes later than that after an input has probably nothing to do with it. */
#define QUESTION_SECONDS 2

typedef struct {
    gint64 asked; /* atomic; 0: nothing waits */
} Question;

/* An input came. Where one waits already, that stays, unless it is too old. */
void question_ask(Question *question, gint64 now);
/* Whether there is something to take: cheap enough for every change. */
bool question_waits(const Question *question);
/* The picture has begun to change: when the input came, which waits no more. 0: none did. */
gint64 question_take(Question *question, gint64 now);
/* It was no change after all: waits again, unless another does. */
void question_give_back(Question *question, gint64 asked);
