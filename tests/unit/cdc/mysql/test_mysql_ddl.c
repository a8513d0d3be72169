/* tests of cdc/mysql/ddl*.c and schema*.c: statements in, tables out */
#include "cdc/mysql/ddl.h"

#include "base/mem.h"
#include "cdc/mysql/schema.h"
#include "helpers.h"

/* --- a model under test ---------------------------------------------------------------------- */

static struct mysql_schema *schema;
static struct mysql_changes changes;

static void open_schema(bool mariadb)
{
    struct mysql_schema_options o = {.mariadb = mariadb,
                                     .server_version = mariadb ? 110800 : 90700};

    schema = mysql_schema_new(&o);
    mysql_changes_init(&changes);
}

static void close_schema(void)
{
    mysql_changes_release(&changes);
    mysql_schema_free(schema);
}

static enum err run_mode(const char *sql, uint64_t mode, struct error *e)
{
    struct mysql_ddl_origin o = {.db = SL("d"), .sql_mode = mode};

    mysql_changes_reset(&changes);
    return mysql_schema_apply(schema, &o, slice_cstr(sql), &changes, e);
}

static void run(const char *sql)
{
    struct error e = {.msg = ""};
    enum err err = run_mode(sql, 0, &e);

    CHECK_STR(err ? e.msg : "", "");
}

static const char *const kind_names[] = {"create",   "alter", "rename", "drop", "truncate",
                                         "database", "index", "set",    "none"};

/* One line per column: name type(length,scale) charset flags default key. */
static void describe(const struct mysql_table *t, struct strbuf *out)
{
    static const char *const defaults[] = {"", " =NULL", " =", " =now", " =expr "};

    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct mysql_column *c = &t->columns[i];
        strbuf_addf(out, PRI_SL " " PRI_SL, ARG_SL(c->name), ARG_SL(c->type_name));
        if (c->length >= 0)
            strbuf_addf(out, c->scale >= 0 ? "(%d,%d)" : "(%d)", c->length, c->scale);
        if (c->charset_name.p)
            strbuf_addf(out, " " PRI_SL, ARG_SL(c->charset_name));
        strbuf_adds(out, c->nullable ? "" : " not-null");
        strbuf_adds(out, c->is_auto_increment ? " auto" : c->auto_incremented ? " on-update" : "");
        strbuf_adds(out, c->is_computed ? c->is_stored ? " stored" : " virtual" : "");
        strbuf_adds(out, c->invisible ? " invisible" : "");
        strbuf_addf(out, "%s" PRI_SL, defaults[c->default_kind], ARG_SL(c->default_text));
        for (uint32_t v = 0; v < c->value_count; v++)
            strbuf_addf(out, " <" PRI_SL ">", ARG_SL(c->values[v]));
        if (c->comment.p)
            strbuf_addf(out, " // " PRI_SL, ARG_SL(c->comment));
        strbuf_addc(out, '\n');
    }
    strbuf_adds(out, "key");
    for (uint32_t i = 0; i < t->row_key_count; i++)
        strbuf_addf(out, " " PRI_SL, ARG_SL(t->columns[t->key[i]].name));
    strbuf_addc(out, '\n');
}

