/* web/metrics.h - /metrics on the web port; the ports of its own are in web.h. SPEC: broker 12. */
#ifndef WEIR_WEB_METRICS_H
#define WEIR_WEB_METRICS_H

#include "base/http.h"

/* Answers with everything that is measured: OpenMetrics when the client asks for it, else text
 * 0.0.4. Blocks for moments: on the pool. */
void metrics_reply(struct http_request *r);

#endif
