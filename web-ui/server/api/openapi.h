/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI 3.1 description of the API, made from the table of routes. Any thread. */
#pragma once

#include <glib.h>

/* Made when it is first asked for. */
GBytes *openapi_get(void);