static void check_table(const char *name, const char *want)
{
    const struct mysql_table *t = mysql_schema_find(schema, SL("d"), slice_cstr(name));
    struct strbuf b = STRBUF_INIT;

    CHECK(t != NULL);
    if (t)
        describe(t, &b);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

/* Kinds, names and texts of the last statement's changes. */
static void check_changes(const char *want)
{
    struct strbuf b = STRBUF_INIT;

    for (size_t i = 0; i < changes.count; i++)
        strbuf_addf(&b, "%s " PRI_SL "." PRI_SL " [" PRI_SL "]\n",
                    kind_names[changes.items[i].kind], ARG_SL(changes.items[i].db),
                    ARG_SL(changes.items[i].name), ARG_SL(changes.items[i].ddl));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

/* --- CREATE --------------------------------------------------------------------------------- */

static void numbers(void)
{
    open_schema(false);
    run("CREATE TABLE t (id SERIAL, b BIT, b9 BIT(9) DEFAULT b'101', bo BOOLEAN NOT NULL DEFAULT "
        "TRUE, t1 tinyint(1), "
        "tu TINYINT(3) UNSIGNED DEFAULT '0', iz INT(6) UNSIGNED ZEROFILL, l BIGINT DEFAULT -9, f "
        "FLOAT(30), f72 FLOAT(7,2), "
        "d DOUBLE PRECISION DEFAULT 1.5, r REAL, de DECIMAL, n NUMERIC(20), fx FIXED(8,3) DEFAULT "
        "+1e3, y YEAR(4), "
        "h INT DEFAULT 0x1F, g INT AS (l * 2) STORED NOT NULL, v INT GENERATED ALWAYS AS (l + 1), "
        "e INT DEFAULT (1 + 1))");
    check_table("t", "id BIGINT UNSIGNED not-null auto\n"
                     "b BIT(1)\n"
                     "b9 BIT(9) =101\n"
                     "bo BOOLEAN not-null =1\n"
                     "t1 TINYINT(1)\n"
                     "tu TINYINT UNSIGNED(3) =0\n"
                     "iz INT UNSIGNED ZEROFILL(6)\n"
                     "l BIGINT =-9\n"
                     "f FLOAT(30)\n"
                     "f72 FLOAT(7,2)\n"
                     "d DOUBLE PRECISION =1.5\n"
                     "r REAL\n"
                     "de DECIMAL(10,0)\n"
                     "n NUMERIC(20,0)\n"
                     "fx FIXED(8,3) =1e3\n"
                     "y YEAR(4)\n"
                     "h INT =1F\n"
                     "g INT not-null stored\n"
                     "v INT virtual\n"
                     "e INT =expr 1 + 1\n"
                     "key id\n");
    close_schema();
}

static void strings(void)
{
    open_schema(false);
    run("CREATE TABLE t (id varchar(20) NOT NULL, c CHAR(5) DEFAULT _utf8mb4'x', v VARCHAR(300) "
        "COLLATE latin1_swedish_ci, "
        "nc NCHAR(4), nv NATIONAL VARCHAR(9), e ENUM('a','b,c','d''e', 'tail  ', _latin1'i') "
        "CHARACTER SET euckr DEFAULT 'a', "
        "s SET('r','w') NOT NULL, tx TEXT(100) CHARSET utf8, j JSON, b BINARY(4), cb CHAR(6) "
        "CHARACTER SET binary, "
        "q VARCHAR(9) DEFAULT 'it''s \\'\\\\' COMMENT 'a; \"b\"', u VARCHAR(5) UNICODE, PRIMARY "
        "KEY (id)) DEFAULT CHARSET=utf8mb4");
    check_table("t", "id VARCHAR(20) utf8mb4 not-null\n"
                     "c CHAR(5) utf8mb4 =x\n"
                     "v VARCHAR(300) latin1\n"
                     "nc NCHAR(4) utf8mb3\n"
                     "nv NATIONAL VARCHAR(9) utf8mb3\n"
                     "e ENUM(1) euckr =a <a> <b,c> <d'e> <tail> <i>\n"
                     "s SET(3) utf8mb4 not-null <r> <w>\n"
                     "tx TEXT(100) utf8\n"
                     "j JSON\n"
                     "b BINARY(4)\n"
                     "cb CHAR(6) binary\n"
                     "q VARCHAR(9) utf8mb4 =it's '\\ // a; \"b\"\n"
                     "u VARCHAR(5) ucs2\n"
                     "key id\n");
    const struct mysql_table *t = mysql_schema_find(schema, SL("d"), SL("t"));
    CHECK_INT(t->columns[3].jdbc, -15);
    CHECK_INT(t->columns[4].jdbc, -9);
    CHECK_INT(t->columns[10].type, COL_BINARY);
    CHECK_INT(t->columns[8].jdbc, 1111);
    close_schema();
}

static void times(void)
{
    open_schema(false);
    run("CREATE TABLE t (id INT, dt DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE "
        "CURRENT_TIMESTAMP(6), "
        "ts TIMESTAMP NOT NULL DEFAULT NOW(), ou TIMESTAMP NULL ON UPDATE NOW(), t TIME(3) NULL "
        "DEFAULT NULL, d DATE DEFAULT '2020-01-01', "
        "p POINT NOT NULL SRID 4326, g GEOMETRYCOLLECTION, ve VECTOR(3), SPATIAL INDEX (p))");
    check_table("t", "id INT\n"
                     "dt DATETIME(6) =now\n"
                     "ts TIMESTAMP not-null =now\n"
                     "ou TIMESTAMP on-update\n"
                     "t TIME(3) =NULL\n"
                     "d DATE =2020-01-01\n"
                     "p POINT not-null\n"
                     "g GEOMETRYCOLLECTION\n"
                     "ve VECTOR(3)\n"
                     "key\n");
    const struct mysql_table *t = mysql_schema_find(schema, SL("d"), SL("t"));
    CHECK(t->columns[6].has_srid && t->columns[6].srid == 4326);
    struct strbuf tmp = STRBUF_INIT;
    CHECK_SLICE(mysql_column_default_expression(&t->columns[1], &tmp), SL("1970-01-01 00:00:00"));
    CHECK(mysql_column_default_expression(&t->columns[4], &tmp).p == NULL);
    CHECK(mysql_column_has_default(&t->columns[0]) && !mysql_column_has_default(&t->columns[6]));
    strbuf_release(&tmp);
    close_schema();
}

/* SPEC: cdc-mysql 5.2, 7.1: golden mysql/ddl-syntax and keys of every kind */
static void syntax(void)
{
    open_schema(false);
    run("create   table /* c1; c2 */ `t1`( -- first\n"
        " `id` int(11) unsigned not null auto_increment comment 'it''s; the \"id\"', # second\n"
        " `key` varchar(10) character set latin1 collate latin1_swedish_ci default 'k',\n"
        " `date` date, `rank` int /*!80000 default 5 */, `select` tinyint, `from,to` char(3) "
        "charset binary,\n"
        " primary key using btree (`id`), key k1 (`key` desc), unique `u1` (`rank`,`id`), index fx "
        "((`rank` + 1)),"
        " constraint chk check (`rank` > 0 and `key` <> ')')\n"
        ") engine=InnoDB auto_increment 7 default charset=utf8mb4 comment='a; b' row_format=dynamic"
        " /*!50100 partition by key () */;");
    check_table("t1", "id INT UNSIGNED(11) not-null auto // it's; the \"id\"\n"
                      "key VARCHAR(10) latin1 =k\n"
                      "date DATE\n"
                      "rank INT =5\n"
                      "select TINYINT\n"
                      "from,to CHAR(3) binary\n"
                      "key id\n");
    CHECK_SLICE(mysql_schema_find(schema, SL("d"), SL("t1"))->comment, SL("a; b"));
    run("ALTER TABLE d . t1 DROP CHECK chk, RENAME KEY k1 TO k2, ADD (n1 INT, n2 VARCHAR(15) AS "
        "(CONCAT(`key`,'!')) STORED), "
        "ALGORITHM = COPY, LOCK = SHARED");
    run("CREATE TABLE t2 (LIKE t1)");
    run("ALTER TABLE t2 DROP COLUMN n2, DROP n1, DROP `from,to`");
    run("RENAME TABLE t1 TO tmp, t2 TO t1, tmp TO t2");
    check_changes("rename d.tmp [RENAME TABLE t1 TO tmp]\n"
                  "rename d.t1 [RENAME TABLE t2 TO t1]\n"
                  "rename d.t2 [RENAME TABLE tmp TO t2]\n");
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("t1"))->column_count, 5);
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("t2"))->column_count, 8);
    CHECK(mysql_schema_find(schema, SL("d"), SL("tmp")) == NULL);
    struct error e = {.msg = ""};
    CHECK_OK(run_mode(
        "CREATE TABLE \"quoted \"\"t\"\"\" (\"a b\" INT PRIMARY KEY, c DECIMAL(4,1) DEFAULT '1.5')",
        SQL_MODE_ANSI_QUOTES, &e));
    check_table("quoted \"t\"", "a b INT not-null\nc DECIMAL(4,1) =1.5\nkey a b\n");
    CHECK_OK(run_mode("CREATE TABLE nb (a VARCHAR(9) DEFAULT 'x\\', b INT)",
                      SQL_MODE_NO_BACKSLASH_ESCAPES, &e));
    check_table("nb", "a VARCHAR(9) utf8mb4 =x\\\nb INT\nkey\n");
    run("CREATE TABLE d.1st (2nd INT PRIMARY KEY, e1 INT)");
    check_table("1st", "2nd INT not-null\ne1 INT\nkey 2nd\n");
    close_schema();
}

