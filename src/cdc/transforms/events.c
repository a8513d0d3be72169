/* cdc/transforms/events.c - small ones: SchemaChangeEventFilter (leaves out DDL events by kind),
 * ReadToInsertEvent (rows of a snapshot look inserted), ActivateTracingSpan (accepted; weir traces
 * nothing). SPEC: connect 7.4. Thread: the task's. */
#include "cdc/transforms/transforms.h"

#include "base/mem.h"

/* --- SchemaChangeEventFilter ------------------------------------------------------------------ */

struct ddl_filter {
    struct smt smt;
    struct slice *kinds;
    size_t count;
};

static void release_filter(void *smt)
{
    struct ddl_filter *s = smt;
    mem_free(s->kinds);
    smt_free(s);
}

static enum err configure_filter(void **smt, const struct strmap *config, const char *class_name,
                                 struct error *e)
{
    static const struct slice known[] = {SL_INIT("CREATE"), SL_INIT("ALTER"), SL_INIT("DROP"),
                                         SL_INIT("TRUNCATE"), SL_INIT("DATABASE")};
    static const char option[] = "schema.change.event.exclude.list";
    struct ddl_filter *s = *smt = smt_new(sizeof *s, config, class_name);
    s->kinds = smt_list(&s->smt, option, &s->count);
    if (!smt_text(&s->smt, option).n)
        return dbz_bad_option(e, option, "A value is required");
    for (size_t i = 0; i < s->count; i++) {
        bool found = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            found |= slice_ieq(s->kinds[i], known[k]);
        if (!found)
            return dbz_bad_option(e, option,
                                  PRI_SL " is none of CREATE, ALTER, DROP, TRUNCATE, DATABASE",
                                  ARG_SL(s->kinds[i]));
    }
    return E_OK;
}

/* What the event is about: that of its first change, DATABASE without changes, nothing when it has
 * not even a list. */
static struct slice ddl_kind(const struct record *r)
{
    struct dbz_field changes, type;
    if (!dbz_field(r->value_schema, r->value, SL("tableChanges"), &changes) ||
        changes.value.kind != VALUE_ARRAY)
        return SLICE_NULL;
    if (!changes.value.n)
        return SL("DATABASE");
    return dbz_field(changes.schema->value, changes.value.u.v[0], SL("type"), &type) &&
                   type.value.kind == VALUE_STRING
               ? value_slice(type.value)
               : SLICE_NULL;
}

static enum err apply_filter(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct ddl_filter *s = smt;
    (void)b;
    (void)e;
    if (!r->value_schema || r->value.kind != VALUE_STRUCT ||
        !slice_ends(r->value_schema->name, SL("SchemaChangeValue")))
        return E_OK;
    struct slice kind = ddl_kind(r);
    r->dropped = !kind.p;
    for (size_t i = 0; i < s->count; i++)
        r->dropped |= slice_ieq(s->kinds[i], kind);
    return E_OK;
}

static const struct opt_row filter_rows[] = {
    DBZ_ROW(OPT_W_SHORT, "Schema change event exclude list", "schema.change.event.exclude.list",
            OPT_STRING, NULL, OPT_REQUIRED, OPT_HIGH,
            "Kinds of DDL events to leave out: CREATE, ALTER, DROP, TRUNCATE, DATABASE."),
    {.name = NULL},
};
DBZ_CLASS(smt_schema_change_filter, "", "SchemaChangeEventFilter", filter_rows, configure_filter,
          apply_filter, release_filter)

/* --- ReadToInsertEvent ------------------------------------------------------------------------ */

static enum err configure_plain(void **smt, const struct strmap *config, const char *class_name,
                                struct error *e)
{
    (void)e;
    *smt = smt_new(sizeof(struct smt), config, class_name);
    return E_OK;
}

static enum err apply_read(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    (void)smt;
    if (!smt_is_envelope(r) || !slice_eq(dbz_operation(r), SL("r")))
        return E_OK;
    struct value *to = arena_try_alloc(&b->arena, (r->value.n + 1) * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    memcpy(to, r->value.u.v, r->value.n * sizeof *to);
    to[schema_field_index(r->value_schema, SL("op"))] = value_string(SL("c"));
    r->value.u.v = to;
    return E_OK;
}

static const struct opt_row no_rows[] = {{.name = NULL}};
static const char *const read_aliases[] = {"ReadToInsertEvent", NULL};
const struct transform_ops smt_read_to_insert = {
    .class_name = "io.debezium.connector.mysql.transforms.ReadToInsertEvent",
    .aliases = read_aliases,
    .version = DBZ_VERSION,
    .rows = no_rows,
    .configure = configure_plain,
    .apply = apply_read,
    .release = smt_free,
};

/* --- ActivateTracingSpan ---------------------------------------------------------------------- */

static enum err apply_nothing(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    (void)smt, (void)b, (void)r, (void)e;
    return E_OK;
}

static const struct opt_row tracing_rows[] = {
    DBZ_ROW(OPT_W_MEDIUM, "Serialized tracing span context field", "tracing.span.context.field",
            OPT_STRING, "tracingspancontext", OPT_NO_STORE, OPT_HIGH,
            "Accepted; weir traces nothing."),
    DBZ_ROW(OPT_W_MEDIUM, "Tracing operation name", "tracing.operation.name", OPT_STRING,
            "debezium-read", OPT_NO_STORE, OPT_HIGH, "Accepted; weir traces nothing."),
    DBZ_ROW(OPT_W_MEDIUM, "Trace only events with context field present",
            "tracing.with.context.field.only", OPT_BOOLEAN, "false", OPT_NO_STORE, OPT_HIGH,
            "Accepted; weir traces nothing."),
    {.name = NULL},
};
DBZ_CLASS(smt_activate_tracing, "tracing.", "ActivateTracingSpan", tracing_rows, configure_plain,
          apply_nothing, smt_free)
