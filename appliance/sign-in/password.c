/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords of local users: yescrypt by libxcrypt. */
#include "appliance/sign-in/password.h"

#include "appliance/sign-in/secret.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

#define YESCRYPT "$y$"
#define HASH_END_MIN 43 /* 256 bits in base64 */

G_DEFINE_QUARK(carrel - password - error, password_error)

/* What crypt_ra() works in: it holds the password and keys made of it. */
typedef struct {
    void *data;
    int size;
} Workspace;

static void
workspace_finish(Workspace *workspace)
{
    if (workspace->data)
        explicit_bzero(workspace->data, (size_t)workspace->size);
    free(workspace->data);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Workspace, workspace_finish)

/* NULL: not a password that anybody can have. */
static SecretText *
normalised(const char *password)
{
    size_t len = strnlen(password, PASSWORD_BYTES_MAX + 1);
    g_autoptr(SecretText) text = NULL;

    if (len == 0 || len > PASSWORD_BYTES_MAX || !g_utf8_validate(password, (gssize)len, NULL))
        return NULL;
    text = g_utf8_normalize(password, -1, G_NORMALIZE_ALL_COMPOSE);
    /* A few characters stand for many when they are composed. */
    return text && strlen(text) < CRYPT_MAX_PASSPHRASE_SIZE ? g_steal_pointer(&text) : NULL;
}

/* A salt with everything crypt() has to know: "$y$j9T$…". To be freed with free(). */
static char *
setting(unsigned cost)
{
    return crypt_gensalt_ra(YESCRYPT, CLAMP(cost, PASSWORD_COST_MIN, PASSWORD_COST_MAX), NULL, 0);
}

/* The result points into the workspace. */
static const char *
run(Workspace *workspace, const char *password, const char *salt)
{
    const char *made = crypt_ra(password, salt, &workspace->data, &workspace->size);

    return made && made[0] != '*' ? made : NULL;
}

char *
password_hash(const char *password, unsigned cost, GError **error)
{
    g_autoptr(SecretText) text = normalised(password);
    g_auto(Workspace) workspace = {0};
    char *salt;
    const char *made;

    if (!text) {
        g_set_error(error, PASSWORD_ERROR, PASSWORD_ERROR_TEXT,
                    "a password is UTF-8 text of 1 to " G_STRINGIFY(PASSWORD_BYTES_MAX) " bytes");
        return NULL;
    }
    salt = setting(cost);
    made = salt ? run(&workspace, text, salt) : NULL;
    free(salt);
    if (!made)
        g_set_error(error, PASSWORD_ERROR, PASSWORD_ERROR_FAILED, "the password could not be hashed: %s",
                    g_strerror(errno));
    return g_strdup(made);
}

bool
password_verify(const char *password, const char *hash, unsigned cost)
{
    g_autoptr(SecretText) text = normalised(password);
    g_auto(Workspace) workspace = {0};
    bool usable = text && hash && password_hash_is_valid(hash);
    const char *made;

    if (usable) {
        made = run(&workspace, text, hash);
        return made && secret_same(made, hash);
    }
    /* The same work for nothing: how long "no" takes must not tell why. */
    char *salt = setting(cost);
    if (salt)
        run(&workspace, text ? text : "", salt);
    free(salt);
    return false;
}

/* "$y$j9T$salt$hash" → "j9T"; NULL: not yescrypt. */
static char *
yescrypt_parameters(const char *hash)
{
    const char *from, *to;

    if (!g_str_has_prefix(hash, YESCRYPT))
        return NULL;
    from = hash + strlen(YESCRYPT);
    to = strchr(from, '$');
    return to ? g_strndup(from, (gsize)(to - from)) : NULL;
}

/* 0: none that this file gives. */
static unsigned
cost_of(const char *hash)
{
    g_autofree char *wanted = yescrypt_parameters(hash);

    for (unsigned cost = PASSWORD_COST_MIN; wanted && cost <= PASSWORD_COST_MAX; cost++) {
        char *salt = setting(cost);
        g_autofree char *parameters = salt ? yescrypt_parameters(salt) : NULL;

        free(salt);
        if (g_strcmp0(parameters, wanted) == 0)
            return cost;
    }
    return 0;
}

bool
password_hash_is_weak(const char *hash, unsigned cost)
{
    return cost_of(hash) < CLAMP(cost, PASSWORD_COST_MIN, PASSWORD_COST_MAX);
}

bool
password_hash_is_valid(const char *hash)
{
    const char *end = strrchr(hash, '$');

    /* A bare setting passes crypt_checksalt() too; no method fit for use has a shorter end. */
    return end && strlen(end + 1) >= HASH_END_MIN && strlen(hash) < CRYPT_OUTPUT_SIZE &&
           crypt_checksalt(hash) == CRYPT_SALT_OK;
}

size_t
password_cost_bytes(unsigned cost)
{
    /* yescrypt takes 128 × r × N; libxcrypt's r is 32 and N is 2^(cost + 7) from cost 3 on. */
    return (size_t)128 * 32 << (CLAMP(cost, PASSWORD_COST_MIN, PASSWORD_COST_MAX) + 7);
}

unsigned
password_measure_cost(int64_t budget_us, size_t budget_bytes)
{
    unsigned cost = PASSWORD_COST_MIN;

    while (cost < PASSWORD_COST_MAX && password_cost_bytes(cost + 1) <= budget_bytes) {
        int64_t began = g_get_monotonic_time();
        password_verify("measure", NULL, cost);
        if (2 * (g_get_monotonic_time() - began) > budget_us)
            break; /* the next takes twice as long */
        cost++;
    }
    return cost;
}
