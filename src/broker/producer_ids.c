/* broker/producer_ids.c - blocks of producer ids. Row producer_id_next of broker_meta: the first id
 * that is not reserved. */
#include "broker/producer_ids.h"

#include "base/base.h"
#include "base/mem.h"
#include "base/str.h"

#define BLOCK 1000

void producer_ids_init(struct producer_ids *p, struct db *db)
{
    *p = (struct producer_ids){.db = db};
    pthread_mutex_init(&p->lock, NULL);
}

void producer_ids_release(struct producer_ids *p)
{
    pthread_mutex_destroy(&p->lock);
}

enum err producer_ids_take(struct producer_ids *p, int64_t *id)
{
    pthread_mutex_lock(&p->lock);
    enum err r = p->next < p->end ? E_OK : E_AGAIN;
    if (r == E_OK)
        *id = p->next++;
    pthread_mutex_unlock(&p->lock);
    return r;
}

static enum err reserve_job(struct db *d, void *arg, struct error *e)
{
    int64_t *first = arg;
    *first = 0;
    sqlite3_stmt *s = db_stmt(d, "SELECT value FROM broker_meta WHERE key = 'producer_id_next'");
    enum err r = db_step(d, s, e);
    if (r == E_OK && slice_to_i64(db_column_slice(s, 0), first) != E_OK)
        return error_set(e, E_CORRUPT, "the stored producer id is no number");
    if (r != E_OK && r != E_NOT_FOUND)
        return r;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)(*first + BLOCK));
    s = db_stmt(d, "INSERT INTO broker_meta (key, value) VALUES ('producer_id_next', ?1)"
                   " ON CONFLICT DO UPDATE SET value = ?1");
    db_bind_slice(s, 1, slice_cstr(text));
    return db_exec(d, s, e);
}

enum err producer_ids_reserve(struct producer_ids *p, struct error *e)
{
    int64_t first;
    enum err r = db_run(p->db, reserve_job, &first, e);
    if (r != E_OK)
        return r;
    pthread_mutex_lock(&p->lock);
    if (p->next >= p->end) { /* two may have come at once: the second block is lost then */
        p->next = first;
        p->end = first + BLOCK;
    }
    pthread_mutex_unlock(&p->lock);
    return E_OK;
}
