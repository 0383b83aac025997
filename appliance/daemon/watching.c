/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/daemon/watching.h"

#include <string.h>

/* A user at a desktop, with so many connections. */
typedef struct {
    char *desktop, *user;
    unsigned clients;
} Sitting;

typedef struct {
    Watching *watching;
    char *id, *desktop;
    char *session; /* whose it is that asks; "" at the console */
    guint timeout;
    WatchingAnswered answered;
    void *data;
} Question;

typedef struct {
    char *desktop, *session;
    int64_t until;
} Leave;

struct Watching {
    Events *events;
    GPtrArray *sittings, *questions, *leaves;
};

static void
sitting_free(void *data)
{
    Sitting *sitting = data;

    g_free(sitting->desktop);
    g_free(sitting->user);
    g_free(sitting);
}

static void
question_free(void *data)
{
    Question *question = data;

    g_clear_handle_id(&question->timeout, g_source_remove);
    g_free(question->id);
    g_free(question->desktop);
    g_free(question->session);
    g_free(question);
}

static void
leave_free(void *data)
{
    Leave *leave = data;

    g_free(leave->desktop);
    g_free(leave->session);
    g_free(leave);
}

Watching *
watching_new(Events *events)
{
    Watching *watching = g_new(Watching, 1);

    *watching = (Watching){
        .events = events,
        .sittings = g_ptr_array_new_with_free_func(sitting_free),
        .questions = g_ptr_array_new_with_free_func(question_free),
        .leaves = g_ptr_array_new_with_free_func(leave_free),
    };
    return watching;
}

/* The last thing that happens to it. */
static void
close_question(Question *question, bool agreed)
{
    WatchingAnswered answered = question->answered;
    void *data = question->data;

    g_ptr_array_remove(question->watching->questions, question);
    answered(data, agreed);
}

void
watching_free(Watching *watching)
{
    if (!watching)
        return;
    while (watching->questions->len)
        close_question(watching->questions->pdata[0], false);
    g_ptr_array_unref(watching->questions);
    g_ptr_array_unref(watching->sittings);
    g_ptr_array_unref(watching->leaves);
    g_free(watching);
}

static Sitting *
find_sitting(Watching *watching, const char *desktop, const char *user)
{
    for (guint i = 0; i < watching->sittings->len; i++) {
        Sitting *sitting = watching->sittings->pdata[i];
        if (!strcmp(sitting->desktop, desktop) && !strcmp(sitting->user, user))
            return sitting;
    }
    return NULL;
}

static bool
somebody_sits_at(Watching *watching, const char *desktop)
{
    for (guint i = 0; i < watching->sittings->len; i++)
        if (!strcmp(((Sitting *)watching->sittings->pdata[i])->desktop, desktop))
            return true;
    return false;
}

/* Whose answers would be waited for is gone, and what they let others see is their own again. */
static void
nobody_sits_at(Watching *watching, const char *desktop)
{
    for (guint i = watching->questions->len; i-- > 0;) {
        Question *question = watching->questions->pdata[i];
        if (!strcmp(question->desktop, desktop))
            close_question(question, false);
    }
    for (guint i = watching->leaves->len; i-- > 0;)
        if (!strcmp(((Leave *)watching->leaves->pdata[i])->desktop, desktop))
            g_ptr_array_remove_index(watching->leaves, i);
}

void
watching_client(Watching *watching, const char *desktop, bool here, const char *user)
{
    Sitting *sitting = user ? find_sitting(watching, desktop, user) : NULL;

    if (!user || (!sitting && !here))
        return;
    if (!sitting) {
        sitting = g_new0(Sitting, 1);
        sitting->desktop = g_strdup(desktop);
        sitting->user = g_strdup(user);
        g_ptr_array_add(watching->sittings, sitting);
    }
    sitting->clients += here ? 1 : -1;
    if (!sitting->clients)
        g_ptr_array_remove(watching->sittings, sitting);
    if (!somebody_sits_at(watching, desktop))
        nobody_sits_at(watching, desktop);
}

void
watching_session_ended(Watching *watching, const char *session)
{
    for (guint i = watching->leaves->len; i-- > 0;)
        if (!strcmp(((Leave *)watching->leaves->pdata[i])->session, session))
            g_ptr_array_remove_index(watching->leaves, i);
}

static const char *
session_of(const Caller *caller)
{
    return caller->session ? caller->session : "";
}

static gboolean
too_late(gpointer data)
{
    Question *question = data;

    question->timeout = 0;
    close_question(question, false);
    return G_SOURCE_REMOVE;
}

/* Whether anybody who sits there has heard. */
static bool
put_to_all(Watching *watching, const Question *question, const Caller *caller)
{
    bool heard = false;

    for (guint i = 0; i < watching->sittings->len; i++) {
        const Sitting *sitting = watching->sittings->pdata[i];
        if (strcmp(sitting->desktop, question->desktop))
            continue;
        heard |= events_to_user(watching->events, sitting->user, "watch",
                                g_variant_new_parsed("{'request': <%s>, 'desktop': <%s>, 'who': <%s>}", question->id,
                                                     question->desktop, caller->name));
    }
    return heard;
}

bool
watching_asks(const Watching *watching, const Caller *caller, const char *desktop)
{
    for (guint i = 0; i < watching->questions->len; i++) {
        const Question *question = watching->questions->pdata[i];
        if (!strcmp(question->desktop, desktop) && !strcmp(question->session, session_of(caller)))
            return true;
    }
    return false;
}

bool
watching_ask(Watching *watching, const Caller *caller, const char *desktop, WatchingAnswered answered, void *data)
{
    Question *question = g_new0(Question, 1);

    *question = (Question){
        .watching = watching,
        .id = g_uuid_string_random(),
        .desktop = g_strdup(desktop),
        .session = g_strdup(session_of(caller)),
        .answered = answered,
        .data = data,
    };
    if (!put_to_all(watching, question, caller)) {
        question_free(question);
        return false;
    }
    question->timeout = g_timeout_add_seconds(WATCHING_ANSWER_SECONDS, too_late, question);
    g_ptr_array_add(watching->questions, question);
    return true;
}

static Question *
find_question(Watching *watching, const char *id)
{
    for (guint i = 0; i < watching->questions->len; i++) {
        Question *question = watching->questions->pdata[i];
        if (!strcmp(question->id, id))
            return question;
    }
    return NULL;
}

bool
watching_answer(Watching *watching, const Caller *caller, const char *request, bool agreed)
{
    Question *question = find_question(watching, request);

    if (!question || !caller->user || !find_sitting(watching, question->desktop, caller->user))
        return false;
    if (agreed) {
        Leave *leave = g_new(Leave, 1);
        *leave = (Leave){
            .desktop = g_strdup(question->desktop),
            .session = g_strdup(question->session),
            .until = g_get_real_time() + WATCHING_LIFETIME,
        };
        g_ptr_array_add(watching->leaves, leave);
    }
    close_question(question, agreed);
    return true;
}

bool
watching_may_look(Watching *watching, const Caller *caller, const char *desktop, int64_t *until)
{
    for (guint i = watching->leaves->len; i-- > 0;) {
        const Leave *leave = watching->leaves->pdata[i];
        if (leave->until <= g_get_real_time()) {
            g_ptr_array_remove_index(watching->leaves, i);
        } else if (!strcmp(leave->desktop, desktop) && !strcmp(leave->session, session_of(caller))) {
            *until = leave->until;
            return true;
        }
    }
    return false;
}
