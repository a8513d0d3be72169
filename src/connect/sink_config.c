/* connect/sink_config.c - see the header. */
#include "connect/sink_config.h"

#include "base/log.h"
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
    memset(c, 0, sizeof *c);
    config_of_client(config, worker, "consumer.", &c->consumer);
    /* The group is the connector's; the worker's own group.id is not meant. */
    struct slice group = slice_trim(strmap_get_c(config, "consumer.override.group.id"));
    struct slice client = slice_trim(strmap_get_c(&c->consumer, "client.id"));
    c->group = own(group.n ? slice_dup(group) : xasprintf("connect-%s", connector));
    c->client_id =
        own(client.n ? slice_dup(client) : xasprintf("connector-consumer-%s-%d", connector, task));
    struct slice topics = slice_trim(strmap_get_c(config, "topics"));
    if (topics.n)
        c->topics = topics;
    else
        c->regex = slice_trim(strmap_get_c(config, "topics.regex"));
    if (!c->topics.p && !c->regex.p)
        c->topics = SL("");
    c->flush_interval_ms = worker_flush_interval_ms(worker);
}

void sink_config_warn(const struct sink_config *c)
{
    static const char java[] = "weir loads no Java classes";
    static const char range[] = "members inside weir assign by range, in the classic protocol";
    static const struct {
        const char *name, *why;
        const char *harmless; /* values with this text in them change nothing anyway */
    } rows[] = {
        {"partition.assignment.strategy", range, "RangeAssignor"},
        {"group.protocol", range, "classic"},
        {"group.remote.assignor", range, NULL},
        {"group.instance.id",
         "a member inside weir has no session that it could outlive; it leaves when it ends", NULL},
        {"interceptor.classes", java, NULL},
    };
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice given = slice_trim(strmap_get_c(&c->consumer, rows[i].name));
        if (!given.n || (rows[i].harmless && slice_find(given, slice_cstr(rows[i].harmless)) >= 0))
            continue;
        strbuf_addf(&text, "%s%s (%s)", text.n ? ", " : "", rows[i].name, rows[i].why);
    }
    if (text.n)
        LOG_WARN(LOG_CONNECT_TASK, "options of the consumer that change nothing: %s", text.p);
    strbuf_release(&text);
}

void sink_config_release(struct sink_config *c)
{
    mem_free((void *)(uintptr_t)c->group.p);
    mem_free((void *)(uintptr_t)c->client_id.p);
    strmap_release(&c->consumer);
}
