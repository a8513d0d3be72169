/* connect/transforms/smt.h - what Kafka's transforms have in common: the side they work on, their
 * options, schemas made once per schema of the input, Java's words for failures.
 *
 * An SMT's state begins with struct smt. Values go into the batch's arena. Made schemas are kept by
 * the state; one that is pushed out of the cache lives until the batch is reset. Thread: the
 * task's. SPEC: connect 6.1. */
#ifndef WEIR_CONNECT_TRANSFORMS_SMT_H
#define WEIR_CONNECT_TRANSFORMS_SMT_H

#include "base/map.h"
#include "base/regex.h"
#include "connect/connector.h"

#define SMT_PACKAGE "org.apache.kafka.connect.transforms."
#define SMT_VERSION "4.1.1"

/* Schemas that were made, by the schema (not its content) that each was made of. It grows with the
 * schemas that pass, as a database has many tables; those that nobody else holds any more go. */
#define SMT_CACHE_MAX 65536
struct smt_cache_entry {
    const struct schema *from, *to; /* a reference each */
};
struct smt_cache {
    struct smt_cache_entry *v;
    size_t count, cap, last; /* last: found or put; cap: it is swept when that many are there */
    struct map index;        /* from -> place + 1 */
};
/* NULL: not made yet. */
const struct schema *smt_cache_get(struct smt_cache *c, const struct schema *from);
/* Takes over the caller's reference of `to`; returns it. Replaces what was made of `from` before. */
const struct schema *smt_cache_put(struct smt_cache *c, struct record_batch *b,
                                   const struct schema *from, const struct schema *to);
void smt_cache_release(struct smt_cache *c);

struct smt {
    bool key;              /* works on the key, else on the value */
    bool null_to_default;  /* replace.null.with.default */
    struct strmap options; /* own copy; slices taken from it live as long as the state */
    struct smt_cache cache;
};
/* For configure: state of `size` bytes that begins with struct smt. */
void *smt_new(size_t size, const struct strmap *config, const char *class_name);
void smt_free(void *smt); /* a release function for states without more to release */

/* Trimmed text of an option; null slice when it is not given. */
struct slice smt_text(const struct smt *s, const char *option);
bool smt_flag(const struct smt *s, const char *option, bool absent);
/* The parts of a LIST in the arena-less array of the caller: allocated, for mem_free. */
struct slice *smt_list(const struct smt *s, const char *option, size_t *count);
bool smt_listed(const struct slice *list, size_t count, struct slice name);

static inline const struct schema **smt_schema(const struct smt *s, struct record *r)
{
    return s->key ? &r->key_schema : &r->value_schema;
}
static inline struct value *smt_value(const struct smt *s, struct record *r)
{
    return s->key ? &r->key : &r->value;
}

/* E_INVALID unless the side is a map without schema, or a struct with one. */
enum err smt_want_members(const struct smt *s, struct record *r, const char *purpose,
                          struct error *e) MUST_CHECK;
/* Field i of a struct as the transform reads it: its default for a null, if so configured. */
struct value smt_field(const struct smt *s, const struct schema *schema, struct value v, size_t i);
/* Entry of a schemaless map; NULL when absent. */
struct value *smt_map_get(struct value map, struct slice key);
/* A copy of the map with room for `more` entries behind (n is that of the input). NULL kind without
 * memory. */
struct value smt_map_copy(struct arena *a, struct value map, size_t more);
/* Appends to a map with room, or replaces the entry of that name. */
void smt_map_put(struct value *map, struct slice key, struct value v);
/* A builder for the struct that takes the place of `from`: name, version, doc and parameters, not
 * optional, without fields. */
struct schema_builder *smt_struct_like(const struct schema *from);
enum err smt_no_memory(struct error *e);
/* A copy in the batch's arena, with a NUL behind. */
enum err smt_copy_text(struct record_batch *b, struct slice text, struct slice *out,
                       struct error *e) MUST_CHECK;