static void keys(void)
{
    open_schema(false);
    run("CREATE TABLE t (a INT NOT NULL, b INT, c VARCHAR(30) NOT NULL, d INT NOT NULL, UNIQUE KEY "
        "(b), UNIQUE (c(5)), "
        "CONSTRAINT cu UNIQUE INDEX ui (d, a), KEY (b,a))");
    check_table("t",
                "a INT not-null\nb INT\nc VARCHAR(30) utf8mb4 not-null\nd INT not-null\nkey d a\n");
    run("ALTER TABLE t ADD PRIMARY KEY (c, b)"); /* clause order, and NOT NULL is forced */
    check_table("t", "a INT not-null\nb INT not-null\nc VARCHAR(30) utf8mb4 not-null\nd INT "
                     "not-null\nkey c b\n");
    run("ALTER TABLE t DROP PRIMARY KEY, DROP INDEX ui");
    run("ALTER TABLE t MODIFY b INT NULL, DROP KEY b");
    check_table("t",
                "a INT not-null\nb INT\nc VARCHAR(30) utf8mb4 not-null\nd INT not-null\nkey\n");
    run("CREATE UNIQUE INDEX one ON t (d)");
    check_changes("index d.t [CREATE UNIQUE INDEX one ON t (d)]\n");
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("t"))->row_key_count, 1);
    run("DROP INDEX one ON t");
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("t"))->row_key_count, 0);
    run("CREATE INDEX plain ON t (a)");
    CHECK(changes.items[0].before == changes.items[0].after);
    close_schema();
}

