/* cdc/mysql/neighbours.c - see neighbours.h. */
#include "cdc/mysql/neighbours.h"

#include <pthread.h>

#include "base/log.h"
#include "cdc/mysql/options.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* innermost; of the list */
static struct neighbour *first;

void neighbours_join(struct neighbour *n, const char *connector, const struct mysql_options *o)
{
    pthread_mutex_lock(&lock);
    *n = (struct neighbour){.next = first, .connector = connector, .o = o};
    first = n;
    pthread_mutex_unlock(&lock);
}

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

void neighbours_warn(struct slice connector, const struct mysql_options *o)
{
    pthread_mutex_lock(&lock);
    for (const struct neighbour *n = first; n; n = n->next) {
        if (slice_eq_c(connector, n->connector))
            continue;
        if (n->o->server_id == o->server_id && same_server(n->o, o))
            LOG_WARN(LOG_CDC_MYSQL,
                     "connectors '" PRI_SL "' and '%s' read " PRI_SL
                     ":%d with the same database.server.id %lld: the server throws out the older "
                     "reader of the two; give one of them another database.server.id",
                     ARG_SL(connector), n->connector, ARG_SL(o->hostname), (int)o->port,
                     (long long)o->server_id);
        if (slice_eq(n->o->topic_prefix, o->topic_prefix))
            LOG_WARN(LOG_CDC_MYSQL,
                     "connectors '" PRI_SL "' and '%s' have the same topic.prefix '" PRI_SL
                     "': they write to the same topics; give one of them another topic.prefix",
                     ARG_SL(connector), n->connector, ARG_SL(o->topic_prefix));
    }
    pthread_mutex_unlock(&lock);
}

bool neighbours_hint(const struct neighbour *own, struct error *e)
{
    bool found = false;
    if (!own->o)
        return false;
    pthread_mutex_lock(&lock);
    for (const struct neighbour *n = first; n && !found; n = n->next) {
        found = n != own && n->o->server_id == own->o->server_id &&
                strcmp(n->connector, own->connector) != 0;
        if (found)
            error_hint(e,
                       "connector '%.80s' of this worker reads with database.server.id %lld, too: "
                       "give one of the two another database.server.id",
                       n->connector, (long long)own->o->server_id);
    }
    pthread_mutex_unlock(&lock);
    return found;
}
