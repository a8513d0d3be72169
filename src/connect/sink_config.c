/* connect/sink_config.c - see the header. */
#include "connect/sink_config.h"

#include "base/mem.h"
#include "connect/stages.h"
#include "connect/worker_options.h"

static struct slice own(char *text)
{
    return slice_cstr(text);
}

void sink_config_init(struct sink_config *c, const struct strmap *config,
                      const struct strmap *worker, const char *connector, int task)
{
    struct strmap overrides;
    memset(c, 0, sizeof *c);
    config_with_prefix(worker, "consumer.", &c->consumer);
    config_with_prefix(config, "consumer.override.", &overrides);
    for (size_t i = 0; i < overrides.count; i++)
        strmap_set(&c->consumer, overrides.entries[i].key, overrides.entries[i].value);
    /* The group is the connector's; the worker's own group.id is not meant. */
    struct slice group = slice_trim(strmap_get_c(&overrides, "group.id"));
    struct slice client = slice_trim(strmap_get_c(&c->consumer, "client.id"));
    c->group = own(group.n ? slice_dup(group) : xasprintf("connect-%s", connector));
    c->client_id =
        own(client.n ? slice_dup(client) : xasprintf("connector-consumer-%s-%d", connector, task));
    strmap_release(&overrides);
    struct slice topics = slice_trim(strmap_get_c(config, "topics"));
    if (topics.n)
        c->topics = topics;
    else
        c->regex = slice_trim(strmap_get_c(config, "topics.regex"));
    if (!c->topics.p && !c->regex.p)
        c->topics = SL("");
    c->flush_interval_ms = worker_flush_interval_ms(worker);
}

void sink_config_release(struct sink_config *c)
{
    mem_free((void *)(uintptr_t)c->group.p);
    mem_free((void *)(uintptr_t)c->client_id.p);
    strmap_release(&c->consumer);
}
