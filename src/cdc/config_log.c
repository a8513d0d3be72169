/* cdc/config_log.c - see config_log.h. What counts as a secret: the names that Debezium hides, some
 * more that other options in the same configuration have, and URLs with a password in them. */
#include "cdc/config_log.h"

#include <stdlib.h>

#include "base/mem.h"

static bool is_secret(struct slice name)
{
    static const char *const ends[] = {"secret",
                                       "password",
                                       "sasl.jaas.config",
                                       "basic.auth.user.info",
                                       "credentials.json",
                                       "connection.string",
                                       "connectionstring",
                                       "registry.auth.client-secret",
                                       "token",
                                       "passphrase",
                                       "private.key",
                                       "connection.uri"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct slice end = slice_cstr(ends[i]);
        if (name.n >= end.n && slice_ieq(slice_sub(name, name.n - end.n, name.n), end))
            return true;
    }
    return false;
}

/* scheme://user:password@host */
static bool has_password(struct slice value)
{
    ptrdiff_t scheme = slice_find(value, SL("://"));
    if (scheme < 0)
        return false;
    struct slice rest = slice_sub(value, (size_t)scheme + 3, value.n);
    ptrdiff_t at = slice_find_char(rest, '@');
    return at > 0 && slice_find_char(slice_sub(rest, 0, (size_t)at), ':') >= 0;
}

struct slice config_log_value(struct slice name, struct slice value)
{
    return value.n && (is_secret(name) || has_password(value)) ? SL(CONFIG_LOG_HIDDEN) : value;
}

static int by_name(const void *a, const void *b)
{
    const struct strmap_entry *const *x = a, *const *y = b;
    return slice_cmp((*x)->key, (*y)->key);
}

void config_log(enum log_category c, const char *task, const struct strmap *config)
{
    if (!log_enabled(c, LOG_L_INFO))
        return;
    const struct strmap_entry **sorted = xcalloc(config->count + 1, sizeof(*sorted));
    for (size_t i = 0; i < config->count; i++)
        sorted[i] = &config->entries[i];
    qsort(sorted, config->count, sizeof(*sorted), by_name);
    LOG_INFO(c, "Starting %s with configuration:", task);
    for (size_t i = 0; i < config->count; i++)
        LOG_INFO(c, "   " PRI_SL " = " PRI_SL, ARG_SL(sorted[i]->key),
                 ARG_SL(config_log_value(sorted[i]->key, sorted[i]->value)));
    mem_free(sorted);
}
