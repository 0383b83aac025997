/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs that wait for a picture. */
#include "display/spice/question.h"

#define TOO_LONG (QUESTION_SECONDS * G_USEC_PER_SEC + 1)

static void
test_answered_once(void)
{
    Question question = {0};

    g_assert_false(question_waits(&question));
    g_assert_cmpint(question_take(&question, 100), ==, 0);
    question_ask(&question, 100);
    g_assert_true(question_waits(&question));
    g_assert_cmpint(question_take(&question, 150), ==, 100);
    g_assert_false(question_waits(&question));
    g_assert_cmpint(question_take(&question, 160), ==, 0);
}

static void
test_first_of_several(void)
{
    Question question = {0};

    question_ask(&question, 100);
    question_ask(&question, 120);
    g_assert_cmpint(question_take(&question, 150), ==, 100);
    g_assert_cmpint(question_take(&question, 150), ==, 0);
}

static void
test_too_old(void)
{
    Question question = {0};

    question_ask(&question, 100);
    g_assert_cmpint(question_take(&question, 100 + TOO_LONG), ==, 0);
    g_assert_false(question_waits(&question));

    question_ask(&question, 100);
    question_ask(&question, 100 + TOO_LONG); /* the first has no answer to expect */
    g_assert_cmpint(question_take(&question, 200 + TOO_LONG), ==, 100 + TOO_LONG);
}

static void
test_given_back(void)
{
    Question question = {0};

    question_give_back(&question, 0);
    g_assert_false(question_waits(&question));
    question_give_back(&question, 100);
    g_assert_cmpint(question_take(&question, 150), ==, 100);
    question_ask(&question, 160);
    question_give_back(&question, 100); /* the place is taken */
    g_assert_cmpint(question_take(&question, 170), ==, 160);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spice/question/answered-once", test_answered_once);
    g_test_add_func("/spice/question/first-of-several", test_first_of_several);
    g_test_add_func("/spice/question/too-old", test_too_old);
    g_test_add_func("/spice/question/given-back", test_given_back);
    return g_test_run();
}
