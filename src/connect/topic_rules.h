/* connect/topic_rules.h - how a source's topics are made when they do not exist: topic.creation.*
 * of the connector, else the broker's defaults. SPEC: connect 4.5. Thread: the task's. */
#ifndef WEIR_CONNECT_TOPIC_RULES_H
#define WEIR_CONNECT_TOPIC_RULES_H

#include "base/err.h"
#include "base/strmap.h"
#include "connect/kclient.h"

struct topic_rule;
struct topic_rules {
    struct topic_rule *rules; /* groups in order, the default one last; none: broker's defaults */
    size_t count;
};
/* E_INVALID: a rule's number or regular expression, with Java's exception. */
enum err topic_rules_init(struct topic_rules *r, const struct strmap *config,
                          const struct strmap *worker, struct error *e) MUST_CHECK;
/* The option of the default group that is missing although others of topic.creation are given; NULL:
 * none. For validation: a task finds the same. */
const char *topic_rules_missing(const struct strmap *config, const struct strmap *worker);
void topic_rules_release(struct topic_rules *r);
/* Makes the topic unless it is there. */
enum err topic_rules_ensure(struct topic_rules *r, struct kclient *k, struct slice topic,
                            struct error *e) MUST_CHECK;

#endif
