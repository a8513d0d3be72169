/* cdc/mysql/neighbours.c - see neighbours.h. */
#include "cdc/mysql/neighbours.h"

#include <pthread.h>

#include "base/log.h"
#include "cdc/mysql/options.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* innermost; of the list */
static struct neighbour *first;

void neighbours_leave(struct neighbour *n)
{
    pthread_mutex_lock(&lock);
    for (struct neighbour **at = &first; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    pthread_mutex_unlock(&lock);
}

static bool same_server(const struct mysql_options *a, const struct mysql_options *b)
{
    return a->port == b->port && slice_ieq(slice_trim(a->hostname), slice_trim(b->hostname));
}

/* Lines that say how two are in each other's way, each with a NUL behind it; appends. */
static void compare(const struct neighbour *own, const struct neighbour *n, struct strbuf *lines)
{
    const struct mysql_options *o = own->o;
    if (strcmp(own->connector, n->connector) == 0)
        return;
    if (n->o->server_id == o->server_id && same_server(n->o, o)) {
        strbuf_addf(lines,
                    "connectors '%s' and '%s' read " PRI_SL
                    ":%d with the same database.server.id %lld: the server throws out the older "
                    "reader of the two; give one of them another database.server.id",
                    own->connector, n->connector, ARG_SL(o->hostname), (int)o->port,
                    (long long)o->server_id);
        strbuf_addc(lines, '\0');
    }
    if (slice_eq(n->o->topic_prefix, o->topic_prefix)) {
        strbuf_addf(lines,
                    "connectors '%s' and '%s' have the same topic.prefix '" PRI_SL
                    "': they write to the same topics; give one of them another topic.prefix",
                    own->connector, n->connector, ARG_SL(o->topic_prefix));
        strbuf_addc(lines, '\0');
    }
}

void neighbours_join(struct neighbour *own, const char *connector, const struct mysql_options *o)
{
    struct strbuf lines = STRBUF_INIT;
    pthread_mutex_lock(&lock);
    *own = (struct neighbour){.next = first, .connector = connector, .o = o};
    for (const struct neighbour *n = first; n; n = n->next)
        compare(own, n, &lines);
    first = own;
    pthread_mutex_unlock(&lock);
    for (size_t at = 0; at < lines.n; at += strlen(lines.p + at) + 1)
        LOG_WARN(LOG_CDC_MYSQL, "%s", lines.p + at);
    strbuf_release(&lines);
}

/* Another one with the same number: of the same server when there is one. */
static const struct neighbour *namesake(const struct neighbour *own)
{
    const struct neighbour *found = NULL;
    for (const struct neighbour *n = first; n; n = n->next) {
        if (n->o->server_id != own->o->server_id || strcmp(n->connector, own->connector) == 0)
            continue;
        if (same_server(n->o, own->o))
            return n;
        found = n;
    }
    return found;
}

bool neighbours_hint(const struct neighbour *own, struct error *e)
{
    if (!own->o)
        return false;
    pthread_mutex_lock(&lock);
    const struct neighbour *n = namesake(own);
    if (n && same_server(n->o, own->o))
        error_hint(e,
                   "connector '%.80s' of this worker reads with database.server.id %lld, too: "
                   "give one of the two another database.server.id",
                   n->connector, (long long)own->o->server_id);
    else if (n) /* a server may have several names */
        error_hint(e,
                   "it may be connector '%.60s' of this worker, which reads " PRI_SL " with "
                   "database.server.id %lld, too: give one of the two another database.server.id",
                   n->connector, ARG_SL(slice_sub(n->o->hostname, 0, 60)),
                   (long long)own->o->server_id);
    pthread_mutex_unlock(&lock);
    return n;
}