/* Column names may say their table; the part of a precision behind its point is nothing. */
static void qualified_columns(void)
{
    open_schema(false);
    run("CREATE TABLE q (q.a BIGINT, d.q.b INT, .c INT, e DECIMAL(19.5), f DECIMAL(0.2), g "
        "DECIMAL(0))");
    run("ALTER TABLE q ADD COLUMN q.h INT, CHANGE q.a q.k INT, MODIFY COLUMN d.q.b SMALLINT");
    check_table("q", "k INT\nb SMALLINT\nc INT\ne DECIMAL(19,0)\nf DECIMAL(10,0)\n"
                     "g DECIMAL(10,0)\nh INT\nkey\n");
    close_schema();
}

/* --- ALTER ------------------------------------------------------------------------------------ */

/* SPEC: golden mysql/ddl-stream */
static void alter_columns(void)
{
    open_schema(false);
    run("CREATE TABLE items (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL "
        "DEFAULT 'new', "
        "price DECIMAL(8,2))");
    run("ALTER TABLE items ADD COLUMN qty INT NOT NULL DEFAULT 3 AFTER name");
    run("ALTER TABLE items ADD COLUMN (a TINYINT(1), b TEXT), ADD COLUMN c DATE FIRST, ADD INDEX "
        "(name)");
    run("ALTER TABLE items MODIFY COLUMN price DECIMAL(12,4) NOT NULL DEFAULT 0, CHANGE COLUMN "
        "name title VARCHAR(40) "
        "CHARACTER SET latin1 NULL, DROP COLUMN a");
    run("ALTER TABLE items RENAME COLUMN b TO note, ALTER COLUMN qty SET DEFAULT 11");
    check_table("items", "c DATE\n"
                         "id INT not-null auto\n"
                         "title VARCHAR(40) latin1\n"
                         "qty INT not-null =11\n"
                         "price DECIMAL(12,4) not-null =0\n"
                         "note TEXT utf8mb4\n"
                         "key id\n");
    run("CREATE TABLE IF NOT EXISTS items_copy LIKE items");
    check_changes("create d.items_copy [CREATE TABLE IF NOT EXISTS items_copy LIKE items]\n");
    run("ALTER TABLE items_copy RENAME COLUMN title TO note, RENAME COLUMN note TO title"); /* a
                                                                                               swap
                                                                                             */
    run("ALTER TABLE items_copy ALTER title DROP DEFAULT, ALTER qty SET INVISIBLE, ADD x INT AFTER "
        "title, ADD y INT AFTER x");
    check_table("items_copy", "c DATE\n"
                              "id INT not-null auto\n"
                              "note VARCHAR(40) latin1\n"
                              "qty INT not-null invisible =11\n"
                              "price DECIMAL(12,4) not-null =0\n"
                              "title TEXT utf8mb4\n"
                              "x INT\n"
                              "y INT\n"
                              "key id\n");
    run("ALTER TABLE items_copy RENAME TO other.wares");
    check_changes("rename other.wares [ALTER TABLE items_copy RENAME TO other.wares]\n");
    CHECK(mysql_schema_find(schema, SL("other"), SL("wares")) != NULL);
    run("/* application comment */ DROP TABLE IF EXISTS gone, items;");
    check_changes("drop d.gone [DROP TABLE IF EXISTS `d`.`gone`]\ndrop d.items [DROP TABLE IF "
                  "EXISTS `d`.`items`]\n");
    CHECK(changes.items[0].before == NULL && changes.items[1].before != NULL);
    close_schema();
}

