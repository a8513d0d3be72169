/* tests/fuzz/fuzz_http_host.c - Host, Origin, path and query as a client may send them: four lines
 * of the input. Besides memory errors it looks for a name that passes the gate and should not. */
#include <stdlib.h>
#include <strings.h>

#include "base/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static struct slice line(struct slice *rest)
{
    struct slice part = SL("");
    slice_split(rest, '\n', &part);
    return part.p ? part : SL("");
}

static bool ends(struct slice s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.n >= n && strncasecmp(s.p + s.n - n, suffix, n) == 0;
}

/* The gate again, in other words: what may pass without being asked for. */
static void check_allowed(const struct http_authority *a)
{
    if (a->is_ip) {
        check(a->addr[15] == 1 || a->addr[12] == 127);
        return;
    }
    check(slice_find_char(a->host, '.') < 0 || ends(a->host, ".localhost") ||
          ends(a->host, ".local") || ends(a->host, "host.docker.internal"));
}

static void host_and_origin(struct slice host, struct slice origin)
{
    static const struct http_host_rules rules = {NULL, "localhost", "machine", NULL};
    struct http_authority a;
    if (!http_authority_parse(host, &a))
        return;
    check(a.host.p >= host.p && a.host.p + a.host.n <= host.p + host.n && a.host.n > 0);
    check(a.port >= -1 && a.port <= 65535);
    for (size_t i = 0; i < a.host.n; i++)
        check(a.host.p[i] > ' ' && a.host.p[i] != '/' && a.host.p[i] != '@');
    if (http_host_allowed(&a, &rules))
        check_allowed(&a);
    if (http_origin_is_host(origin, &a))
        check(origin.n > 7 && strncasecmp(origin.p, "http://", 7) == 0 &&
              (a.is_ip || slice_ieq(slice_sub(origin, 7, 7 + a.host.n), a.host)));
}

static void path_and_query(struct slice path, struct slice query)
{
    struct arena arena;
    struct slice out;
    struct http_pair *pairs;
    size_t n;
    arena_init(&arena, 512, 100000);
    for (int plus = 0; plus < 2; plus++) {
        if (http_percent_decode(path, plus, &arena, &out) != E_OK)
            continue;
        check(out.n <= path.n && slice_is_utf8(out) && slice_find_char(out, 0) < 0);
        if (slice_find_char(path, '%') < 0 && !plus)
            check(slice_eq(out, path) || path.n == 0);
    }
    if (http_query_parse(query, &arena, &pairs, &n) == E_OK) {
        check(n <= 1000);
        for (size_t i = 0; i < n; i++)
            check(pairs[i].name.p && pairs[i].value.p && slice_is_utf8(pairs[i].value));
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct slice host = line(&rest), origin = line(&rest), path = line(&rest), query = line(&rest);
    host_and_origin(host, origin);
    path_and_query(path, query);
    return 0;
}
