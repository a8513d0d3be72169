/* connect/converters/raw.c - StringConverter and ByteArrayConverter. They keep no more than
 * scratch memory between records. SPEC: connect 5.3. */
#include "connect/converters/converters.h"

#include "base/mem.h"
#include "connect/converters/charset.h"
#include "connect/javatext.h"
#include "connect/transforms/smt.h"

static enum err no_memory(struct strbuf *out, struct error *e)
{
    if (!strbuf_err(out))
        return E_OK;
    return error_set(e, strbuf_err(out),
                     "org.apache.kafka.connect.errors.ConnectException: the text does not fit "
                     "into memory");
}

/* --- strings ---------------------------------------------------------------------------------- */

static const struct opt_row string_rows[] = {
    CONVERTER_TYPE_ROW,
    {.name = "converter.encoding",
     .type = OPT_STRING,
     .def = "UTF-8",
     .offset = OPT_NO_FIELD,
     .importance = OPT_HIGH,
     .order = -1,
     .width = OPT_W_MEDIUM,
     .display = "Encoding",
     .doc = "Name of the character set of the text."},
    {.name = NULL},
};

struct string_conv {
    struct text_charset *charset; /* NULL: UTF-8 */
    struct strbuf scratch;
};

static void string_release(void *conv)
{
    struct string_conv *c = conv;
    if (!c)
        return;
    text_charset_close(c->charset);
    strbuf_release(&c->scratch);
    mem_free(c);
}

static enum err string_configure(void **conv, const struct strmap *config, bool is_key,
                                 struct error *e)
{
    (void)is_key;
    struct string_conv *c = *conv = xcalloc(1, sizeof *c);
    struct slice name = slice_trim(strmap_get_c(config, "converter.encoding"));
    struct error why = {0};
    strbuf_init(&c->scratch, 0);
    enum err rc = text_charset_open(&c->charset, name, &why);
    return rc ? error_set(e, rc,
                          CONFIG_EXCEPTION "Invalid value " PRI_SL
                                           " for configuration converter.encoding: %s",
                          ARG_SL(name), why.msg)
              : E_OK;
}

static enum err string_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                            struct strbuf *out, bool *null, struct error *e)
{
    struct string_conv *c = conv;
    struct strbuf *text = c->charset ? &c->scratch : out;
    (void)topic;
    *null = v.kind == VALUE_NULL;
    if (c->charset)
        strbuf_reset(text);
    if (v.kind == VALUE_STRING)
        strbuf_add(text, v.u.s, v.n);
    else if (!*null)
        java_add_value(text, s, v);
    enum err rc = no_memory(text, e);
    if (rc || !c->charset)
        return rc;
    text_charset_encode(c->charset, strbuf_slice(text), out);
    return no_memory(out, e);
}

static enum err string_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                          const struct schema **s, struct value *v, struct error *e)
{
    struct string_conv *c = conv;
    (void)topic;
    *s = schema_plain(SCHEMA_STRING, true);
    *v = value_string(bytes);
    if (!c->charset || !bytes.p)
        return E_OK;
    strbuf_reset(&c->scratch);
    text_charset_decode(c->charset, bytes, &c->scratch);
    char *p = strbuf_err(&c->scratch) ? NULL : arena_try_alloc(a, c->scratch.n + 1);
    if (!p)
        return error_set(e, E_NOMEM,
                         "org.apache.kafka.connect.errors.ConnectException: the text does not fit "
                         "into memory");
    memcpy(p, c->scratch.p, c->scratch.n);
    *v = value_string(slice_of(p, c->scratch.n));
    return E_OK;
}

static const char *const string_aliases[] = {"StringConverter", "String", NULL};
const struct converter_ops converter_string = {
    .class_name = "org.apache.kafka.connect.storage.StringConverter",
    .aliases = string_aliases,
    .version = "4.1.1",
    .rows = string_rows,
    .configure = string_configure,
    .from_connect = string_from,
    .to_connect = string_to,
    .release = string_release,
};

/* --- bytes ------------------------------------------------------------------------------------ */

static enum err bytes_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                           struct strbuf *out, bool *null, struct error *e)
{
    (void)conv;
    (void)topic;
    *null = v.kind == VALUE_NULL;
    if (s && s->type != SCHEMA_BYTES)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Invalid schema type for ByteArrayConverter: %s",
                         schema_type_java(s->type));
    if (*null)
        return E_OK;
    if (v.kind != VALUE_BYTES)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "ByteArrayConverter is not compatible with objects of type "
                                        "class %s",
                         smt_java_class(s, v));
    strbuf_add(out, v.u.s, v.n);
    return no_memory(out, e);
}

static enum err bytes_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                         const struct schema **s, struct value *v, struct error *e)
{
    (void)conv;
    (void)topic;
    (void)a;
    (void)e;
    *s = schema_plain(SCHEMA_BYTES, true);
    *v = value_bytes(bytes);
    return E_OK;
}

/* "ByteArrayConverter" alone names two classes in the original's installation; here it names this
 * one. */
static const char *const bytes_aliases[] = {"ByteArrayConverter", "ByteArray", NULL};
const struct converter_ops converter_byte_array = {
    .class_name = "org.apache.kafka.connect.converters.ByteArrayConverter",
    .aliases = bytes_aliases,
    .version = "4.1.1",
    .rows = converter_plain_rows,
    .configure = converter_no_state,
    .from_connect = bytes_from,
    .to_connect = bytes_to,
    .release = converter_no_release,
};
