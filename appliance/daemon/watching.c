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
    char *who;
    guint timeout;
    WatchingAnswered answered;
    void *data;
} Question;

/* What an agreed question became. */
typedef struct {
    char *id, *desktop, *session;
    char *who;
    int64_t until;  /* since 1970 */
    int64_t looked; /* when they last did, by the monotonic clock */
} Leave;

struct Watching {
    Events *events;
    GPtrArray *sittings, *questions, *leaves;
    guint look; /* for those that are over, while there are any */
};

#define LOOK_SECONDS 5

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
    g_free(question->who);
    g_free(question);
}

static void
leave_free(void *data)
{
    Leave *leave = data;

    g_free(leave->id);
    g_free(leave->who);
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

/* For windows that show it. */
static void
tell_of_end(const Question *question)
{
    g_autoptr(GVariant) data = g_variant_ref_sink(
        g_variant_new_parsed("{'request': <%s>, 'desktop': <%s>, 'ended': <true>}", question->id, question->desktop));

    for (guint i = 0; i < question->watching->sittings->len; i++) {
        const Sitting *sitting = question->watching->sittings->pdata[i];
        if (!strcmp(sitting->desktop, question->desktop))
            events_to_user(question->watching->events, sitting->user, "watch", data);
    }
}

/* The last thing that happens to it. */
static void
close_question(Question *question, bool agreed)
{
    WatchingAnswered answered = question->answered;
    void *data = question->data;

    tell_of_end(question);
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
    g_clear_handle_id(&watching->look, g_source_remove);
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

/* ---- who looks on, told to those who sit there ---- */

static bool
is_looked_at(Watching *watching, const char *desktop)
{
    for (guint i = 0; i < watching->leaves->len; i++)
        if (!strcmp(((Leave *)watching->leaves->pdata[i])->desktop, desktop))
            return true;
    return false;
}

/* @here: or else they have left, and nobody looks at what is theirs. */
static void
tell_user(Watching *watching, const char *desktop, const char *user, bool here)
{
    GVariantBuilder who = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ss)"));

    for (guint i = 0; here && i < watching->leaves->len; i++) {
        const Leave *leave = watching->leaves->pdata[i];
        if (!strcmp(leave->desktop, desktop))
            g_variant_builder_add(&who, "(ss)", leave->id, leave->who);
    }
    events_to_user(watching->events, user, "watching",
                   g_variant_new_parsed("{'desktop': <%s>, 'who': <%@a(ss)>}", desktop, g_variant_builder_end(&who)));
}

static void
tell_all(Watching *watching, const char *desktop)
{
    for (guint i = 0; i < watching->sittings->len; i++) {
        const Sitting *sitting = watching->sittings->pdata[i];
        if (!strcmp(sitting->desktop, desktop))
            tell_user(watching, desktop, sitting->user, true);
    }
}

void
watching_tell(Watching *watching, const char *user)
{
    for (guint i = 0; i < watching->sittings->len; i++) {
        const Sitting *sitting = watching->sittings->pdata[i];
        if (!strcmp(sitting->user, user) && is_looked_at(watching, sitting->desktop))
            tell_user(watching, sitting->desktop, user, true);
    }
}

static void
end_leave(Watching *watching, guint i)
{
    g_autofree char *desktop = g_strdup(((Leave *)watching->leaves->pdata[i])->desktop);

    g_ptr_array_remove_index(watching->leaves, i);
    tell_all(watching, desktop);
}

static bool
is_over(const Leave *leave)
{
    return leave->until <= g_get_real_time() || g_get_monotonic_time() - leave->looked > WATCHING_IDLE;
}

static gboolean
on_look(gpointer data)
{
    Watching *watching = data;

    for (guint i = watching->leaves->len; i-- > 0;)
        if (is_over(watching->leaves->pdata[i]))
            end_leave(watching, i);
    if (watching->leaves->len)
        return G_SOURCE_CONTINUE;
    watching->look = 0;
    return G_SOURCE_REMOVE;
}

static void
add_leave(Watching *watching, const Question *question)
{
    Leave *leave = g_new(Leave, 1);

    *leave = (Leave){
        .id = g_strdup(question->id),
        .desktop = g_strdup(question->desktop),
        .session = g_strdup(question->session),
        .who = g_strdup(question->who),
        .until = g_get_real_time() + WATCHING_LIFETIME,
        .looked = g_get_monotonic_time(),
    };
    g_ptr_array_add(watching->leaves, leave);
    if (!watching->look)
        watching->look = g_timeout_add_seconds(LOOK_SECONDS, on_look, watching);
    tell_all(watching, leave->desktop);
}

/* ---- comings and goings ---- */

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
    if (!sitting->clients) {
        g_ptr_array_remove(watching->sittings, sitting);
        if (is_looked_at(watching, desktop))
            tell_user(watching, desktop, user, false);
    }
    if (!somebody_sits_at(watching, desktop))
        nobody_sits_at(watching, desktop);
}

void
watching_session_ended(Watching *watching, const char *session)
{
    for (guint i = watching->leaves->len; i-- > 0;)
        if (!strcmp(((Leave *)watching->leaves->pdata[i])->session, session))
            end_leave(watching, i);
}

static const char *
session_of(const Caller *caller)
{
    return caller->session ? caller->session : "";
}

static bool
is_session(const Caller *caller, const char *session)
{
    return !strcmp(session, session_of(caller));
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
        if (!strcmp(question->desktop, desktop) && is_session(caller, question->session))
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
        .who = g_strdup(caller->name),
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
    if (agreed)
        add_leave(watching, question);
    close_question(question, agreed);
    return true;
}

bool
watching_end(Watching *watching, const Caller *caller, const char *request)
{
    Question *question = find_question(watching, request);

    if (question && is_session(caller, question->session)) {
        close_question(question, false);
        return true;
    }
    for (guint i = 0; i < watching->leaves->len; i++) {
        const Leave *leave = watching->leaves->pdata[i];
        if (strcmp(leave->id, request))
            continue;
        if (!is_session(caller, leave->session) &&
            !(caller->user && find_sitting(watching, leave->desktop, caller->user)))
            return false;
        end_leave(watching, i);
        return true;
    }
    return false;
}

static Leave *
find_leave(Watching *watching, const Caller *caller, const char *desktop)
{
    for (guint i = watching->leaves->len; i-- > 0;) {
        Leave *leave = watching->leaves->pdata[i];
        if (!strcmp(leave->desktop, desktop) && is_session(caller, leave->session) && !is_over(leave))
            return leave;
    }
    return NULL;
}

bool
watching_may_look(Watching *watching, const Caller *caller, const char *desktop)
{
    Leave *leave = find_leave(watching, caller, desktop);

    if (leave)
        leave->looked = g_get_monotonic_time();
    return leave;
}

const char *
watching_leave(Watching *watching, const Caller *caller, const char *desktop, int64_t *until)
{
    const Leave *leave = find_leave(watching, caller, desktop);

    if (!leave)
        return NULL;
    *until = leave->until;
    return leave->id;
}
