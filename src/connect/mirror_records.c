/* connect/mirror_records.c - keys and values of the mirror's records, in Kafka's form, and the
 * comparison of offsets and topics with SQLite. See mirror.h. */
#include "connect/mirror_internal.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

/* --- connectors ------------------------------------------------------------------------------- */

static void put_text(struct mirror *m, enum mirror_topic t, const struct strbuf *key,
                     const struct strbuf *value, bool want)
{
    struct slice v = value ? strbuf_slice(value) : SLICE_NULL;
    if (want)
        mirror_want(m, t, strbuf_slice(key), v);
    else
        mirror_put(m, t, strbuf_slice(key), v);
}

static void properties(const struct strmap *config, struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    jw_begin_object(&w);
    jw_kv_object(&w, "properties");
    for (size_t i = 0; i < config->count; i++) {
        jw_key(&w, config->entries[i].key);
        jw_string(&w, config->entries[i].value);
    }
    jw_end_object(&w);
    jw_end_object(&w);
}

static void put_properties(struct mirror *m, const struct strbuf *key, const struct strmap *config,
                           bool want)
{
    struct strbuf value = STRBUF_INIT;
    properties(config, &value);
    put_text(m, MIRROR_CONFIGS, key, &value, want);
    mem_wipe(value.p, value.n);
    strbuf_release(&value);
}

void mirror_config(struct mirror *m, const char *c, const struct strmap *config)
{
    struct strbuf key = STRBUF_INIT;
    if (!m)
        return;
    strbuf_addf(&key, "connector-%s", c);
    if (config)
        put_properties(m, &key, config, true);
    else
        put_text(m, MIRROR_CONFIGS, &key, NULL, false);
    strbuf_release(&key);
}

void mirror_tasks(struct mirror *m, const char *c, const struct strmap *const *configs, int count)
{
    struct strbuf key = STRBUF_INIT, value = STRBUF_INIT;
    if (!m)
        return;
    for (int i = 0; i < count; i++) {
        strbuf_reset(&key);
        strbuf_addf(&key, "task-%s-%d", c, i);
        put_properties(m, &key, configs[i], true);
    }
    strbuf_reset(&key);
    strbuf_addf(&key, "commit-%s", c);
    strbuf_addf(&value, "{\"tasks\":%d}", count);
    put_text(m, MIRROR_CONFIGS, &key, &value, true);
    strbuf_release(&key);
    strbuf_release(&value);
}

void mirror_target(struct mirror *m, const char *c, const char *target)
{
    struct strbuf key = STRBUF_INIT, value = STRBUF_INIT;
    if (!m)
        return;
    strbuf_addf(&key, "target-state-%s", c);
    /* Workers before 3.5 know no STOPPED. */
    strbuf_addf(&value, "{\"state\":\"%s\",\"state.v2\":\"%s\"}",
                target && strcmp(target, "STOPPED") == 0 ? "PAUSED"
                : target                                 ? target
                                                         : "",
                target ? target : "");
    put_text(m, MIRROR_CONFIGS, &key, target ? &value : NULL, true);
    strbuf_release(&key);
    strbuf_release(&value);
}

void mirror_restart(struct mirror *m, const char *c, bool include_tasks, bool only_failed)
{
    struct strbuf key = STRBUF_INIT, value = STRBUF_INIT;
    if (!m)
        return;
    strbuf_addf(&key, "restart-connector-%s", c);
    strbuf_addf(&value, "{\"include-tasks\":%s,\"only-failed\":%s}",
                include_tasks ? "true" : "false", only_failed ? "true" : "false");
    put_text(m, MIRROR_CONFIGS, &key, &value, false);
    strbuf_release(&key);
    strbuf_release(&value);
}

void mirror_state(struct mirror *m, const char *c, int task, const char *state, struct slice trace,
                  const char *worker_id, const char *version)
{
    struct strbuf key = STRBUF_INIT, value = STRBUF_INIT;
    struct json_writer w = JSON_WRITER(&value);
    if (!m)
        return;
    if (task < 0)
        strbuf_addf(&key, "status-connector-%s", c);
    else
        strbuf_addf(&key, "status-task-%s-%d", c, task);
    jw_begin_object(&w);
    jw_kv_string_c(&w, "state", state);
    jw_kv_string(&w, "trace", trace);
    jw_kv_string_c(&w, "worker_id", worker_id);
    jw_kv_i64(&w, "generation", 1);
    jw_kv_string_c(&w, "version", version);
    jw_end_object(&w);
    put_text(m, MIRROR_STATUS, &key, state ? &value : NULL, false);
    strbuf_release(&key);
    strbuf_release(&value);
}

/* --- offsets and topics ----------------------------------------------------------------------- */

struct row {
    enum mirror_topic kind;
    struct slice key, value;
};
struct rows {
    struct arena arena;
    struct row *items;
    size_t count, cap;
};

static void add_row(struct rows *r, enum mirror_topic kind, const struct strbuf *key,
                    struct slice value)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 32;
        r->items = xrealloc(r->items, r->cap * sizeof *r->items);
    }
    r->items[r->count++] =
        (struct row){kind, arena_dup(&r->arena, strbuf_slice(key)), arena_dup(&r->arena, value)};
}

static enum err offsets_of_all(struct db *d, struct rows *r, struct error *e)
{
    sqlite3_stmt *q = db_stmt(d, "SELECT connector, partition, value FROM connect_offsets");
    struct strbuf key = STRBUF_INIT;
    enum err err;
    while ((err = db_step(d, q, e)) == E_OK) {
        struct json_writer w = JSON_WRITER(&key);
        strbuf_reset(&key);
        jw_begin_array(&w);
        jw_string(&w, db_column_slice(q, 0));
        jw_raw(&w, db_column_slice(q, 1));
        jw_end_array(&w);
        add_row(r, MIRROR_OFFSETS, &key, db_column_slice(q, 2));
    }
    strbuf_release(&key);
    return err;
}