static void alter_options(void)
{
    open_schema(false);
    run("CREATE DATABASE d CHARACTER SET latin1");
    run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(5), e ENUM('x') CHARACTER SET euckr, b "
        "BLOB)");
    check_table("t", "id INT not-null\nv VARCHAR(5) latin1\ne ENUM(1) euckr <x>\nb BLOB\nkey id\n");
    run("ALTER TABLE t DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin, COMMENT = 'c', "
        "ENGINE=InnoDB");
    run("ALTER TABLE t ADD w VARCHAR(5)");
    check_table("t", "id INT not-null\nv VARCHAR(5) latin1\ne ENUM(1) euckr <x>\nb BLOB\nw "
                     "VARCHAR(5) utf8mb4\nkey id\n");
    run("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_bin");
    check_table("t", "id INT not-null\nv VARCHAR(5) utf8mb3\ne ENUM(1) utf8mb3 <x>\nb BLOB\nw "
                     "VARCHAR(5) utf8mb3\nkey id\n");
    run("ALTER DATABASE d CHARACTER SET euckr");
    CHECK_SLICE(mysql_schema_db_charset(schema, SL("d")), SL("euckr"));
    run("ALTER TABLE t REORGANIZE PARTITION a, b INTO (PARTITION n VALUES LESS THAN (5)), "
        "ALGORITHM=INPLACE");
    run("ALTER TABLE t ADD COLUMN p INT PARTITION BY HASH(id) PARTITIONS 4");
    run("ALTER TABLE t ADD COLUMN q INT, ORDER BY id, v");
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("t"))->column_count, 7);
    run("DROP DATABASE d");
    check_changes("database d. [DROP DATABASE d]\n");
    CHECK_INT(mysql_schema_count(schema), 0);
    close_schema();
}

