/* web/message_filter.h - the search box of the message page: does a record contain a text? Pure; a
 * filter may be used by one thread at a time. SPEC: web-ui 4.5. */
#ifndef WEIR_WEB_MESSAGE_FILTER_H
#define WEIR_WEB_MESSAGE_FILTER_H

#include "base/str.h"

struct message_filter {
    /* The text itself, and, when it is not all ASCII, its \uXXXX form as JSON writers print it with
     * small and with capital digits, so that Korean is found in escaped JSON too. */
    struct strbuf needles[3];
    size_t count; /* 0: everything matches */
};
void message_filter_init(struct message_filter *f,
                         struct slice text); /* null or empty: no filter */
void message_filter_release(struct message_filter *f);
bool message_filter_text(const struct message_filter *f,
                         struct slice text); /* null never matches */
/* Key text, value text (null slices allowed), header names and values (as stored in a batch). */
bool message_filter_match(const struct message_filter *f, struct slice key, struct slice value,
                          struct slice headers);

#endif