static enum err topics_of_all(struct db *d, struct rows *r, struct error *e)
{
    sqlite3_stmt *q =
        db_stmt(d, "SELECT connector, topic, task, discovered_ms FROM connect_topics");
    struct strbuf key = STRBUF_INIT, value = STRBUF_INIT;
    enum err err;
    while ((err = db_step(d, q, e)) == E_OK) {
        struct slice connector = db_column_slice(q, 0), topic = db_column_slice(q, 1);
        struct json_writer w = JSON_WRITER(&value);
        strbuf_reset(&key);
        strbuf_reset(&value);
        strbuf_addf(&key, "status-topic-" PRI_SL ":connector-" PRI_SL, ARG_SL(topic),
                    ARG_SL(connector));
        jw_begin_object(&w);
        jw_kv_object(&w, "topic");
        jw_kv_string(&w, "name", topic);
        jw_kv_string(&w, "connector", connector);
        jw_kv_i64(&w, "task", sqlite3_column_int(q, 2));
        jw_kv_i64(&w, "discoverTimestamp", sqlite3_column_int64(q, 3));
        jw_end_object(&w);
        jw_end_object(&w);
        add_row(r, MIRROR_TOPICS, &key, strbuf_slice(&value));
    }
    strbuf_release(&key);
    strbuf_release(&value);
    return err;
}

static enum err job_rows(struct db *d, void *arg, struct error *e)
{
    enum err err = offsets_of_all(d, arg, e);
    if (err == E_NOT_FOUND)
        err = topics_of_all(d, arg, e);
    if (err != E_NOT_FOUND)
        return err;
    error_clear(e);
    return E_OK;
}

/* Keys that the comparison did not see are gone. */
static void drop_unseen(struct mirror *m, enum mirror_topic t)
{
    struct rows gone = {.count = 0};
    struct slice key;
    void *value;
    arena_init(&gone.arena, 1024, ARENA_NO_BUDGET);
    for (size_t i = 0; map_next(&m->written[t], &i, &key, &value);) {
        struct mirror_written *w = value;
        struct strbuf copy = STRBUF_INIT;
        strbuf_add_slice(&copy, key);
        if (!w->seen)
            add_row(&gone, t, &copy, SLICE_NULL);
        w->seen = false;
        strbuf_release(&copy);
    }
    for (size_t i = 0; i < gone.count; i++)
        mirror_write(m, t, gone.items[i].key, SLICE_NULL, false);
    arena_release(&gone.arena);
    mem_free(gone.items);
}

void mirror_compare(struct mirror *m)
{
    struct rows r = {.count = 0};
    struct error e = {0};
    arena_init(&r.arena, 4096, ARENA_NO_BUDGET);
    if (db_run(m->db, job_rows, &r, &e)) {
        LOG_ERR(LOG_CONNECT, LOG_L_WARN, &e, "stored offsets could not be read");
    } else {
        for (size_t i = 0; i < r.count; i++) {
            mirror_write(m, r.items[i].kind, r.items[i].key, r.items[i].value, true);
            struct mirror_written *w = map_get(&m->written[r.items[i].kind], r.items[i].key);
            if (w)
                w->seen = true;
        }
        drop_unseen(m, MIRROR_OFFSETS);
        drop_unseen(m, MIRROR_TOPICS);
    }
    arena_release(&r.arena);
    mem_free(r.items);
}

/* --- after a start ---------------------------------------------------------------------------- */

struct keep {
    struct mirror *m;
    struct map names;
};

/* The connector that a key is about, or null. */
static struct slice connector_of(enum mirror_topic t, struct slice key)
{
    static const struct {
        enum mirror_topic topic;
        const char *prefix;
        bool number;
    } rows[] = {
        {MIRROR_CONFIGS, "connector-", false},
        {MIRROR_CONFIGS, "target-state-", false},
        {MIRROR_STATUS, "status-connector-", false},
        {MIRROR_STATUS, "status-task-", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice prefix = slice_cstr(rows[i].prefix);
        if (rows[i].topic != t || !slice_starts(key, prefix))
            continue;
        struct slice name = slice_sub(key, prefix.n, key.n);
        ptrdiff_t dash = rows[i].number ? slice_rfind_char(name, '-') : (ptrdiff_t)name.n;
        return dash < 0 ? SLICE_NULL : slice_sub(name, 0, (size_t)dash);
    }
    return SLICE_NULL;
}

static void run_keep(void *arg)
{
    struct keep *k = arg;
    static const enum mirror_topic topics[] = {MIRROR_CONFIGS, MIRROR_STATUS};
    for (size_t t = 0; t < ARRAY_LEN(topics); t++) {
        struct slice key;
        void *value;
        for (size_t i = 0; map_next(&k->m->written[topics[t]], &i, &key, &value);) {
            struct slice name = connector_of(topics[t], key);
            ((struct mirror_written *)value)->seen = !name.p || map_get(&k->names, name);
        }
        drop_unseen(k->m, topics[t]);
    }
    map_release(&k->names, NULL);
    mem_free(k);
}

void mirror_keep(struct mirror *m, const struct slice *names, size_t count)
{
    if (!m)
        return;
    struct keep *k = xcalloc(1, sizeof *k);
    k->m = m;
    map_init(&k->names);
    for (size_t i = 0; i < count; i++)
        (void)map_put(&k->names, names[i], k);
    loop_post(m->loop, run_keep, k);
}
