/* connect/config_check.c - see config_check.h. */
#include "connect/config_check.h"

#include "connect/config_refs.h"
#include "connect/configdef.h"
#include "connect/worker_options.h"

static void add_faults(const struct config_errors *v, struct inspection *out)
{
    for (size_t i = 0; i < v->count; i++)
        for (size_t k = 0; k < v->items[i].error_count; k++) {
            struct strbuf name = STRBUF_INIT;
            strbuf_add_slice(&name, v->items[i].name);
            inspection_add(out, INSPECT_FAULT, name.p ? name.p : "", PRI_SL,
                           ARG_SL(v->items[i].errors[k]));
            strbuf_release(&name);
        }
}

static void add_unread(const struct connector_ops *ops, const struct strmap *config,
                       struct inspection *out)
{
    for (size_t i = 0; ops->unread && i < config->count; i++) {
        struct strbuf name = STRBUF_INIT;
        const char *near = NULL;
        strbuf_add_slice(&name, config->entries[i].key);
        if (name.n && ops->unread(config, config->entries[i].key, &near))
            inspection_add(out, INSPECT_WARNING, name.p,
                           "there is no such option, and its value is ignored%s%s%s",
                           near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        strbuf_release(&name);
    }
}

void config_check(const struct connect_plugins *const *plugins, const struct connector_ops *ops,
                  const struct strmap *config, struct inspection *out)
{
    struct registry registry;
    struct strmap worker, resolved = STRMAP_INIT, named = STRMAP_INIT;
    struct config_errors v = {0};
    struct error e = {0};
    struct connector_ops alone = *ops; /* whoever asks looks at the database itself */
    alone.validate = ops->check;
    registry_init(&registry, plugins);
    strmap_copy(&named, config);
    if (!strmap_has(&named, SL("name"))) /* it stands beside the configuration */
        strmap_set(&named, SL("name"), SL("doctor"));
    enum err rc = worker_options_make(&worker, NULL, &e);
    if (rc == E_OK)
        rc = config_refs_resolve(&named, &worker, &resolved, &e);
    if (rc == E_OK) {
        rc = config_validate(&v, &registry, &worker, &resolved, &alone, &e);
        config_errors_hide(&v, &named, &resolved);
        config_refs_hide_error(&named, &resolved, &e);
    }
    add_faults(&v, out);
    if (rc)
        inspection_add(out, INSPECT_FAULT, "configuration", "%s", e.msg);
    add_unread(ops, config, out);
    config_errors_release(&v);
    strmap_release(&resolved);
    strmap_release(&named);
    strmap_release(&worker);
    registry_release(&registry);
}
