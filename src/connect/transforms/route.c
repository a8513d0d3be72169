/* connect/transforms/route.c - Filter, RegexRouter, TimestampRouter. SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include "connect/java_date.h"

static enum err configure_plain(void **smt, const struct strmap *config, const char *class_name,
                                struct error *e)
{
    (void)e;
    *smt = smt_new(sizeof(struct smt), config, class_name);
    return E_OK;
}

static enum err apply_filter(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    (void)smt;
    (void)b;
    (void)e;
    r->dropped = true;
    return E_OK;
}

/* --- RegexRouter ------------------------------------------------------------------------------ */

struct regex_router {
    struct smt smt;
    struct regex *regex;
    struct strbuf topic;
};

static void release_regex(void *smt)
{
    struct regex_router *s = smt;
    regex_free(s->regex);
    strbuf_release(&s->topic);
    smt_free(s);
}

static enum err configure_regex(void **smt, const struct strmap *config, const char *class_name,
                                struct error *e)
{
    struct regex_router *s = *smt = smt_new(sizeof *s, config, class_name);
    strbuf_init(&s->topic, 0);
    return smt_regex(&s->regex, smt_text(&s->smt, "regex"), "regex", e);
}

static enum err apply_regex(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct regex_router *s = smt;
    struct error why = {0};
    strbuf_reset(&s->topic);
    enum err rc =
        regex_replace_whole(s->regex, r->topic, smt_text(&s->smt, "replacement"), &s->topic, &why);
    if (rc == E_NOT_FOUND)
        return E_OK;
    if (rc)
        return error_set(e, rc, "java.lang.IllegalArgumentException: %s", why.msg);
    return smt_copy_text(b, strbuf_slice(&s->topic), &r->topic, e);
}

/* --- TimestampRouter -------------------------------------------------------------------------- */

static enum err apply_timestamp(void *smt, struct record_batch *b, struct record *r,
                                struct error *e)
{
    struct smt *s = smt;
    if (r->timestamp_ms == RECORD_NO_TIMESTAMP)
        return error_set(e, E_INVALID, DATA_EXCEPTION "Timestamp missing on record: " PRI_SL,
                         ARG_SL(r->topic));
    struct slice format = smt_text(s, "topic.format"), pattern = smt_text(s, "timestamp.format");
    struct strbuf topic = STRBUF_INIT;
    if (!format.p)
        format = SL("${topic}-${timestamp}");
    if (!pattern.p)
        pattern = SL("yyyyMMdd");
    enum err rc = E_OK;
    while (format.n && rc == E_OK) {
        if (slice_starts(format, SL("${topic}"))) {
            strbuf_add_slice(&topic, r->topic);
            format = slice_sub(format, 8, format.n);
        } else if (slice_starts(format, SL("${timestamp}"))) {
            rc = java_date_format(pattern, r->timestamp_ms, &topic, e);
            format = slice_sub(format, 12, format.n);
        } else {
            strbuf_addc(&topic, format.p[0]);
            format = slice_sub(format, 1, format.n);
        }
    }
    if (rc == E_OK)
        rc = smt_copy_text(b, strbuf_slice(&topic), &r->topic, e);
    strbuf_release(&topic);
    return rc;
}

static const struct opt_row no_rows[] = {{.name = NULL}};
static const struct opt_row regex_rows[] = {
    SMT_REGEX_ROW("regex", NULL, OPT_REQUIRED, OPT_HIGH,
                  "Java regular expression that the whole name of the topic must match."),
    SMT_ROW("replacement", OPT_STRING, NULL, OPT_REQUIRED, OPT_HIGH,
            "The new name; $1 and ${name} stand for groups of the expression."),
    {.name = NULL},
};
static const struct opt_row timestamp_rows[] = {
    SMT_ROW("topic.format", OPT_STRING, "${topic}-${timestamp}", 0, OPT_HIGH,
            "The new name; ${topic} and ${timestamp} are replaced."),
    SMT_ROW("timestamp.format", OPT_STRING, "yyyyMMdd", 0, OPT_HIGH,
            "How ${timestamp} is written, in the letters of Java's SimpleDateFormat."),
    {.name = NULL},
};

SMT_CLASS(smt_filter, "Filter", no_rows, configure_plain, apply_filter, smt_free)
SMT_CLASS(smt_regex_router, "RegexRouter", regex_rows, configure_regex, apply_regex, release_regex)
SMT_CLASS(smt_timestamp_router, "TimestampRouter", timestamp_rows, configure_plain, apply_timestamp,
          smt_free)
