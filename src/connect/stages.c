/* connect/stages.c - see the header. */
#include "connect/stages.h"

#include "base/log.h"
#include "base/mem.h"
#include "connect/kclient.h"

struct stage_transform {
    const struct transform_ops *ops;
    void *state;
    const struct predicate_ops *predicate; /* NULL: always */
    void *predicate_state;
    bool negate;
};

void config_with_prefix(const struct strmap *config, const char *prefix, struct strmap *out)
{
    struct slice p = slice_cstr(prefix);
    strmap_init(out);
    for (size_t i = 0; config && i < config->count; i++) {
        const struct strmap_entry *x = &config->entries[i];
        if (slice_starts(x->key, p))
            strmap_set(out, slice_sub(x->key, p.n, x->key.n), x->value);
    }
}

void config_of_client(const struct strmap *config, const struct strmap *worker, const char *client,
                      struct strmap *out)
{
    struct strmap overrides;
    char prefix[40];
    snprintf(prefix, sizeof prefix, "%soverride.", client);
    config_with_prefix(worker, client, out);
    config_with_prefix(config, prefix, &overrides);
    for (size_t i = 0; i < overrides.count; i++)
        strmap_set(out, overrides.entries[i].key, overrides.entries[i].value);
    strmap_release(&overrides);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static enum err no_class(struct slice name, const char *key, struct error *e)
{
    return config_invalid(e, name, key, "Class " PRI_SL " could not be found.", ARG_SL(name));
}

/* Options count only at the level that names the class. SPEC: connect 4.4. */
static enum err converter_init(struct converter *c, const struct registry *r,
                               const struct strmap *config, const struct strmap *worker,
                               const char *key, struct error *e)
{
    const struct strmap *level = strmap_get_c(config, key).p ? config : worker;
    struct slice name = slice_trim(strmap_get_c(level, key));
    char prefix[40];
    c->ops = registry_converter(r, name);
    if (!c->ops)
        return no_class(name, key, e);
    struct strmap own;
    snprintf(prefix, sizeof prefix, "%s.", key);
    config_with_prefix(level, prefix, &own);
    enum err err = c->ops->configure(&c->state, &own, key[0] == 'k', e);
    strmap_release(&own);
    return err;
}

/* The class that KIND.ALIAS.type names, and its options. */
struct part_config {
    struct slice class_name;
    char key[300];
    struct strmap own;
};

static void part_config_init(struct part_config *p, const struct strmap *config, const char *kind,
                             struct slice alias)
{
    char prefix[300];
    snprintf(p->key, sizeof p->key, "%s." PRI_SL ".type", kind, ARG_SL(alias));
    snprintf(prefix, sizeof prefix, "%s." PRI_SL ".", kind, ARG_SL(alias));
    p->class_name = slice_trim(strmap_get_c(config, p->key));
    config_with_prefix(config, prefix, &p->own);
}

static enum err predicate_init(struct stage_transform *x, const struct registry *r,
                               const struct strmap *config, struct slice alias, struct error *e)
{
    struct part_config p;
    part_config_init(&p, config, "predicates", alias);
    x->predicate = registry_predicate(r, p.class_name);
    enum err err = x->predicate ? x->predicate->configure(&x->predicate_state, &p.own, e)
                                : no_class(p.class_name, p.key, e);
    strmap_release(&p.own);
    return err;
}

static enum err transform_init(struct stage_transform *x, const struct registry *r,
                               const struct strmap *config, struct slice alias, struct error *e)
{
    struct part_config p;
    part_config_init(&p, config, "transforms", alias);
    x->ops = registry_transform(r, p.class_name);
    enum err err = x->ops ? x->ops->configure(&x->state, &p.own, x->ops->class_name, e)
                          : no_class(p.class_name, p.key, e);
    struct slice predicate = slice_trim(strmap_get_c(&p.own, "predicate"));
    if (!err && predicate.n) {
        x->negate = strmap_flag(&p.own, "negate", false);
        err = predicate_init(x, r, config, predicate, e);
    }
    strmap_release(&p.own);
    return err;
}

static enum err chain_init(struct stages *s, const struct registry *r, const struct strmap *config,
                           struct error *e)
{
    struct slice list = strmap_get_c(config, "transforms"), rest = list, alias;
    size_t count = 0;
    while (list.p && opt_list_next(&rest, &alias))
        count++;
    s->chain = count ? xcalloc(count, sizeof *s->chain) : NULL;
    rest = list;
    while (list.p && opt_list_next(&rest, &alias)) {
        enum err err = transform_init(&s->chain[s->chain_count++], r, config, alias, e);
        if (err)
            return err;
    }
    return E_OK;
}

enum err stages_init(struct stages *s, const struct registry *r, struct task_ctx *ctx,
                     const struct strmap *worker, bool is_sink, struct error *e)
{
    const struct strmap *config = ctx->config;
    memset(s, 0, sizeof *s);
    error_rules_init(&s->rules, ctx, config, is_sink);
    enum err err = converter_init(&s->key, r, config, worker, "key.converter", e);
    if (!err)
        err = converter_init(&s->value, r, config, worker, "value.converter", e);
    if (!err)
        err = converter_init(&s->header, r, config, worker, "header.converter", e);
    if (!err)
        err = chain_init(s, r, config, e);
    return err;
}

static void converter_release(struct converter *c)
{
    if (c->ops)
        c->ops->release(c->state);
}

void stages_release(struct stages *s)
{
    converter_release(&s->key);
    converter_release(&s->value);
    converter_release(&s->header);
    for (size_t i = 0; i < s->chain_count; i++) {
        struct stage_transform *x = &s->chain[i];
        if (x->ops && x->state)
            x->ops->release(x->state);
        if (x->predicate && x->predicate_state)
            x->predicate->release(x->predicate_state);
    }
    mem_free(s->chain);
    error_rules_release(&s->rules);
    memset(s, 0, offsetof(struct stages, rules)); /* their counters stay to be read */
}

/* --- transforms ------------------------------------------------------------------------------- */

static enum err failed(struct stages *s, struct record *r, const char *stage,
                       const char *class_name, enum err err, struct error *e)
{
    e->code = err;
    return error_rules_failed(&s->rules, r, (struct error_stage){stage, class_name}, e);
}

/* Tries again what said E_AGAIN, as long as the rules allow it. */
#define RETRY(s, err, e, call)                                                                     \
    do {                                                                                           \
        struct error_retry again_ = {0};                                                           \
        do {                                                                                       \
            error_clear(e);                                                                        \
            (err) = (call);                                                                        \
        } while (UNLIKELY((err) == E_AGAIN) &&                                                     \
                 ((err) = error_rules_retry(&(s)->rules, &again_, (e))) == E_OK);                  \
    } while (0)

enum err stages_transform(struct stages *s, struct record_batch *b, struct record *r,
                          struct error *e)
{
    for (size_t i = 0; i < s->chain_count && !r->dropped; i++) {
        struct stage_transform *x = &s->chain[i];
        if (x->predicate && x->predicate->test(x->predicate_state, r) == x->negate)
            continue;
        enum err err;
        RETRY(s, err, e, x->ops->apply(x->state, b, r, e));
        if (err)
            return failed(s, r, "TRANSFORMATION", x->ops->class_name, err, e);
    }
    return E_OK;
}

/* --- conversion ------------------------------------------------------------------------------- */

bool stages_direct(const struct stages *s, struct direct_form *out)
{
    if (s->chain_count || !s->key.ops->json_form || !s->value.ops->json_form)
        return false;
    s->key.ops->json_form(s->key.state, &out->key);
    s->value.ops->json_form(s->value.state, &out->value);
    return true;
}

enum err stages_headers(struct stages *s, struct record *r, struct converted *out, struct error *e)
{
    strbuf_reset(&out->headers);
    out->heads_count = 0;
    for (size_t i = 0; i < r->headers.count; i++) {
        const struct record_header *h = &r->headers.items[i];
        size_t from = out->headers.n;
        bool null = false;
        if (out->heads_count == out->heads_cap) {
            out->heads_cap = out->heads_cap ? out->heads_cap * 2 : 8;
            out->heads = xrealloc(out->heads, out->heads_cap * sizeof *out->heads);
        }
        enum err err = s->header.ops->from_connect(s->header.state, r->topic, h->schema, h->value,
                                                   &out->headers, &null, e);
        if (err)
            return failed(s, r, "HEADER_CONVERTER", s->header.ops->class_name, err, e);
        /* Positions for now: the buffer may still move. A null is known by its length. */
        out->heads[out->heads_count++] =
            (struct khead){h->name, null ? SLICE_NULL : (struct slice){"", out->headers.n - from}};
    }
    const char *at = out->headers.p;
    for (size_t i = 0; i < out->heads_count; i++) {
        if (out->heads[i].value.p) {
            out->heads[i].value.p = at;
            at += out->heads[i].value.n;
        }
    }
    return E_OK;
}

enum err stages_convert(struct stages *s, struct record *r, bool headers, struct converted *out,
                        struct error *e)
{
    enum err err = E_OK;
    error_clear(e);
    if (headers)
        err = stages_headers(s, r, out, e);
    if (err || r->dropped)
        return err;
    RETRY(
        s, err, e,
        (strbuf_reset(&out->key), s->key.ops->from_connect(s->key.state, r->topic, r->key_schema,
                                                           r->key, &out->key, &out->key_null, e)));
    if (err)
        return failed(s, r, "KEY_CONVERTER", s->key.ops->class_name, err, e);
    RETRY(s, err, e,
          (strbuf_reset(&out->value),
           s->value.ops->from_connect(s->value.state, r->topic, r->value_schema, r->value,
                                      &out->value, &out->value_null, e)));
    if (err)
        return failed(s, r, "VALUE_CONVERTER", s->value.ops->class_name, err, e);
    return E_OK;
}

void converted_release(struct converted *c)
{
    strbuf_release(&c->key);
    strbuf_release(&c->value);
    strbuf_release(&c->headers);
    mem_free(c->heads);
    c->heads = NULL;
    c->heads_count = c->heads_cap = 0;
}

/* --- sinks ------------------------------------------------------------------------------------ */

static enum err read_headers(struct stages *s, struct record_batch *b, const struct krecord *k,
                             struct record *r, struct error *e)
{
    const struct converter *c = &s->header;
    struct record_header *items = arena_calloc(&b->arena, k->heads_count, sizeof *items);
    for (size_t i = 0; i < k->heads_count; i++) {
        enum err err;
        items[i].name = k->heads[i].name;
        RETRY(s, err, e,
              c->ops->to_connect(c->state, k->topic, k->heads[i].value, &b->arena, &items[i].schema,
                                 &items[i].value, e));
        if (err)
            return failed(s, r, "HEADER_CONVERTER", c->ops->class_name, err, e);
    }
    r->headers = (struct record_headers){.items = items, .count = k->heads_count};
    return E_OK;
}

enum err stages_read(struct stages *s, struct record_batch *b, const struct krecord *k,
                     struct record *r, struct error *e)
{
    enum err err;
    r->topic = k->topic;
    r->partition = k->partition;
    r->kafka_offset = k->offset;
    r->timestamp_ms = k->timestamp_ms < 0 ? RECORD_NO_TIMESTAMP : k->timestamp_ms;
    r->consumed = k;
    RETRY(s, err, e,
          s->key.ops->to_connect(s->key.state, k->topic, k->key, &b->arena, &r->key_schema, &r->key,
                                 e));
    if (err)
        return failed(s, r, "KEY_CONVERTER", s->key.ops->class_name, err, e);
    RETRY(s, err, e,
          s->value.ops->to_connect(s->value.state, k->topic, k->value, &b->arena, &r->value_schema,
                                   &r->value, e));
    if (err)
        return failed(s, r, "VALUE_CONVERTER", s->value.ops->class_name, err, e);
    return k->heads_count ? read_headers(s, b, k, r, e) : E_OK;
}
