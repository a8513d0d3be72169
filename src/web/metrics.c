/* web/metrics.c - see metrics.h. A scrape works on the pool, so that neither a broker loop nor the
 * HTTP loop waits for it; stopping waits for scrapes that are under way. */
#include "web/metrics.h"

#include <pthread.h>

#include "base/base.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "web/web.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void metrics_reply(struct http_request *r)
{
    struct strbuf text = STRBUF_INIT, open = STRBUF_INIT;
    struct slice accept = http_header(r, "Accept");
    bool openmetrics = accept.p && slice_find(accept, SL("application/openmetrics-text")) >= 0;
    metrics_dump(&text);
    if (openmetrics)
        metrics_openmetrics(strbuf_slice(&text), &open);
    http_reply_header(r, "Cache-Control", "no-store");
    http_reply(r, 200, openmetrics ? OPENMETRICS_TYPE : TEXT_TYPE,
               strbuf_slice(openmetrics ? &open : &text));
    strbuf_release(&text);
    strbuf_release(&open);
}

struct metrics_server {
    struct http_server *http;
    struct pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    int working;
};

static void work(struct http_request *r, void *arg)
{
    struct metrics_server *s = arg;
    metrics_reply(r);
    pthread_mutex_lock(&s->lock);
    if (--s->working == 0)
        pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

static void scrape(struct http_request *r, void *arg)
{
    struct metrics_server *s = arg;
    pthread_mutex_lock(&s->lock);
    s->working++;
    pthread_mutex_unlock(&s->lock);
    http_defer(r, s->pool, work, s);
}

static void start_page(struct http_request *r, void *arg)
{
    (void)arg;
    http_reply(r, 200, "text/html; charset=utf-8",
               SL("<!doctype html><title>weir</title><p><a href=\"/metrics\">/metrics</a>"));
}

static const struct http_route routes[] = {
    {HTTP_GET, "/metrics", scrape},
    {HTTP_GET, "/", start_page},
    {0, NULL, NULL},
};

enum err metrics_server_start(struct metrics_server **out, struct http_listen *listen,
                              struct loop *l, struct pool *pool, struct error *e)
{
    struct metrics_server *s = xcalloc(1, sizeof *s);
    s->pool = pool;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    const struct http_options o = {.name = "metrics",
                                   .routes = routes,
                                   .arg = s,
                                   .max_body = 1024,
                                   .max_headers = 16 << 10,
                                   .any_host = true};
    enum err err = http_start(&s->http, l, &o, listen, e);
    if (err) {
        metrics_server_stop(s);
        return err;
    }
    *out = s;
    return E_OK;
}

void metrics_server_stop(struct metrics_server *s)
{
    if (!s)
        return;
    if (s->http)
        http_stop(s->http);
    pthread_mutex_lock(&s->lock);
    while (s->working > 0)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}