static void others(void)
{
    open_schema(false);
    run("CREATE TABLE t (id INT)");
    run("CREATE TABLE IF NOT EXISTS t (zzz INT)");
    check_changes("none d.t [CREATE TABLE IF NOT EXISTS t (zzz INT)]\n");
    run("TRUNCATE t");
    check_changes("truncate d.t [TRUNCATE t]\n");
    run("CREATE TEMPORARY TABLE t (x INT)");
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("t"))->columns[0].name.n, 2);
    run("CREATE TABLE a (x INT); CREATE TABLE b (y INT); ");
    check_changes("create d.a [CREATE TABLE a (x INT)]\ncreate d.b [CREATE TABLE b (y INT)]\n");
    CHECK_INT(changes.items[1].statement, 1);
    run("SET character_set_server=latin1, collation_server=latin1_bin");
    run("CREATE TABLE elsewhere.c (v VARCHAR(3))");
    CHECK_SLICE(mysql_schema_find(schema, SL("elsewhere"), SL("c"))->columns[0].charset_name,
                SL("latin1"));
    run("USE elsewhere; CREATE TABLE here (x INT)");
    CHECK(mysql_schema_find(schema, SL("elsewhere"), SL("here")) != NULL);
    run("CREATE TABLE ctas (`id` int NOT NULL, `x` varchar(20) DEFAULT NULL) START TRANSACTION");
    CHECK(mysql_schema_find(schema, SL("d"), SL("ctas")) != NULL);
    run("/*!40101 ALTER TABLE ctas ADD y INT */");
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("ctas"))->column_count, 3);
    run("/*!99999 ALTER TABLE ctas ADD z INT */");
    CHECK_INT(mysql_schema_find(schema, SL("d"), SL("ctas"))->column_count, 3);
    run("CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = 1; DROP TABLE t; END");
    CHECK(mysql_schema_find(schema, SL("d"), SL("t")) != NULL);
    close_schema();
}

static void mariadb(void)
{
    open_schema(true);
    run("CREATE OR REPLACE TABLE a (id INT PRIMARY KEY, v INT)");
    run("CREATE OR REPLACE TABLE a (id BIGINT PRIMARY KEY, w INT DEFAULT (id + 1), u UUID DEFAULT "
        "uuid(), i6 INET6, j JSON, "
        "c VARCHAR(100) COMPRESSED, p INT AS (w) PERSISTENT, s BIGINT DEFAULT NEXT VALUE FOR sq) "
        "WITH SYSTEM VERSIONING");
    CHECK(changes.items[0].before != NULL);
    check_table("a", "id BIGINT not-null\n"
                     "w INT =expr id + 1\n"
                     "u UUID =expr uuid()\n"
                     "i6 INET6\n"
                     "j JSON\n"
                     "c VARCHAR(100) utf8mb4\n"
                     "p INT stored\n"
                     "s BIGINT =expr NEXT VALUE FOR sq\n"
                     "key id\n");
    CHECK(mysql_schema_find(schema, SL("d"), SL("a"))->system_versioned);
    CHECK(mysql_schema_find(schema, SL("d"), SL("a"))->columns[5].compressed);
    run("ALTER TABLE a ADD COLUMN IF NOT EXISTS n INT FIRST, ADD COLUMN IF NOT EXISTS n INT, DROP "
        "COLUMN IF EXISTS nothing, "
        "MODIFY COLUMN IF EXISTS w BIGINT, ADD INDEX IF NOT EXISTS ix (w), DROP u, DROP i6, DROP "
        "j, DROP c, DROP p, DROP s");
    check_table("a", "n INT\nid BIGINT not-null\nw BIGINT\nkey id\n");
    run("SET STATEMENT lock_wait_timeout=10 FOR ALTER TABLE a WAIT 5 COMMENT 'set statement'");
    check_changes("alter d.a [ALTER TABLE a WAIT 5 COMMENT 'set statement']\n");
    run("/*M!100100 ALTER TABLE a ADD m INT */");
    run("/*!50700 ALTER TABLE a ADD no INT */"); /* MySQL's own versions: not for MariaDB */
    check_table("a", "n INT\nid BIGINT not-null\nw BIGINT\nm INT\nkey id\n");
    run("ALTER TABLE IF EXISTS nope ADD x INT");
    run("RENAME TABLE IF EXISTS nope TO nope2, a TO aa");
    CHECK(mysql_schema_find(schema, SL("d"), SL("aa")) != NULL);
    run("CREATE SEQUENCE sq START WITH 100");
    CHECK(mysql_schema_find(schema, SL("d"), SL("sq")) == NULL);
    run("CREATE TABLE v2 (id INT PRIMARY KEY, rs TIMESTAMP(6) GENERATED ALWAYS AS ROW START, re "
        "TIMESTAMP(6) GENERATED "
        "ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (rs, re)) WITH SYSTEM VERSIONING");
    CHECK(mysql_schema_find(schema, SL("d"), SL("v2"))->columns[2].is_row_end);
    close_schema();
}