/* A copy of the record's headers with room for `more` behind (the array may be shared by all records
 * of a source); NULL without memory. */
struct record_header *smt_own_headers(struct record_batch *b, const struct record *r, size_t more);
/* opt_check_fn of texts and lists that must not be empty. */
enum err smt_check_text(const struct opt_row *row, struct slice text, struct error *e) MUST_CHECK;
enum err smt_check_list(const struct opt_row *row, struct slice text, struct error *e) MUST_CHECK;
/* E_INVALID: "Invalid value [a, b] for configuration OPTION: WHY PART", as Java writes lists. */
enum err smt_bad_list(struct error *e, struct slice list, const char *prefix, const char *option,
                      const char *why, struct slice part);
/* The opt_check_fn of SMT_REGEX_ROW. */
enum err smt_check_regex(const struct opt_row *row, struct slice text, struct error *e) MUST_CHECK;
/* Compiles an option's expression: a ConfigException in e that names the option. */
enum err smt_regex(struct regex **out, struct slice pattern, const char *option,
                   struct error *e) MUST_CHECK;
/* getClass().getName() of a value, "null". */
const char *smt_java_class(const struct schema *s, struct value v);

/* Rows of options. SMT_FIELDS is what all have; more members may follow it in the braces. */
#define SMT_FIELDS_AT(order_, name_, type_, def_, flags_, importance_, doc_)                       \
    .name = name_, .type = type_, .def = def_, .offset = OPT_NO_FIELD, .flags = flags_,            \
    .importance = importance_, .order = order_, .display = name_, .doc = doc_
#define SMT_FIELDS(name_, type_, def_, flags_, importance_, doc_)                                  \
    SMT_FIELDS_AT(-1, name_, type_, def_, flags_, importance_, doc_)
#define SMT_ROW(name_, type_, def_, flags_, importance_, doc_)                                     \
    {                                                                                              \
        SMT_FIELDS(name_, type_, def_, flags_, importance_, doc_)                                  \
    }
/* A STRING that is one of choices_ (ends with NULL). */
#define SMT_CHOICE_ROW(name_, def_, flags_, importance_, choices_, doc_)                           \
    {                                                                                              \
        SMT_FIELDS(name_, OPT_STRING, def_, flags_, importance_, doc_), .choices = choices_        \
    }
/* A STRING that is a regular expression. */
#define SMT_REGEX_ROW(name_, def_, flags_, importance_, doc_)                                      \
    {                                                                                              \
        SMT_FIELDS(name_, OPT_STRING, def_, flags_, importance_, doc_), .check = smt_check_regex   \
    }
/* A LIST of high importance that must have an entry. */
#define SMT_LIST_ROW(name_, doc_)                                                                  \
    {                                                                                              \
        SMT_FIELDS(name_, OPT_LIST, NULL, OPT_REQUIRED, OPT_HIGH, doc_), .check = smt_check_list   \
    }
#define SMT_NULL_ROW                                                                               \
    SMT_ROW("replace.null.with.default", OPT_BOOLEAN, "true", 0, OPT_MEDIUM,                       \
            "Whether a null field with a default in its schema counts as that default.")

/* One class. */
#define SMT_CLASS(var, Name, rows_, configure_, apply_, release_)                                  \
    static const char *const var##_aliases[] = {Name, NULL};                                       \
    const struct transform_ops var = {.class_name = SMT_PACKAGE Name,                              \
                                      .aliases = var##_aliases,                                    \
                                      .version = SMT_VERSION,                                      \
                                      .rows = rows_,                                               \
                                      .configure = configure_,                                     \
                                      .apply = apply_,                                             \
                                      .release = release_};
/* Its two classes, for keys and for values. */
#define SMT_SIDES(var, Name, rows_, configure_, apply_, release_)                                  \
    SMT_CLASS(var##_key, Name "$Key", rows_, configure_, apply_, release_)                         \
    SMT_CLASS(var##_value, Name "$Value", rows_, configure_, apply_, release_)

#endif
