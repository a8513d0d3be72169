/* connect/dead_letters.h - the dead-letter queue of a sink: records that failed, as they were read,
 * with headers that say where and why. SPEC: connect 8.3. Thread: the task's. */
#ifndef WEIR_CONNECT_DEAD_LETTERS_H
#define WEIR_CONNECT_DEAD_LETTERS_H

#include "base/err.h"
#include "base/strmap.h"
#include "connect/kclient.h"

struct dead_letters;
/* From errors.deadletterqueue.*; *out NULL without a topic. Makes the topic when it is not there. */
enum err dead_letters_open(struct dead_letters **out, struct kclient *k, const char *connector,
                           int task, const struct strmap *config, struct error *e) MUST_CHECK;
void dead_letters_close(struct dead_letters *d); /* NULL allowed */
/* Where and why; texts as the headers show them. */
struct dead_letter {
    const struct krecord *record; /* as consumed */
    const char *stage, *class_name;
    struct slice exception, message /* null: none */, trace;
};
/* In the log on return. */
enum err dead_letters_add(struct dead_letters *d, const struct dead_letter *l,
                          struct error *e) MUST_CHECK;

#endif