/* --- errors ----------------------------------------------------------------------------------- */

static void errors(void)
{
    static const struct {
        const char *sql;
        enum err err;
    } rows[] = {
        {"ALTER TABLE nope ADD x INT", E_NOT_FOUND},
        {"ALTER TABLE t DROP COLUMN nope", E_NOT_FOUND},
        {"ALTER TABLE t ADD id INT", E_NOT_FOUND},
        {"ALTER TABLE t ADD y INT AFTER nope", E_NOT_FOUND},
        {"RENAME TABLE nope TO b", E_NOT_FOUND},
        {"CREATE TABLE l LIKE nope", E_NOT_FOUND},
        {"CREATE TABLE s AS SELECT 1 AS one", E_UNSUPPORTED},
        {"CREATE TABLE x (", E_UNSUPPORTED},
        {"CREATE TABLE x (id INT", E_UNSUPPORTED},
        {"CREATE TABLE x (id)", E_UNSUPPORTED},
        {"CREATE TABLE x (a INT, a INT)", E_INVALID},
        {"CREATE TABLE x (a INT, PRIMARY KEY (zz))", E_INVALID},
        {"FROBNICATE TABLE t", E_UNSUPPORTED},
        {"ALTER TABLE", E_UNSUPPORTED},
        {"CREATE TABLE 'x' (id INT)", E_UNSUPPORTED},
        {"DROP TABLE ,", E_UNSUPPORTED},
        {"RENAME TABLE a b", E_UNSUPPORTED},
    };
    open_schema(false);
    run("CREATE TABLE t (id INT)");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error e = {.msg = ""};
        enum err err = run_mode(rows[i].sql, 0, &e);
        CHECK_ERR(err, rows[i].err);
        if (err != rows[i].err)
            CHECK_STR(rows[i].sql, e.msg);
        CHECK(e.msg[0] != '\0');
        check_table("t", "id INT\nkey\n");
    }
    /* what stood before the error is applied, and told */
    struct error e = {.msg = ""};
    CHECK_ERR(run_mode("CREATE TABLE before_it (x INT); FROBNICATE", 0, &e), E_UNSUPPORTED);
    CHECK(mysql_schema_find(schema, SL("d"), SL("before_it")) != NULL);
    CHECK_INT(changes.count, 1);
    CHECK_ERR(run_mode("ALTER TABLE nope ADD x INT", 0, &e), E_NOT_FOUND);
    check_changes("alter d.nope [ALTER TABLE nope ADD x INT]\n");
    CHECK(changes.items[0].after == NULL);
    close_schema();
}

/* Every prefix of a statement ends with an error or a change, never in a crash. */
static void prefixes(void)
{
    static const char sql[] = "CREATE TABLE IF NOT EXISTS d.t (id INT(11) UNSIGNED NOT NULL "
                              "DEFAULT '1' COMMENT 'x', e ENUM('a','b') "
                              "CHARACTER SET latin1, UNIQUE KEY u (id, e(3) DESC), g INT AS (id + "
                              "(2 * 3)) STORED) ENGINE=x COMMENT='y'";
    open_schema(false);
    for (size_t n = 0; n < sizeof sql; n++) {
        struct error e = {.msg = ""};
        char *part = xstrndup(sql, n);
        (void)!run_mode(part, 0, &e);
        mysql_schema_remove(schema, SL("d"), SL("t"));
        mem_free(part);
    }
    close_schema();
}

static void memory(void)
{
    open_schema(false);
    run("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a','b'), UNIQUE (e))");
    bool hit = true;
    for (int64_t n = 1; hit && n < 2000; n++) {
        struct error e = {.msg = ""};
        mem_fail_at(n);
        enum err err =
            run_mode("ALTER TABLE t ADD x VARCHAR(5) DEFAULT 'a''b' AFTER id, ADD KEY (x)", 0, &e);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(err == E_OK || err == E_NOMEM);
        if (err && err != E_NOMEM)
            CHECK_STR(e.msg, "");
        if (err == E_OK)
            run("ALTER TABLE t DROP COLUMN x");
    }
    close_schema();
}

