/* web/mask.h - secrets in connector configurations: they never leave over :8080. Masked are values
 * of type PASSWORD, values whose names say so (kafka-ui's rule, without its false alarms), and
 * passwords within URLs. A masked value that comes back means "as it is stored". Pure. SPEC:
 * web-ui 3.6, 9.6. */
#ifndef WEIR_WEB_MASK_H
#define WEIR_WEB_MASK_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strmap.h"

#define MASK "******"

bool mask_name_is_secret(struct slice name);
/* Whether the plugin's definitions (an array as GET /connector-plugins/{p}/config gives it; NULL:
 * unknown) say that the option is of type PASSWORD. */
bool mask_declared_secret(const json_t *definitions, const char *name);
/* One value as it may be shown, appended. References (${file:...}) stay. */
void mask_value(struct strbuf *out, struct slice value, bool secret);
/* A whole configuration. New reference. */
json_t *mask_config(const json_t *config, const json_t *definitions);
/* A record of the topic in which Connect keeps configurations ({"properties":{...}}), appended as it may
 * be shown. False: it is none of those, nothing is appended. */
bool mask_worker_record(struct strbuf *out, struct slice record);
/* A value as it comes back from the page, appended: masked parts take what `stored` has there
 * (null: nothing is stored). E_INVALID: masked, and nothing is stored to keep. */
enum err mask_restore(struct strbuf *out, struct slice value, struct slice stored,
                      bool secret) MUST_CHECK;

#endif
