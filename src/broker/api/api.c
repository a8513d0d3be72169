/* broker/api/api.c - the table of handlers as a lookup by key. */
#include "broker/api/api.h"

#include "base/base.h"

static const api_fn handlers[KAPI_LIMIT] = {
#define X(KEY, prefix, fn) [KAPI_##KEY] = fn,
    API_HANDLERS(X)
#undef X
};

api_fn api_handler(int16_t key)
{
    return key >= 0 && key < KAPI_LIMIT ? handlers[key] : NULL;
}
