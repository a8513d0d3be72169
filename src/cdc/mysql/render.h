/* cdc/mysql/render.h - rows to JSON without values in between: what JsonConverter would write of an
 * event, straight from the bytes of the row.
 *
 * For each table version and table map a plan is compiled once: per column the constant text before
 * it and a function that writes its cell. Per rows event what follows the images (source block, op,
 * times) is written once; per row it is copied, only `row` differs. The general way (values,
 * emit.h, converter) stays for transforms, other converters and for every row that the plan does
 * not take: both give the same bytes, which tests/unit/cdc/mysql/test_mysql_render.c and
 * tests/fuzz/fuzz_render.c hold. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_RENDER_H
#define WEIR_CDC_MYSQL_RENDER_H

#include "cdc/mysql/emit.h"
#include "cdc/mysql/schemas.h"
#include "connect/connector.h"

/* --- plans ------------------------------------------------------------------------------------ */
struct render_op;
/* Writes the cell (CELL_VALUE) as JSON; there is room for RENDER_ROOM and six times the cell's
 * bytes. NULL: not a usual value; it is tried as a value then. */
typedef char *(*render_fn)(const struct render_op *op, const struct mysql_cell *cell, char *to);
enum { RENDER_ROOM = 64, RENDER_CELL_MAX = 4096 }; /* longer cells go as values */

struct render_group { /* of a decimal's digits */
    uint8_t bytes;
    uint32_t power;
};
struct render_op {
    struct slice key; /* `{"name":` or `,"name":`; SCHEMA_KEY_PADDING bytes may be read */
    render_fn fn;     /* NULL: always as a value */
    uint32_t column;  /* of the cells that are given */
    bool is_text;     /* cells are a snapshot's texts */
    const struct codec *codec;
    const struct mysql_map_column *map; /* NULL: text */
    const struct json_form *form;
    struct slice null; /* what NULL gives; null slice: as a value */
    struct render_group groups[6];
    uint32_t group_count;
};
/* One part of what follows the images: constant text, then a value that each event has anew. */
enum render_hole { HOLE_SOURCE, HOLE_OP, HOLE_MS, HOLE_US, HOLE_NS, HOLE_END };
struct render_part {
    struct slice text;
    enum render_hole hole;
    enum source_field field; /* HOLE_SOURCE */
    struct slice null;       /* what a null value gives */
};
enum { RENDER_PARTS = SOURCE_FIELDS + 5 };
struct render_plan {
    struct arena arena;
    const struct shape *shape; /* as long as the plan */
    struct render_op *value, *key;
    uint32_t value_count, key_count;
    struct render_part parts[RENDER_PARTS];
    uint32_t part_count;
    struct slice before, after; /* `{"before":` and `,"after":` */
    const struct direct_form *form;
};
/* NULL: rows of this table take the general way. shape, map and form outlive the plan; of source
 * the fields count that are the same for all events of a table. */
struct render_plan *render_plan_new(struct shape *s, const struct mysql_table_map *map,
                                    const struct source_info *source,
                                    const struct direct_form *form);
/* The same for rows of a snapshot: cells are the texts of a result, whose columns are these. */
struct render_plan *render_plan_texts(struct shape *s, const uint32_t *columns, uint32_t count,
                                      const struct source_info *source,
                                      const struct direct_form *form);
void render_plan_free(struct render_plan *p); /* NULL allowed */
/* Chooses op->fn from the codec's form. */
void render_choose_cell(struct render_op *op); /* render_cell.c */
void render_choose_text(struct render_op *op); /* render_text.c */

/* The cell's bytes as a string, or as base64; the shortest two's complement of v as base64. */
char *render_utf8(const struct render_op *op, const struct mysql_cell *cell, char *to);
char *render_base64(const struct render_op *op, const struct mysql_cell *cell, char *to);
char *render_unscaled(char *to, int64_t v);

/* --- events ----------------------------------------------------------------------------------- */
enum render_event { RENDER_READ, RENDER_CREATE, RENDER_UPDATE, RENDER_DELETE };
struct renderer {
    struct value_env env; /* of values on the way */
    struct arena arena;
    struct strbuf tail; /* what follows the images: up to the row's number, and from there on */
    size_t split;
    struct strbuf marks[2]; /* the same with other markers; see render_marks */
    uint32_t *ends;         /* of each column's text in the image before, from that image's start */
    uint32_t ends_cap;
    const struct render_plan *plan;
    enum render_event event;
    struct emit_time time;
    size_t last_tail; /* bytes behind the images of the last record */
};
void renderer_init(struct renderer *r);
void renderer_release(struct renderer *r);
/* Before the rows of an event: em->source is its block. E_UNSUPPORTED: the general way for all. */
enum err render_begin(struct renderer *r, const struct render_plan *p, struct emitter *em,
                      enum render_event event, struct emit_time t, struct error *e) MUST_CHECK;
/* One row: adds its records. Cells of both images as far as the event has them, all present.
 * E_UNSUPPORTED: nothing was added, the row has to take the general way. E_NOMEM. */
enum err render_row(struct renderer *r, struct emitter *em, struct record_batch *b,
                    const struct mysql_cell *before, const struct mysql_cell *after, uint64_t row,
                    struct error *e) MUST_CHECK;
/* A snapshot knows the marker of a row late: writes what the last row's record would end with for
 * two markers; later, with the tables perhaps changed already, one of them takes its place. */
enum err render_marks(struct renderer *r, const struct emitter *em, struct slice one,
                      struct slice other, struct error *e) MUST_CHECK;
enum err render_mark(struct renderer *r, struct record_batch *b, bool other,
                     struct error *e) MUST_CHECK;

/* --- shared by render*.c ---------------------------------------------------------------------- */
/* A cursor over the free room of a buffer. */
struct text_out {
    struct strbuf *b;
    char *at, *end;
};
static inline void text_out_open(struct text_out *w, struct strbuf *b)
{
    *w = (struct text_out){b, b->p + b->n, b->p + b->cap};
}
static inline void text_out_close(struct text_out *w)
{
    w->b->n = (size_t)(w->at - w->b->p);
}
enum err text_out_grow(struct text_out *w, size_t n) MUST_CHECK;
static ALWAYS_INLINE MUST_CHECK enum err text_out_room(struct text_out *w, size_t n)
{
    return LIKELY((size_t)(w->end - w->at) > n) ? E_OK : text_out_grow(w, n);
}
static ALWAYS_INLINE void text_out_put(struct text_out *w, struct slice s)
{
    memcpy(w->at, s.p, s.n);
    w->at += s.n;
}
/* A value as the converter writes it. E_UNSUPPORTED when it would complain. */
enum err text_out_value(struct text_out *w, const struct schema *s, struct value v,
                        const struct json_form *form) MUST_CHECK;

#endif
