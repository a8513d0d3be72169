"""Generated columns that the server leaves out of UPDATE and DELETE images (MariaDB from 11.8.9 on): the values are
those of the INSERT's image, which has them. Older servers send them always; then the same holds trivially."""
from databases import database
from kafka_io import events
from weirproc import wait_until

# name, type, a value, an expression of it and its type
COLUMNS = [
    ("i", "INT", "-7", "`i` * 3", "INT"), ("u", "BIGINT UNSIGNED", "18446744073709551610", "`u` DIV 5", "BIGINT UNSIGNED"),
    ("de", "DECIMAL(12,3)", "-12345.678", "`de` / 3", "DECIMAL(10,2)"), ("f", "FLOAT", "1.1", "`f` * 2", "DOUBLE"),
    ("d", "DOUBLE", "1e-7", "`d` + 1", "DOUBLE"), ("y", "YEAR", "2024", "`y` + 1", "INT"), ("b", "BIT(12)", "b'101010101010'", "`b` + 0", "INT"),
    ("da", "DATE", "'2024-02-29'", "`da` + INTERVAL 1 DAY", "DATE"), ("ti", "TIME(3)", "'-10:11:12.125'", "addtime(`ti`, '1:00:00')", "TIME(3)"),
    ("dt", "DATETIME(6)", "'2018-06-20 06:37:03.123456'", "`dt` + INTERVAL 1 MICROSECOND", "DATETIME(6)"),
    ("l", "VARCHAR(20) CHARACTER SET latin1", "'é€ \\\\ \" '", "concat(ucase(`l`), '\\'x`')", "VARCHAR(30)"),
    ("k", "VARCHAR(20) CHARACTER SET euckr", "'한글'", "concat(`k`, 1)", "VARCHAR(30) CHARACTER SET euckr"),
    ("h", "VARCHAR(20) CHARACTER SET latin1", "'é'", "hex(`h`)", "VARCHAR(30)"),
    ("bl", "BLOB", "X'00FF27'", "concat(`bl`, 'z')", "VARBINARY(20)"), ("tx", "TEXT", "'줄\n바꿈'", "char_length(`tx`)", "INT"),
    ("e", "ENUM('a','나,c')", "'나,c'", "concat(`e`, '!')", "VARCHAR(10)"), ("st", "SET('p','q')", "'p,q'", "`st`", "VARCHAR(10)"),
    ("j", "JSON", "'{\"a\": [1, \"한\"]}'", "json_value(`j`, '$.a[1]')", "VARCHAR(10)"),
    ("uu", "UUID", "'123e4567-e89b-12d3-a456-426614174001'", "cast(`uu` as char(36))", "VARCHAR(40)"),
    ("n", "INT", "NULL", "coalesce(`n`, 5)", "INT"), ("nn", "INT", "NULL", "`nn` + 1", "INT"),
    ("c", "INT", "4", "`g_i` + `c`", "INT"),  # of another generated column
]


def test_images_without_generated_columns(weir):
    with database("mariadb11") as db:
        names = [c[0] for c in COLUMNS]
        table = "CREATE TABLE comp.t (id INT PRIMARY KEY, touched INT DEFAULT 0, " + ", ".join(f"`{n}` {t}" for n, t, *_ in COLUMNS) + ", " + \
            ", ".join(f"g_{n} {gt} AS ({x}) {'STORED' if k % 2 else 'VIRTUAL'}" for k, (n, _, _, x, gt) in enumerate(COLUMNS)) + ")"
        with db.client() as c, c.cursor() as cursor:
            cursor.execute("CREATE DATABASE comp CHARACTER SET utf8mb4")
            cursor.execute(table)
            weir.create_connector("comp", db.connector("comp", database_include_list="comp"))
            weir.wait_running("comp")
            wait_until(lambda: "Connected to binlog" in weir.log())  # the rows are not for the snapshot
            values = ", ".join(c[2] for c in COLUMNS)
            cursor.execute(f"INSERT INTO comp.t (id, {', '.join(f'`{n}`' for n in names)}) VALUES (1, {values}), (2, {values}), (3, {', '.join(['NULL'] * len(names))})")
            cursor.execute("UPDATE comp.t SET touched = id")
            cursor.execute("DELETE FROM comp.t WHERE id <> 2")
        found = [(v["op"], v["before"], v["after"]) for _, v in events(weir.bootstrap, "comp.comp.t", 10) if v is not None]
    assert [op for op, *_ in found] == ["c"] * 3 + ["u"] * 3 + ["d"] * 2
    created = {after["id"]: after for _, _, after in found[:3]}
    assert created[1]["g_i"] == -21 and created[1]["g_c"] == -17 and created[3]["g_n"] == 5
    for op, before, after in found[3:]:
        for image in (before, after):
            if image is not None:
                assert {**image, "touched": 0} == created[image["id"]], op
