/* connect/converters/binary.c - Debezium's BinaryDataConverter (and its older name
 * ByteArrayConverter): bytes go as they are, for payloads that a service serialised itself, anything
 * else to the converter that delegate.converter.type names. SPEC: connect 5.3. */
#include "connect/converters/converters.h"

#include "base/mem.h"
#include "connect/stages.h"
#include "connect/transforms/smt.h"

#define DELEGATE "delegate.converter.type"

struct binary {
    const struct converter_ops *delegate; /* NULL: none */
    void *state;
};

static void binary_release(void *conv)
{
    struct binary *c = conv;
    if (!c)
        return;
    if (c->delegate && c->state)
        c->delegate->release(c->state);
    mem_free(c);
}

static const struct converter_ops *find(struct slice name)
{
    for (size_t i = 0; connect_converters[i]; i++)
        if (class_is_called(connect_converters[i]->class_name, connect_converters[i]->aliases,
                            name))
            return connect_converters[i];
    return NULL;
}

static enum err binary_configure(void **conv, const struct strmap *config, bool is_key,
                                 struct error *e)
{
    struct binary *c = *conv = xcalloc(1, sizeof *c);
    struct slice name = slice_trim(strmap_get_c(config, DELEGATE));
    struct strmap own;
    if (!name.n)
        return E_OK;
    c->delegate = find(name);
    if (!c->delegate || c->delegate->configure == binary_configure)
        return config_invalid(e, name, DELEGATE, "Class " PRI_SL " could not be found.",
                              ARG_SL(name));
    config_with_prefix(config, DELEGATE ".", &own);
    enum err rc = c->delegate->configure(&c->state, &own, is_key, e);
    strmap_release(&own);
    return rc;
}

static enum err binary_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                            struct strbuf *out, bool *null, struct error *e)
{
    struct binary *c = conv;
    *null = v.kind == VALUE_NULL;
    if (v.kind == VALUE_BYTES && (!s || (s->type == SCHEMA_BYTES && s->logical == LOGICAL_NONE))) {
        strbuf_add(out, v.u.s, v.n);
        return strbuf_err(out) ? error_set(e, strbuf_err(out), "no memory for the bytes") : E_OK;
    }
    if (*null && (!s || s->type == SCHEMA_BYTES || !c->delegate))
        return E_OK;
    if (c->delegate)
        return c->delegate->from_connect(c->state, topic, s, v, out, null, e);
    return error_set(e, E_INVALID,
                     DATA_EXCEPTION "BinaryDataConverter is not compatible with objects of type "
                                    "class %s; a converter given as " DELEGATE " would take them",
                     smt_java_class(s, v));
}

static enum err binary_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                          const struct schema **s, struct value *v, struct error *e)
{
    (void)conv, (void)topic, (void)a, (void)e;
    *s = schema_plain(SCHEMA_BYTES, true);
    *v = value_bytes(bytes);
    return E_OK;
}

static const struct opt_row rows[] = {
    CONVERTER_TYPE_ROW,
    {.name = DELEGATE,
     .type = OPT_STRING,
     .offset = OPT_NO_FIELD,
     .importance = OPT_LOW,
     .order = -1,
     .display = DELEGATE,
     .doc = "Converter for everything that is not bytes; its options follow this name and a dot."},
    {.name = NULL},
};
static const char *const binary_aliases[] = {"BinaryDataConverter", "BinaryData", NULL};
const struct converter_ops converter_binary_data = {
    .class_name = "io.debezium.converters.BinaryDataConverter",
    .aliases = binary_aliases,
    .version = "3.5.0.Final",
    .rows = rows,
    .configure = binary_configure,
    .from_connect = binary_from,
    .to_connect = binary_to,
    .release = binary_release,
};
const struct converter_ops converter_debezium_bytes = {
    .class_name = "io.debezium.converters.ByteArrayConverter",
    .version = "3.5.0.Final",
    .rows = rows,
    .configure = binary_configure,
    .from_connect = binary_from,
    .to_connect = binary_to,
    .release = binary_release,
};
