/* broker/diagnosis.c - see diagnosis.h. */
#include "broker/diagnosis.h"

#include <string.h>

void diagnosis_init(struct diagnosis *d)
{
    memset(d, 0, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
}

void diagnosis_release(struct diagnosis *d)
{
    pthread_mutex_destroy(&d->lock);
}

/* The peer's row, or the one that was not used for the longest time, emptied. Lock held. */
static struct diagnosis_peer *row_of(struct diagnosis *d, const char *ip)
{
    struct diagnosis_peer *oldest = &d->peers[0];
    for (int i = 0; i < DIAGNOSIS_PEERS; i++) {
        struct diagnosis_peer *p = &d->peers[i];
        if (!strcmp(p->ip, ip)) {
            p->used = ++d->clock;
            return p;
        }
        if (p->used < oldest->used)
            oldest = p;
    }
    *oldest = (struct diagnosis_peer){.used = ++d->clock};
    snprintf(oldest->ip, sizeof oldest->ip, "%s", ip);
    return oldest;
}

bool diagnosis_metadata(struct diagnosis *d, const char *ip)
{
    pthread_mutex_lock(&d->lock);
    struct diagnosis_peer *p = row_of(d, ip);
    bool tell = ++p->metadata >= DIAGNOSIS_METADATA && !p->works && !p->told;
    p->told |= tell;
    pthread_mutex_unlock(&d->lock);
    return tell;
}

void diagnosis_works(struct diagnosis *d, const char *ip)
{
    pthread_mutex_lock(&d->lock);
    row_of(d, ip)->works = true;
    pthread_mutex_unlock(&d->lock);
}
