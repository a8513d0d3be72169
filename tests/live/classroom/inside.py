"""Runs within a network namespace of its own, whose hosts file names the course's hosts. Arguments: the course
note, the weir program, db.sh, a directory. Prints OK at the end. Started by test_note_000.py."""
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pymysql

note, weir, db_script, directory = sys.argv[1:5]


def connector_json(text):
    """The MySQL connector's JSON, byte for byte as in the note."""
    for block in re.findall(r"```json\n(.*?)```", text, re.S):
        if "MySqlConnector" in block:
            return block.encode()
    raise AssertionError("the note has no MySQL connector")


def rest(method, path, body=None):
    request = urllib.request.Request("http://localhost:8083" + path, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, json.loads(answer.read())


def main():
    subprocess.run([db_script, "start", "mysql", f"{directory}/mysql", "3306"], check=True, stdout=subprocess.DEVNULL)
    server = pymysql.connect(host="mysql", port=3306, user="root", password="", autocommit=True)
    with server.cursor() as c:
        c.execute("CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY 'hello'")
        c.execute("GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION")
        c.execute("ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY 'hello'")
        c.execute("CREATE DATABASE kafkacdc")
        c.execute("CREATE TABLE kafkacdc.product (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100), price INT)")
        c.execute("INSERT INTO kafkacdc.product (name, price) VALUES ('keyboard', 100)")
    with open(f"{directory}/weir.log", "wb") as log:
        process = subprocess.Popen([weir, "server", "--data-dir", f"{directory}/weir"], stdout=subprocess.PIPE, stderr=log)
    try:
        process.stdout.readline()
        status, created = rest("POST", "/connectors", connector_json(open(note).read()))
        assert status == 201 and created["name"] == "debezium-for-cdc", (status, created)
        from kafka_io import events
        topic = "cdc-server-1.kafkacdc.product"
        found = events("broker-1:9092", topic, 1, 40)
        assert found[0][1]["payload"]["op"] == "r", found
        with server.cursor() as c:
            c.execute("UPDATE kafkacdc.product SET price = 120 WHERE id = 1")
        change = events("broker-1:9092", topic, 2, 40)[1][1]["payload"]
        assert (change["op"], change["before"]["price"], change["after"]["price"]) == ("u", 100, 120), change
        states = rest("GET", "/connectors/debezium-for-cdc/status")[1]
        assert states["connector"]["state"] == states["tasks"][0]["state"] == "RUNNING", states
        print("OK")
    finally:
        process.terminate()
        process.wait(20)
        subprocess.run([db_script, "stop", f"{directory}/mysql"], check=False)


main()
