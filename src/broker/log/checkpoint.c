/* broker/log/checkpoint.c - see checkpoint.h. These files only save work: what they say is checked
 * against the log, so a damaged one counts as missing. */
#include "broker/log/checkpoint.h"

#include "base/fs.h"
#include "base/mem.h"

#define CHECKPOINT_MAX ((size_t)64 << 20)

void checkpoint_init(struct checkpoint *c)
{
    map_init(&c->offsets);
}

void checkpoint_release(struct checkpoint *c)
{
    map_release(&c->offsets, mem_free);
}

static struct slice key_of(char room[280], struct slice topic, int32_t partition)
{
    int n = snprintf(room, 280, PRI_SL " %d", ARG_SL(topic), partition);
    return slice_of(room, (size_t)MIN(n, 279));
}

void checkpoint_set(struct checkpoint *c, struct slice topic, int32_t partition, int64_t offset)
{
    char room[280];
    int64_t *value = xmalloc(sizeof *value);
    *value = offset;
    mem_free(map_put(&c->offsets, key_of(room, topic, partition), value));
}

int64_t checkpoint_get(const struct checkpoint *c, struct slice topic, int32_t partition)
{
    char room[280];
    const int64_t *value = map_get(&c->offsets, key_of(room, topic, partition));
    return value ? *value : -1;
}

/* Next line as words; false at the end. */
static bool next_line(struct slice *rest, struct slice *words, size_t want)
{
    struct slice line;
    if (!slice_split(rest, '\n', &line) || line.n == 0)
        return false;
    for (size_t i = 0; i < want; i++)
        if (!slice_split(&line, ' ', &words[i]))
            return false;
    return line.p == NULL;
}

void checkpoint_load(struct checkpoint *c, const char *path)
{
    struct strbuf text = STRBUF_INIT;
    if (fs_exists(path) && fs_read_all(path, CHECKPOINT_MAX, &text, NULL) == E_OK) {
        struct slice rest = strbuf_slice(&text), w[3];
        int64_t partition, offset;
        if (next_line(&rest, w, 1) && slice_eq_c(w[0], "0") && next_line(&rest, w, 1))
            while (next_line(&rest, w, 3))
                if (slice_to_i64(w[1], &partition) == E_OK && slice_to_i64(w[2], &offset) == E_OK &&
                    partition <= INT32_MAX)
                    checkpoint_set(c, w[0], (int32_t)partition, offset);
    }
    strbuf_release(&text);
}

enum err checkpoint_save(const struct checkpoint *c, const char *path, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    struct slice key;
    void *value;
    strbuf_addf(&text, "0\n%zu\n", c->offsets.count);
    for (size_t i = 0; map_next(&c->offsets, &i, &key, &value);)
        strbuf_addf(&text, PRI_SL " %lld\n", ARG_SL(key), (long long)*(const int64_t *)value);
    enum err err = strbuf_err(&text);
    if (!err)
        err = fs_replace(path, strbuf_slice(&text), e);
    strbuf_release(&text);
    return err;
}

/* --- tails ------------------------------------------------------------------------------------ */

void tails_init(struct tails *t)
{
    map_init(&t->of);
}

void tails_release(struct tails *t)
{
    map_release(&t->of, mem_free);
}

void tails_set(struct tails *t, struct slice topic, int32_t partition, const struct tail *tail)
{
    char room[280];
    struct tail *value = xmalloc(sizeof *value);
    *value = *tail;
    mem_free(map_put(&t->of, key_of(room, topic, partition), value));
}

const struct tail *tails_get(const struct tails *t, struct slice topic, int32_t partition)
{
    char room[280];
    return map_get(&t->of, key_of(room, topic, partition));
}

static void tails_line(struct tails *t, const struct slice *w)
{
    struct tail tail;
    int64_t partition, epoch;
    if (slice_to_i64(w[1], &partition) == E_OK && slice_to_i64(w[2], &tail.base) == E_OK &&
        slice_to_i64(w[3], &tail.end) == E_OK && slice_to_i64(w[4], &tail.size) == E_OK &&
        slice_to_i64(w[5], &epoch) == E_OK && partition >= 0 && partition <= INT32_MAX &&
        epoch >= 0 && epoch <= INT32_MAX) {
        tail.epoch = (int32_t)epoch;
        tails_set(t, w[0], (int32_t)partition, &tail);
    }
}

void tails_load(struct tails *t, const char *path)
{
    struct strbuf text = STRBUF_INIT;
    if (fs_exists(path) && fs_read_all(path, CHECKPOINT_MAX, &text, NULL) == E_OK) {
        struct slice rest = strbuf_slice(&text), w[6];
        if (next_line(&rest, w, 1) && slice_eq_c(w[0], "0") && next_line(&rest, w, 1))
            while (next_line(&rest, w, 6))
                tails_line(t, w);
    }
    strbuf_release(&text);
}

enum err tails_save(const struct tails *t, const char *path, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    struct slice key;
    void *value;
    strbuf_addf(&text, "0\n%zu\n", t->of.count);
    for (size_t i = 0; map_next(&t->of, &i, &key, &value);) {
        const struct tail *x = value;
        strbuf_addf(&text, PRI_SL " %lld %lld %lld %d\n", ARG_SL(key), (long long)x->base,
                    (long long)x->end, (long long)x->size, x->epoch);
    }
    enum err err = strbuf_err(&text);
    if (!err)
        err = fs_replace(path, strbuf_slice(&text), e);
    strbuf_release(&text);
    return err;
}

/* --- leader epochs ---------------------------------------------------------------------------- */

void epochs_load(const char *path, struct epoch_entry **out, size_t *count)
{
    struct strbuf text = STRBUF_INIT;
    *out = NULL;
    *count = 0;
    if (fs_exists(path) && fs_read_all(path, CHECKPOINT_MAX, &text, NULL) == E_OK) {
        struct slice rest = strbuf_slice(&text), w[2];
        int64_t epoch, start;
        if (next_line(&rest, w, 1) && slice_eq_c(w[0], "0") && next_line(&rest, w, 1))
            while (next_line(&rest, w, 2))
                if (slice_to_i64(w[0], &epoch) == E_OK && slice_to_i64(w[1], &start) == E_OK &&
                    epoch <= INT32_MAX) {
                    *out = xrealloc(*out, (*count + 1) * sizeof **out);
                    (*out)[(*count)++] = (struct epoch_entry){(int32_t)epoch, start};
                }
    }
    strbuf_release(&text);
}

enum err epochs_save(const char *path, const struct epoch_entry *epochs, size_t count,
                     struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "0\n%zu\n", count);
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&text, "%d %lld\n", epochs[i].epoch, (long long)epochs[i].start);
    enum err err = strbuf_err(&text);
    if (!err)
        err = fs_replace(path, strbuf_slice(&text), e);
    strbuf_release(&text);
    return err;
}
