/* SPDX-License-Identifier: Apache-2.0 */
/* What is written down, and said, of each attempt to sign in. */
#include "appliance/sign-in/audit.h"

/* One for all that would tell whether there is such a user, or in which state. */
#define NOT_RIGHT "The name or the password is not right, or the account is locked for now."

static const struct {
    const char *word, *sentence;
} reasons[SIGN_IN_REASONS] = {
    [SIGN_IN_REASON_NONE] = {"none", "Signed in."},
    [SIGN_IN_REASON_CODE_WANTED] = {"code-wanted", "Enter the code that your authenticator app shows."},
    [SIGN_IN_REASON_UNKNOWN_USER] = {"unknown-user", NOT_RIGHT},
    [SIGN_IN_REASON_WRONG_PASSWORD] = {"wrong-password", NOT_RIGHT},
    [SIGN_IN_REASON_WRONG_CODE] = {"wrong-code", "The code is not right. Is the clock of your phone?"},
    [SIGN_IN_REASON_CODE_USED] = {"code-used", "This code was used already. Wait for the next one."},
    [SIGN_IN_REASON_CODE_TOO_LATE] = {"code-too-late", "That took too long or too many tries. Sign in again."},
    [SIGN_IN_REASON_DISABLED] = {"disabled", "Your account is switched off. Ask your administrator."},
    [SIGN_IN_REASON_CHANGED] = {"changed", "Your account was changed just now. Sign in again."},
    [SIGN_IN_REASON_LOCKED] = {"locked", NOT_RIGHT},
    [SIGN_IN_REASON_PASSWORD_EXPIRED] =
        {"password-expired", "Your password has expired. Change it at a PC of your office, then sign in here."},
    [SIGN_IN_REASON_NOT_NOW] = {"not-now", "Your account may not sign in at this time or from here."},
    [SIGN_IN_REASON_NO_GROUP] = {"no-group", "Your account may not use desktops. Ask your administrator."},
    [SIGN_IN_REASON_AMBIGUOUS] = {"ambiguous",
                                  "Several accounts have this name. Sign in by your full one, as name@domain."},
    [SIGN_IN_REASON_NOT_ADOPTED] = {"not-adopted",
                                    "There is another account of this name here. Ask your administrator."},
    [SIGN_IN_REASON_TOO_MANY] = {"too-many", "Too many attempts. Wait a little, then try again."},
    [SIGN_IN_REASON_BUSY] = {"busy", "Too many people sign in at this moment. Try again."},
    [SIGN_IN_REASON_DIRECTORY] =
        {"directory", "The directory of your office does not answer. Try again later, or ask your administrator."},
};

const char *
sign_in_way_word(SignInWay way)
{
    static const char *const words[] = {"password", "directory", "code", "recovery"};

    return words[way];
}

const char *
sign_in_reason_word(SignInReason reason)
{
    return reasons[reason].word;
}

const char *
sign_in_reason_sentence(SignInReason reason)
{
    return reasons[reason].sentence;
}
