/* tests/fuzz/fuzz_ddl.c - SQL texts applied to a model that already has tables.
 *
 * First byte: bit 0 = MariaDB, bits 1 and 2 = ANSI_QUOTES and NO_BACKSLASH_ESCAPES, bit 3 = the
 * text is SJIS, bit 4 = the text is a schema history array. What was applied must survive being
 * saved and loaded. */
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/ddl.h"
#include "cdc/mysql/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mysql_schema *model(bool mariadb)
{
    struct mysql_schema_options o = {.mariadb = mariadb};
    struct mysql_schema *s = mysql_schema_new(&o);
    struct mysql_ddl_origin origin = {.db = SL("d")};
    struct mysql_changes c;

    mysql_changes_init(&c);
    if (mysql_schema_apply(s, &origin,
                           SL("CREATE DATABASE d CHARACTER SET latin1; CREATE TABLE t (id INT "
                              "PRIMARY KEY, v VARCHAR(5), e "
                              "ENUM('a','b'), UNIQUE k (v)); CREATE TABLE u LIKE t"),
                           &c, NULL) != E_OK)
        abort();
    mysql_changes_release(&c);
    return s;
}

/* Names that are not UTF-8 cannot be in JSON: only then may the two models differ. */
static void round_trip(const struct mysql_schema *s, bool mariadb)
{
    struct mysql_schema_options o = {.mariadb = mariadb};
    struct mysql_schema *back = mysql_schema_new(&o);
    struct strbuf json = STRBUF_INIT;
    const struct mysql_table *t;

    mysql_schema_save(s, &json);
    if (slice_is_utf8(strbuf_slice(&json))) {
        struct error e = {.msg = ""};
        if (mysql_schema_load(back, strbuf_slice(&json), &e) != E_OK ||
            mysql_schema_count(back) != mysql_schema_count(s)) {
            fprintf(stderr, "%s\n%s\n", e.msg, json.p);
            abort();
        }
        for (size_t i = 0; (t = mysql_schema_next(s, &i));)
            if (!mysql_table_same(t, mysql_schema_find(back, t->db, t->name)))
                abort();
    }
    strbuf_release(&json);
    mysql_schema_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool quiet;
    if (!quiet && log_set_level("root", LOG_L_OFF) == E_OK)
        quiet = true;
    if (size < 1)
        return 0;
    bool mariadb = data[0] & 1;
    struct mysql_ddl_origin origin = {
        .db = SL("d"),
        .sql_mode = (data[0] & 2 ? SQL_MODE_ANSI_QUOTES : 0) |
                    (data[0] & 4 ? SQL_MODE_NO_BACKSLASH_ESCAPES : 0),
        .client = data[0] & 8 ? mysql_charset_find(SL("sjis")) : NULL,
    };
    struct mysql_schema *s = model(mariadb);
    char *text = xmalloc(size); /* exact but for the option byte */
    struct slice sql = slice_of(text, size - 1);
    struct mysql_changes c;
    struct error e = {.msg = ""};

    memcpy(text, data + 1, size - 1);
    (void)mysql_ddl_classify(sql, mariadb, NULL);
    mysql_changes_init(&c);
    enum err err = data[0] & 16 ? mysql_schema_restore(s, sql, SL("d"), SLICE_NULL, &e)
                                : mysql_schema_apply(s, &origin, sql, &c, &e);
    if (err && !e.msg[0])
        abort();
    struct strbuf json = STRBUF_INIT;
    mysql_changes_json(&c, 0, c.count, TABLE_JSON_WEIR | TABLE_JSON_COMMENTS, &json);
    strbuf_release(&json);
    round_trip(s, mariadb);
    mysql_changes_release(&c);
    mysql_schema_free(s);
    mem_free(text);
    return 0;
}
