/* cdc/transform_hints.c - see transform_hints.h. */
#include "cdc/transform_hints.h"

#include "base/opt.h"

#define ROWS "io.debezium.transforms."
#define DOCUMENTS "io.debezium.connector.mongodb.transforms."
static const struct {
    const char *name;    /* without its package */
    const char *instead; /* what does the same for the other kind */
    bool documents;      /* what it is for */
} kinds[] = {
    {"ExtractNewRecordState", DOCUMENTS "ExtractNewDocumentState", false},
    {"EventRouter", DOCUMENTS "outbox.MongoEventRouter", false},
    {"ExtractNewDocumentState", ROWS "ExtractNewRecordState", true},
    {"UnwrapFromMongoDbEnvelope", ROWS "ExtractNewRecordState", true},
    {"MongoEventRouter", ROWS "outbox.EventRouter", true},
};

static void tell(enum log_category log, struct slice name, struct slice type, bool documents)
{
    ptrdiff_t dot = slice_rfind_char(type, '.');
    struct slice simple = slice_sub(type, (size_t)(dot + 1), type.n);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (slice_eq_c(simple, kinds[i].name) && kinds[i].documents != documents)
            LOG_WARN(log,
                     "transforms." PRI_SL
                     ".type is %s, which is for %s: their events fail in it; use %s",
                     ARG_SL(name), kinds[i].name,
                     documents ? "the rows of an SQL database" : "the documents of MongoDB",
                     kinds[i].instead);
}

void transform_hints_tell(enum log_category log, const struct strmap *config, bool documents)
{
    struct slice rest = strmap_get_c(config, "transforms"), name;
    struct strbuf key = STRBUF_INIT;
    while (rest.p && opt_list_next(&rest, &name)) {
        strbuf_reset(&key);
        strbuf_addf(&key, "transforms." PRI_SL ".type", ARG_SL(name));
        struct slice type = slice_trim(strmap_get(config, strbuf_slice(&key)));
        if (type.p)
            tell(log, name, type, documents);
    }
    strbuf_release(&key);
}
