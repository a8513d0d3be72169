/* tests/unit/broker/proto/random_msg.c - see random_msg.h. */
#include "random_msg.h"

uint64_t random_msg_next(struct random_msg *g)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return g->state;
}

static struct slice some_bytes(struct random_msg *g)
{
    size_t n =
        random_msg_next(g) % 8 == 0 ? 130 + random_msg_next(g) % 300 : random_msg_next(g) % 12;
    char *p = arena_alloc(g->a, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)random_msg_next(g);
    return slice_of(p, n);
}

static void fill_value(struct random_msg *g, const struct field_desc *f, void *at, bool may_be_null)
{
    uint64_t v = random_msg_next(g);
    double number = (double)(int64_t)v / 1000;
    switch ((enum field_type)f->type) {
    case FIELD_BOOL:
        *(bool *)at = v & 1;
        break;
    case FIELD_I8:
        memcpy(at, &v, 1);
        break;
    case FIELD_I16:
    case FIELD_U16:
        memcpy(at, &v, 2);
        break;
    case FIELD_I32:
        memcpy(at, &v, 4);
        break;
    case FIELD_I64:
        memcpy(at, &v, 8);
        break;
    case FIELD_F64:
        memcpy(at, &number, 8);
        break;
    case FIELD_UUID:
        for (int i = 0; i < 16; i++)
            ((uint8_t *)at)[i] = (uint8_t)random_msg_next(g);
        break;
    case FIELD_STRUCT:
        random_msg_fill(g, f->sub, at);
        break;
    default:
        *(struct slice *)at = may_be_null && (g->empty || v % 4 == 0) ? SLICE_NULL
                              : g->empty                              ? SL("")
                                                                      : some_bytes(g);
    }
}

static void fill_array(struct random_msg *g, const struct field_desc *f, char *msg, bool nullable)
{
    static const uint8_t sizes[] = {[FIELD_I8] = 1,  [FIELD_I16] = 2,   [FIELD_I32] = 4,
                                    [FIELD_I64] = 8, [FIELD_UUID] = 16, [FIELD_STR] = 16};
    size_t size = f->type == FIELD_STRUCT ? f->sub->size : sizes[f->type];
    int32_t n = nullable && (g->empty || random_msg_next(g) % 5 == 0) ? -1
                : g->empty                                            ? 0
                           : (int32_t)(random_msg_next(g) % 4);
    char *items = n < 0 ? NULL : arena_alloc(g->a, (size_t)n * size + 1);
    for (int32_t i = 0; i < n; i++)
        fill_value(g, f, items + (size_t)i * size, false);
    *(void **)(void *)(msg + f->at) = items;
    *(int32_t *)(void *)(msg + f->aux) = n;
}

void random_msg_fill(struct random_msg *g, const struct struct_desc *d, void *out)
{
    codec_init_defaults(d, out);
    for (int i = 0; i < d->field_count; i++) {
        const struct field_desc *f = &d->fields[i];
        bool there = g->version >= f->from && g->version <= f->to;
        bool tagged = f->tag != FIELD_NEVER && g->version >= f->tag_from;
        bool nullable = g->version >= f->null_from;
        char *msg = out;
        if (!there || (tagged && (g->empty || random_msg_next(g) % 2)))
            continue;
        if (f->shape == SHAPE_ARRAY) {
            fill_array(g, f, msg, nullable);
        } else if (f->type == FIELD_STRUCT) {
            bool has = !nullable || !(g->empty || random_msg_next(g) % 2);
            *((bool *)msg + f->aux) = has;
            if (has)
                random_msg_fill(g, f->sub, msg + f->at);
        } else {
            fill_value(g, f, msg + f->at, nullable);
        }
    }
}