/* --- classification --------------------------------------------------------------------------- */

static void classes(void)
{
    static const struct {
        const char *sql;
        enum ddl_class class;
    } rows[] = {
        {"", DDL_EMPTY},
        {" -- x", DDL_EMPTY},
        {"BEGIN", DDL_BEGIN},
        {"/* c */ begin", DDL_BEGIN},
        {"START TRANSACTION", DDL_BEGIN},
        {"COMMIT", DDL_COMMIT},
        {"commit work", DDL_COMMIT},
        {"ROLLBACK", DDL_ROLLBACK},
        {"ROLLBACK TO `a`", DDL_IGNORED},
        {"SAVEPOINT `a`", DDL_IGNORED},
        {"XA START X'31',X'',1", DDL_XA},
        {"XA COMMIT X'31'", DDL_XA},
        {"INSERT INTO t VALUES (1)", DDL_DML},
        {"UPDATE t SET a=1", DDL_DML},
        {"DELETE FROM t", DDL_DML},
        {"REPLACE INTO t VALUES (1)", DDL_IGNORED},
        {"INSERT INTO mysql.rds_heartbeat2(id, value) values (1,1)", DDL_IGNORED},
        {"TRUNCATE TABLE t", DDL_TRUNCATE},
        {"CREATE TABLE t (id INT)", DDL_STATEMENT},
        {"SET STATEMENT max_statement_time=1 FOR CREATE TABLE t (id INT)", DDL_STATEMENT},
        {"SET character_set_server=latin1", DDL_STATEMENT},
        {"USE `x`", DDL_STATEMENT},
        {"DROP TEMPORARY TABLE IF EXISTS `a` /* generated by server */", DDL_IGNORED},
        {"DROP TABLE `a` /* generated by server */", DDL_STATEMENT},
        {"FLUSH TABLES", DDL_IGNORED},
        {"GRANT ALL ON *.* TO x", DDL_IGNORED},
        {"ANALYZE TABLE t", DDL_IGNORED},
        {"CREATE USER 'a'@'%'", DDL_IGNORED},
        {"CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `v` AS "
         "select 1",
         DDL_IGNORED},
        {"CREATE OR REPLACE VIEW v AS SELECT 1", DDL_IGNORED},
        {"CREATE DEFINER='a'@'b' PROCEDURE p() BEGIN END", DDL_IGNORED},
        {"CREATE DEFINER=CURRENT_USER() TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a=1",
         DDL_IGNORED},
        {"DROP VIEW IF EXISTS v", DDL_IGNORED},
        {"ALTER EVENT e DISABLE", DDL_IGNORED},
        {"# Dummy event replacing event type 160", DDL_EMPTY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum ddl_class got = mysql_ddl_classify(slice_cstr(rows[i].sql), true, NULL);
        CHECK_INT(got, rows[i].class);
        if (got != rows[i].class)
            CHECK_STR("", rows[i].sql);
    }
    struct slice rest;
    CHECK_INT(mysql_ddl_classify(SL("/* c */ SET STATEMENT a=1 FOR DROP TABLE x ;"), true, &rest),
              DDL_STATEMENT);
    CHECK_SLICE(rest, SL("DROP TABLE x ;"));
}

static const struct test_case tests[] = {
    {"numbers", numbers},
    {"strings", strings},
    {"times", times},
    {"syntax", syntax},
    {"keys", keys},
    {"qualified columns", qualified_columns},
    {"alter columns", alter_columns},
    {"alter options", alter_options},
    {"others", others},
    {"mariadb", mariadb},
    {"errors", errors},
    {"prefixes", prefixes},
    {"memory", memory},
    {"classes", classes},
    {NULL, NULL},
};
const struct test_suite test_mysql_ddl = {"cdc/mysql/ddl", tests};
