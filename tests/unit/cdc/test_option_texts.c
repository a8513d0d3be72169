/* tests/unit/cdc/test_option_texts.c - options of workers and connectors: either something reads
 * them, or their text says that nothing does. */
#include "base/base.h"

#include <ftw.h>
#include <stdio.h>

#include "base/fs.h"
#include "cdc/mongodb/options.h"
#include "cdc/mysql/options.h"
#include "connect/configdef.h"
#include "connect/connect.h"
#include "helpers.h"

/* Without the tables themselves; and without their checks and words. */
static struct strbuf sources, readers;

static int take_source(const char *file, const struct stat *st, int kind, struct FTW *where)
{
    static const char *const tables[] = {"worker_options.c", "connector_options.c",
                                         "options_check.c",  "option_check.c",
                                         "option_words.c",   "/options.h"};
    struct slice name = slice_cstr(file);
    struct error e;
    (void)st, (void)where;
    bool reader = true;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        reader &= !slice_ends(name, slice_cstr(tables[i]));
    if (kind == FTW_F && (slice_ends(name, SL(".c")) || slice_ends(name, SL(".h")))) {
        CHECK_OK(fs_read_all(file, 1 << 20, &sources, &e));
        if (reader)
            CHECK_OK(fs_read_all(file, 1 << 20, &readers, &e));
    }
    return 0;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* In quotes, as a whole. */
static bool is_named(const char *option)
{
    size_t n = strlen(option);
    for (const char *at = readers.p; (at = strstr(at, option)) != NULL; at += n)
        if (strchr("\", ", at[-1]) && strchr("\", ", at[n]))
            return true;
    return false;
}

/* .field or ->field; texts become numbers next to the tables. */
static bool is_read(struct slice field)
{
    char text[80];
    snprintf(text, sizeof text, PRI_SL, ARG_SL(field));
    for (const char *at = sources.p; (at = strstr(at, text)) != NULL; at += field.n)
        if ((at[-1] == '.' || at[-1] == '>') && !is_name_char(at[field.n]))
            return true;
    return false;
}

static void check_rows(const struct opt_row *rows)
{
    static const char *const honest[] = {"ccepted",    "not supported",   "not needed", "always",
                                         "not used",   "the default one", "Old ",       "at once",
                                         "weir looks", "weir has"};
    for (const struct opt_row *row = rows; row->name; row++) {
        bool pattern = strchr(row->name, '(') != NULL; /* of a family: column_rule.c */
        bool says_so = row->offset != OPT_NO_FIELD || pattern || is_named(row->name);
        for (size_t i = 0; !says_so && i < ARRAY_LEN(honest); i++)
            says_so = strstr(row->doc, honest[i]) != NULL;
        if (!says_so)
            printf("nothing reads %s: %s\n", row->name, row->doc);
        CHECK(says_so);
    }
}

/* The fourth of a row's arguments. */
static struct slice field_of(const char *row)
{
    int depth = 0, comma = 0;
    bool quoted = false;
    const char *from = row;
    for (const char *p = row; *p && *p != '\n'; p++) {
        if (*p == '"')
            quoted = !quoted;
        depth += quoted ? 0 : (*p == '(') - (*p == ')');
        if (*p != ',' || quoted || depth > 1)
            continue;
        if (++comma == 4)
            return slice_trim(slice_of(from, (size_t)(p - from)));
        from = p + 1;
    }
    return SLICE_NULL;
}

static void check_fields(const char *def, size_t at_least)
{
    struct strbuf text = STRBUF_INIT;
    struct error e;
    size_t count = 0;
    CHECK_OK(fs_read_all(def, 1 << 20, &text, &e));
    for (const char *at = text.p; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        at += strncmp(at, "BY(", 3) == 0 || strncmp(at, "   ", 3) == 0 ? 3 : 0;
        if (strncmp(at, "ROW(\"", 5) != 0 && strncmp(at, "HID(\"", 5) != 0)
            continue;
        struct slice field = field_of(at + 3);
        bool read = field.n && is_read(field);
        if (!read)
            printf("nothing reads field " PRI_SL " of %s\n", ARG_SL(field), def);
        CHECK(read);
        count++;
    }
    CHECK(count >= at_least);
    strbuf_release(&text);
}

static void test_options_are_read(void)
{
    strbuf_init(&sources, 0);
    strbuf_init(&readers, 0);
    CHECK_INT(nftw("src", take_source, 8, FTW_PHYS), 0);
    CHECK(sources.n > 1000000);
    check_rows(connect_option_rows);
    check_rows(connector_common_rows);
    check_rows(connector_source_rows);
    check_rows(connector_sink_rows);
    check_rows(mysql_option_rows);
    check_rows(mariadb_option_rows);
    check_rows(mongo_option_rows);
    check_fields("src/cdc/mysql/options.def", 40);
    check_fields("src/cdc/mongodb/options.def", 40);
    check_fields("src/cdc/options_connector.def", 20);
    check_fields("src/cdc/options_events.def", 9);
    check_fields("src/cdc/options_hidden.def", 7);
    CHECK(!is_named("no.such.option") && !is_read(SL("no_such_field")));
    strbuf_release(&sources);
    strbuf_release(&readers);
}

static const struct test_case tests[] = {
    {"they are read, or say that they are not", test_options_are_read},
    {NULL, NULL},
};
const struct test_suite test_option_texts = {"cdc/option_texts", tests, NULL, NULL};
