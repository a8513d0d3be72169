/* lab/rest_client.h - one blocking HTTP request to this machine, with a JSON answer. Thread: any
 * but the HTTP loop. */
#ifndef WEIR_LAB_REST_CLIENT_H
#define WEIR_LAB_REST_CLIENT_H

#include <jansson.h>

#include "base/err.h"

/* url: http://HOST:PORT. body may be NULL. *status gets the HTTP status, *answer (may be NULL) a
 * new reference or NULL when there is no JSON. E_IO, E_TIMEOUT, E_CORRUPT; any status is E_OK. */
enum err rest_call(const char *url, const char *method, const char *path, const json_t *body,
                   int *status, json_t **answer, struct error *e) MUST_CHECK;

#endif
