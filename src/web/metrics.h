/* web/metrics.h - /metrics: on the web port, and on ports of its own for a Prometheus that looks for
 * exporters there. SPEC: broker 12. */
#ifndef WEIR_WEB_METRICS_H
#define WEIR_WEB_METRICS_H

#include "base/err.h"
#include "base/http.h"
#include "base/loop.h"
#include "base/pool.h"

/* Answers with everything that is measured: OpenMetrics when the client asks for it, else text
 * 0.0.4. Blocks for moments: on the pool. */
void metrics_reply(struct http_request *r);

struct metrics_server;
/* Serves /metrics, and / with a link to it, to any Host: there is nothing secret and nothing that
 * changes anything. listen->port is filled when it was 0. Thread: main. */
enum err metrics_server_start(struct metrics_server **out, struct http_listen *listen,
                              struct loop *l, struct pool *pool, struct error *e) MUST_CHECK;
void metrics_server_stop(struct metrics_server *s); /* before the pool ends; NULL allowed */

#endif
