#include "connect/transforms/smt_case.h"

#include "connect/converters/converters.h"
#include "helpers.h"

static void read_config(const char *text, struct strmap *config)
{
    struct slice rest = slice_cstr(text), line;
    strmap_init(config);
    while (rest.p && slice_split(&rest, '\n', &line)) {
        ptrdiff_t eq = slice_find_char(line, '=');
        if (eq > 0)
            strmap_set(config, slice_sub(line, 0, (size_t)eq),
                       slice_sub(line, (size_t)eq + 1, line.n));
    }
}

static void show(struct strbuf *out, const struct schema *s, struct value v, bool with_schema)
{
    struct json_out_options o = {.null_to_default = false};
    if (with_schema) {
        json_out_schema(out, s, false);
        strbuf_addc(out, ' ');
    }
    if (v.kind == VALUE_NULL)
        strbuf_adds(out, "null");
    else
        CHECK_OK(json_out_value(out, s, v, &o, NULL));
}

void smt_case_run(const struct smt_case *c, unsigned line)
{
    struct strmap config;
    struct record_batch b;
    struct strbuf got = STRBUF_INIT;
    struct error e = {0};
    const struct schema *schema = NULL;
    void *state = NULL;
    read_config(c->config, &config);
    record_batch_init(&b, 0);
    enum err rc = c->ops->configure(&state, &config, c->ops->class_name, &e);
    strmap_release(&config);
    struct record *r = record_batch_add(&b);
    r->topic = SL("t");
    r->timestamp_ms = INT64_C(1709210096789);
    if (c->schema)
        CHECK_OK(json_read_schema(slice_cstr(c->schema), &schema, NULL));
    r->value_schema = schema;
    CHECK_OK(json_read_value(slice_cstr(c->value), schema, &b.arena, false, &r->value, NULL, NULL));
    for (int round = 0; round < 2 && rc == E_OK; round++) { /* the second finds schemas made */
        struct record before = *r;
        rc = c->ops->apply(state, &b, r, &e);
        if (round == 0)
            *r = before;
    }
    if (rc) {
        strbuf_adds(&got, e.msg);
    } else if (r->dropped) {
        strbuf_adds(&got, "dropped");
    } else {
        strbuf_addf(&got, PRI_SL " ", ARG_SL(r->topic));
        show(&got, r->key_schema, r->key, c->show);
        strbuf_addc(&got, ' ');
        show(&got, r->value_schema, r->value, c->show);
        for (size_t i = 0; i < r->headers.count; i++) {
            strbuf_addf(&got, " " PRI_SL "=", ARG_SL(r->headers.items[i].name));
            show(&got, r->headers.items[i].schema, r->headers.items[i].value, false);
        }
    }
    check_str(got.p, c->want, c->ops->class_name, line);
    strbuf_release(&got);
    if (state)
        c->ops->release(state);
    record_batch_release(&b);
    schema_unref(schema);
}
