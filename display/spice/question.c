/* SPDX-License-Identifier: Apache-2.0 */
#include "display/spice/question.h"

static bool
is_too_old(gint64 asked, gint64 now)
{
    return now - asked > QUESTION_SECONDS * G_USEC_PER_SEC;
}

static bool
replace(Question *question, gint64 from, gint64 to)
{
    return __atomic_compare_exchange_n(&question->asked, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void
question_ask(Question *question, gint64 now)
{
    gint64 waits = __atomic_load_n(&question->asked, __ATOMIC_RELAXED);

    if (!waits || is_too_old(waits, now))
        replace(question, waits, now);
}

bool
question_waits(const Question *question)
{
    return __atomic_load_n(&question->asked, __ATOMIC_RELAXED);
}

gint64
question_take(Question *question, gint64 now)
{
    gint64 asked = __atomic_exchange_n(&question->asked, 0, __ATOMIC_ACQ_REL);

    return asked && !is_too_old(asked, now) ? asked : 0;
}

void
question_give_back(Question *question, gint64 asked)
{
    if (asked)
        replace(question, 0, asked);
}
