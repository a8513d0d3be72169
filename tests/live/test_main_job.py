"""The main job: a row changed in a real MariaDB is an event in a topic; repeated with the sanitizer builds."""
import pytest

from kafka_io import events, producer, read_all
from weirproc import Weir


@pytest.mark.sanitizer
def test_a_changed_row_is_an_event(mariadb, weir):
    mariadb.sql("DROP DATABASE IF EXISTS main_job;\nCREATE DATABASE main_job CHARACTER SET utf8mb4;\nUSE main_job;\n"
                "CREATE TABLE customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80), credit DECIMAL(10,2), since DATE);\n"
                "INSERT INTO customers (name, credit, since) VALUES ('first', 10.50, '2024-02-29'), ('둘째', NULL, NULL)")
    weir.create_connector("main", mariadb.connector("m", database_include_list="main_job", decimal_handling_mode="string"))
    weir.wait_running("main")
    found = events(weir.bootstrap, "m.main_job.customers", 2)
    assert [v["op"] for _, v in found] == ["r", "r"]
    assert found[0][1]["after"] == {"id": 1, "name": "first", "credit": "10.50", "since": 19782}
    assert found[1][1]["after"] == {"id": 2, "name": "둘째", "credit": None, "since": None}
    mariadb.sql("INSERT INTO main_job.customers (name) VALUES ('third');\nUPDATE main_job.customers SET credit = 1 WHERE id = 3;\n"
                "DELETE FROM main_job.customers WHERE id = 1;\nALTER TABLE main_job.customers ADD COLUMN note TEXT;\n"
                "UPDATE main_job.customers SET note = 'new column' WHERE id = 2")
    found = events(weir.bootstrap, "m.main_job.customers", 7)[2:]
    assert [(k["id"], v and v["op"]) for k, v in found] == [(3, "c"), (3, "u"), (1, "d"), (1, None), (2, "u")]
    assert found[1][1]["before"]["credit"] is None and found[1][1]["after"]["credit"] == "1.00"
    assert found[4][1]["after"]["note"] == "new column"


@pytest.mark.sanitizer
def test_it_goes_on_after_a_restart(mariadb):
    mariadb.sql("DROP DATABASE IF EXISTS goes_on;\nCREATE DATABASE goes_on;\nCREATE TABLE goes_on.t (id INT PRIMARY KEY, v INT);\n"
                "INSERT INTO goes_on.t VALUES (1, 1)")
    with Weir() as w:
        w.create_connector("again", mariadb.connector("again", database_include_list="goes_on"))
        events(w.bootstrap, "again.goes_on.t", 1)
        mariadb.sql("UPDATE goes_on.t SET v = 2")
        events(w.bootstrap, "again.goes_on.t", 2)
        w.stop()
        mariadb.sql("UPDATE goes_on.t SET v = 3;\nINSERT INTO goes_on.t VALUES (2, 1)")
        w.start()
        found = events(w.bootstrap, "again.goes_on.t", 4)
        assert [(k["id"], v["op"], v["after"]["v"]) for k, v in found] == [(1, "r", 1), (1, "u", 2), (1, "u", 3), (2, "c", 1)]


@pytest.mark.sanitizer
def test_produce_and_consume(weir):
    p = producer(weir.bootstrap, linger_ms=1)
    for i in range(2000):
        p.produce("plain", b"value %d" % i, key=b"%d" % (i % 7))
    assert p.flush(30) == 0
    assert sorted(int(m.value().split()[1]) for m in read_all(weir.bootstrap, "plain", 2000)) == list(range(2000))
