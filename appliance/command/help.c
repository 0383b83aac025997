/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/command/help.h"

#include "appliance/command/value.h"

#include <stdio.h>
#include <string.h>

#define COLUMN 16

void
cli_help(void)
{
    const char *kind;

    puts("usage: carrel KIND VERB [WORD...] [--FIELD VALUE...] [--json]\n");
    for (unsigned i = 0; (kind = cli_kind(i)); i++) {
        g_autoptr(GPtrArray) verbs = cli_verbs(kind);
        printf("  %-9s", kind);
        for (unsigned k = 0; k < verbs->len; k++)
            printf(" %s", ((CliVerb *)verbs->pdata[k])->name);
        putchar('\n');
    }
    puts("\ncarrel KIND --help and carrel KIND VERB --help say more; carrel doctor looks at the host; carrel login "
         "NAME signs in.\n"
         "--json gives answers for scripts, --no-wait leaves long work to itself, --socket PATH is where carreld "
         "listens.");
}

void
cli_help_kind(const char *kind)
{
    g_autoptr(GPtrArray) verbs = cli_verbs(kind);

    printf("usage: carrel %s VERB ...\n\n", kind);
    for (unsigned i = 0; i < verbs->len; i++) {
        const CliVerb *verb = verbs->pdata[i];
        printf("  %-*s %s\n", COLUMN, verb->name, verb->about);
    }
}

static bool
is_given_by_us(const CliVerb *verb, const StoreField *field)
{
    return verb->command && verb->command->action == STORE_MAKES && field->type == STORE_FIELD_UUID &&
           !strcmp(field->name, verb->command->kind->name);
}

static void
print_field(const StoreField *field, bool positional)
{
    g_autofree char *option = cli_option_name(field), *hint = cli_value_hint(field);
    const char *about = field->about, *more = "";

    if (field->type == STORE_FIELD_HASH)
        about = "you are asked for it, or it is read from the standard input";
    else if (field->type == STORE_FIELD_RECORDS)
        more = "; may be given again, or empty for none";
    else if (field->flags & STORE_FIELD_CLEARABLE)
        more = "; empty: none";
    printf("  --%s %s%s\n      %s%s\n", option, hint, positional ? "  (or as a word)" : "", about, more);
}

void
cli_help_verb(const CliVerb *verb)
{
    printf("usage: carrel %s %s", verb->kind, verb->name);
    for (const StoreField *field = verb->fields; field && field->name; field++)
        if (field->flags & STORE_FIELD_REQUIRED && !is_given_by_us(verb, field)) {
            g_autofree char *upper = g_ascii_strup(field->name, -1);
            printf(" %s", upper);
        }
    printf("%s\n\n%s\n\n", verb->fields && verb->fields->name ? " [--FIELD VALUE...]" : "", verb->about);
    for (const StoreField *field = verb->fields; field && field->name; field++)
        if (!is_given_by_us(verb, field))
            print_field(field, field->flags & STORE_FIELD_REQUIRED);
}

/* ---- Completion */

static void
offer(const char *word, const char *begin)
{
    if (g_str_has_prefix(word, begin))
        puts(word);
}

/* Those that may fit; NULL: nobody can say. */
static GPtrArray *
things_with(const StoreKind *kind, const char *begin)
{
    CliNarrow narrow = {.search = *begin && !strcmp(kind->label, "name") ? begin : NULL};
    g_autoptr(CliClient) client = cli_client_new(NULL, NULL);

    return client ? cli_list(client, kind->name, &narrow, 1000, NULL) : NULL;
}

static void
offer_values(const CliVerb *verb, const StoreField *raw, const char *begin)
{
    StoreField whole = cli_field_of(verb, raw), *field = &whole;
    g_autoptr(GPtrArray) things = field->to ? things_with(field->to, begin) : NULL;

    for (const char *const *word = field->words; word && *word; word++)
        offer(*word, begin);
    if (field->type == STORE_FIELD_BOOL) {
        offer("yes", begin);
        offer("no", begin);
    }
    for (unsigned i = 0; things && i < things->len; i++) {
        const char *name;
        if (g_variant_lookup(things->pdata[i], field->to->label, "&s", &name))
            offer(name, begin);
    }
}

static const StoreField *
field_of(const CliVerb *verb, const char *option)
{
    for (const StoreField *field = verb->fields; field && field->name; field++) {
        g_autofree char *name = cli_option_name(field);
        if (!strcmp(name, option))
            return field;
    }
    return NULL;
}

/* The required field that the next word without a dash would be. */
static const StoreField *
positional(const CliVerb *verb, char **words, unsigned n)
{
    unsigned skip = 0;

    for (unsigned i = 0; i < n; i++) {
        const StoreField *option = g_str_has_prefix(words[i], "--") ? field_of(verb, words[i] + 2) : NULL;
        if (option && option->type != STORE_FIELD_BOOL)
            i++;
        else if (!g_str_has_prefix(words[i], "--"))
            skip++;
    }
    for (const StoreField *field = verb->fields; field && field->name; field++)
        if (field->flags & STORE_FIELD_REQUIRED && !is_given_by_us(verb, field) && !skip--)
            return field;
    return NULL;
}

static void
complete_verb(const CliVerb *verb, char **words)
{
    unsigned n = g_strv_length(words);
    const char *last = words[n - 1];
    const StoreField *field = NULL;

    if (n > 1 && g_str_has_prefix(words[n - 2], "--"))
        field = field_of(verb, words[n - 2] + 2);
    if (field && field->type != STORE_FIELD_BOOL) {
        offer_values(verb, field, last);
        return;
    }
    field = positional(verb, words, n - 1);
    if (field && *last != '-')
        offer_values(verb, field, last);
    for (field = verb->fields; field && field->name && (*last == '-' || !*last); field++) {
        g_autofree char *name = cli_option_name(field), *option = g_strdup_printf("--%s", name);
        if (!is_given_by_us(verb, field))
            offer(option, last);
    }
}

void
cli_complete(char **words)
{
    unsigned n = g_strv_length(words);
    const char *kind;

    for (unsigned i = 0; n == 1 && (kind = cli_kind(i)); i++)
        offer(kind, words[0]);
    if (n == 1) {
        offer("doctor", words[0]);
        offer("login", words[0]);
        offer("logout", words[0]);
        offer("help", words[0]);
    }
    if (n < 2)
        return;
    g_autoptr(GPtrArray) verbs = cli_verbs(words[0]);
    const CliVerb *verb = cli_verb_find(verbs, words[1]);
    for (unsigned i = 0; n == 2 && i < verbs->len; i++)
        offer(((CliVerb *)verbs->pdata[i])->name, words[1]);
    if (n > 2 && verb)
        complete_verb(verb, words + 2);
}
