/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/submit.h"

void
store_answer_free(StoreAnswer *answer)
{
    store_answer_clear(answer);
    g_free(answer);
}

void
store_submitter_free(StoreSubmitter *submitter)
{
    if (submitter)
        submitter->class->free(submitter);
}

void
store_submit(StoreSubmitter *submitter, StoreCommand *command, GCancellable *cancellable, GAsyncReadyCallback callback,
             void *data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, data);

    g_task_set_source_tag(task, store_submit);
    submitter->class->submit(submitter, store_command_ref(command), task);
}

bool
store_submit_finish(GAsyncResult *result, StoreAnswer *answer, GError **error)
{
    StoreAnswer *given = g_task_propagate_pointer(G_TASK(result), error);

    if (!given)
        return false;
    *answer = *given;
    g_free(given);
    return true;
}
