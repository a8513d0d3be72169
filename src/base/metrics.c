/* base/metrics.c - see metrics.h.
 *
 * Families (one per name) in order of registration, each with its series. The registry's mutex
 * guards the lists; values are atomics that their owners touch without it. Collectors run under a
 * mutex of their own, because they may register series while they run. */
#include "base/metrics.h"

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics_host.h"

enum { BUCKET_FIRST = 4, BUCKET_LAST = 24, BUCKETS = BUCKET_LAST - BUCKET_FIRST + 1 };

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct histogram {
    _Atomic int64_t buckets[BUCKETS + 1]; /* not cumulative; the last is above all limits */
    _Atomic int64_t sum_us;
};

struct series {
    struct link link;
    char *labels;
    union {
        struct metric metric;
        struct histogram histogram;
    } u;
};

struct family {
    struct link link;
    const char *name, *help;
    enum kind kind;
    struct list series;
    struct map by_labels;
};

struct collector {
    struct link link;
    metrics_collect_fn fn;
    void *arg;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* families and their lists */
static struct list families = {{&families.head, &families.head}, 0};
static pthread_mutex_t collect_mutex = PTHREAD_MUTEX_INITIALIZER; /* taken before mutex */
static struct list collectors = {{&collectors.head, &collectors.head}, 0};

/* --- registering ------------------------------------------------------------------------------ */

static struct family *find_family(const char *name)
{
    list_each (&families, k) {
        struct family *f = list_entry(k, struct family, link);
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static struct series *get_series(const char *name, const char *help, const char *labels,
                                 enum kind kind)
{
    pthread_mutex_lock(&mutex);
    struct family *f = find_family(name);
    if (!f) {
        f = xcalloc(1, sizeof *f);
        *f = (struct family){.name = name, .help = help, .kind = kind};
        list_init(&f->series);
        map_init(&f->by_labels);
        list_push_back(&families, &f->link);
    }
    invariant(f->kind == kind);
    struct series *s = map_get(&f->by_labels, slice_cstr(labels));
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->labels = xstrdup(labels);
        list_push_back(&f->series, &s->link);
        map_put(&f->by_labels, slice_cstr(labels), s);
    }
    pthread_mutex_unlock(&mutex);
    return s;
}

struct metric *metrics_counter(const char *name, const char *help, const char *labels)
{
    return &get_series(name, help, labels, COUNTER)->u.metric;
}

struct metric *metrics_gauge(const char *name, const char *help, const char *labels)
{
    return &get_series(name, help, labels, GAUGE)->u.metric;
}

struct histogram *metrics_histogram(const char *name, const char *help, const char *labels)
{
    return &get_series(name, help, labels, HISTOGRAM)->u.histogram;
}

void metrics_remove(const char *name, const char *labels)
{
    pthread_mutex_lock(&mutex);
    struct family *f = find_family(name);
    struct series *s = f ? map_del(&f->by_labels, slice_cstr(labels)) : NULL;
    if (s) {
        list_remove(&f->series, &s->link);
        mem_free(s->labels);
        mem_free(s);
    }
    pthread_mutex_unlock(&mutex);
}

void histogram_observe_us(struct histogram *h, int64_t us)
{
    int bucket = 0;
    us = MAX(us, 0);
    if (us > 1 << BUCKET_FIRST) /* the smallest power of two that is not below us */
        bucket = 64 - __builtin_clzll((unsigned long long)us - 1) - BUCKET_FIRST;
    bucket = MIN(bucket, (int)BUCKETS);
    atomic_fetch_add_explicit(&h->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

void metrics_collector(metrics_collect_fn fn, void *arg)
{
    struct collector *c = xcalloc(1, sizeof *c);
    c->fn = fn;
    c->arg = arg;
    pthread_mutex_lock(&collect_mutex);
    list_push_back(&collectors, &c->link);
    pthread_mutex_unlock(&collect_mutex);
}

void metrics_collector_remove(metrics_collect_fn fn, void *arg)
{
    pthread_mutex_lock(&collect_mutex);
    list_each (&collectors, k) {
        struct collector *c = list_entry(k, struct collector, link);
        if (c->fn == fn && c->arg == arg) {
            list_remove(&collectors, k);
            mem_free(c);
            break;
        }
    }
    pthread_mutex_unlock(&collect_mutex);
}

/* --- printing --------------------------------------------------------------------------------- */

static void add_escaped(struct strbuf *out, struct slice text, bool quotes)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n')
            strbuf_adds(out, "\\n");
        else if (c == '\\' || (c == '"' && quotes))
            strbuf_add(out, (char[]){'\\', c}, 2);
        else
            strbuf_addc(out, c);
    }
}

void metrics_label(struct strbuf *out, const char *name, struct slice value)
{
    strbuf_addf(out, "%s%s=\"", out->n > 0 ? "," : "", name);
    add_escaped(out, value, true);
    strbuf_addc(out, '"');
}

static void add_head(struct strbuf *out, const char *name, const char *help, enum kind kind)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    strbuf_addf(out, "# HELP %s ", name);
    add_escaped(out, slice_cstr(help), false);
    strbuf_addf(out, "\n# TYPE %s %s\n", name, kinds[kind]);
}

void metrics_head(struct strbuf *out, const char *name, const char *help, const char *kind)
{
    strbuf_addf(out, "# HELP %s ", name);
    add_escaped(out, slice_cstr(help), false);
    strbuf_addf(out, "\n# TYPE %s %s\n", name, kind);
}

static void add_histogram(struct strbuf *out, const char *name, const struct series *s)
{
    const struct histogram *h = &s->u.histogram;
    const char *comma = s->labels[0] ? "," : "", *open = s->labels[0] ? "{" : "",
               *close = s->labels[0] ? "}" : "";
    int64_t total = 0;
    for (int i = 0; i < BUCKETS; i++) {
        total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        strbuf_addf(out, "%s_bucket{%s%sle=\"%.9g\"} %lld\n", name, s->labels, comma,
                    (double)(INT64_C(1) << (BUCKET_FIRST + i)) / 1e6, (long long)total);
    }
    total += atomic_load_explicit(&h->buckets[BUCKETS], memory_order_relaxed);
    strbuf_addf(out, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", name, s->labels, comma, (long long)total);
    strbuf_addf(out, "%s_sum%s%s%s %.6f\n", name, open, s->labels, close,
                (double)atomic_load_explicit(&h->sum_us, memory_order_relaxed) / 1e6);
    strbuf_addf(out, "%s_count%s%s%s %lld\n", name, open, s->labels, close, (long long)total);
}

static void add_family(struct strbuf *out, const struct family *f)
{
    if (f->series.count == 0)
        return;
    add_head(out, f->name, f->help, f->kind);
    list_each (&f->series, k) {
        const struct series *s = list_entry(k, struct series, link);
        if (f->kind == HISTOGRAM) {
            add_histogram(out, f->name, s);
            continue;
        }
        strbuf_adds(out, f->name);
        if (s->labels[0])
            strbuf_addf(out, "{%s}", s->labels);
        strbuf_addc(out, ' ');
        strbuf_add_i64(out, atomic_load_explicit(&s->u.metric.v, memory_order_relaxed));
        strbuf_addc(out, '\n');
    }
}

void metrics_dump(struct strbuf *out)
{
    struct strbuf extra = STRBUF_INIT;
    pthread_mutex_lock(&collect_mutex); /* first, so that refreshed gauges are printed fresh */
    list_each (&collectors, k) {
        struct collector *c = list_entry(k, struct collector, link);
        c->fn(&extra, c->arg);
    }
    pthread_mutex_unlock(&collect_mutex);
    pthread_mutex_lock(&mutex);
    list_each (&families, k)
        add_family(out, list_entry(k, struct family, link));
    pthread_mutex_unlock(&mutex);
    strbuf_add_slice(out, strbuf_slice(&extra));
    strbuf_release(&extra);
    metrics_host(out);
}

/* "name rest" of a comment line after its keyword. */
static struct slice first_word(struct slice *rest)
{
    struct slice word = SLICE_NULL;
    (void)slice_split(rest, ' ', &word);
    return word;
}

/* Type of the family that a HELP line begins: its TYPE line comes next. */
static bool is_counter(struct slice after, struct slice name)
{
    struct slice line, keyword;
    if (!slice_split(&after, '\n', &line) || !slice_starts(line, SL("# TYPE ")))
        return false;
    line = slice_sub(line, 7, line.n);
    keyword = first_word(&line);
    return slice_eq(keyword, name) && slice_eq(line, SL("counter"));
}

void metrics_openmetrics(struct slice dump, struct strbuf *out)
{
    struct slice line;
    bool counter = false;
    while (slice_split(&dump, '\n', &line)) {
        bool help = slice_starts(line, SL("# HELP ")), type = slice_starts(line, SL("# TYPE "));
        if (!help && !type) {
            strbuf_add_slice(out, line);
            if (line.n)
                strbuf_addc(out, '\n');
            continue;
        }
        struct slice rest = slice_sub(line, 7, line.n), name = first_word(&rest);
        if (help)
            counter = is_counter(dump, name);
        bool total = slice_ends(name, SL("_total"));
        struct slice family = counter && total ? slice_sub(name, 0, name.n - 6) : name;
        if (type && counter && !total) /* a counter must end in _total there */
            rest = SL("unknown");
        strbuf_addf(out, "# %s " PRI_SL " " PRI_SL "\n", help ? "HELP" : "TYPE", ARG_SL(family),
                    ARG_SL(rest));
    }
    strbuf_adds(out, "# EOF\n");
}
