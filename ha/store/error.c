/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/store/error.h"

G_DEFINE_QUARK(carrel - store - error - quark, store_error)

bool
store_error_is_refusal(const GError *error)
{
    return error->domain == STORE_ERROR && error->code < STORE_ERROR_NOT_OURS;
}
