/* broker/proto/fields.h - fields of a message by their descriptors: for the codec, and for those who look
 * into messages without knowing which they are. Pure; thread: any. */
#ifndef WEIR_BROKER_PROTO_FIELDS_H
#define WEIR_BROKER_PROTO_FIELDS_H

#include "base/base.h"
#include "broker/proto/schema.h"

extern const uint8_t field_type_sizes[]; /* in the C struct; not of FIELD_STRUCT */

/* Of one value, or of one element of an array. */
static inline size_t field_item_size(const struct field_desc *f)
{
    return f->type == FIELD_STRUCT ? f->sub->size : field_type_sizes[f->type];
}

static inline bool field_is_in(const struct field_desc *f, int16_t version)
{
    return version >= f->from && version <= f->to; /* no version reaches FIELD_NEVER */
}

static inline bool field_is_tagged(const struct field_desc *f, int16_t version)
{
    return f->tag != FIELD_NEVER && version >= f->tag_from;
}

/* Elements of an array, and how many there are: -1 is null. */
static inline char **field_array(void *msg, const struct field_desc *f)
{
    return (char **)(void *)((char *)msg + f->at);
}

static inline int32_t *field_count(void *msg, const struct field_desc *f)
{
    return (int32_t *)(void *)((char *)msg + f->aux);
}

static inline const char *field_elements(const void *msg, const struct field_desc *f,
                                         int32_t *count)
{
    *count = *(const int32_t *)(const void *)((const char *)msg + f->aux);
    return *(const char *const *)(const void *)((const char *)msg + f->at);
}

/* NULL: there is none of that name. */
static inline const struct field_desc *field_by_name(const struct struct_desc *d, const char *name)
{
    for (size_t i = 0; i < d->field_count; i++)
        if (!strcmp(d->fields[i].name, name))
            return &d->fields[i];
    return NULL;
}

#endif
