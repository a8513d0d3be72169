"""Runs within a network namespace of its own, whose hosts file names the course's three MongoDB members. Arguments: the
course note, the weir program, mongod, a directory. Prints OK at the end. Started by test_note_000.py."""
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pymongo

from kafka_io import events
from weirproc import wait_until

note, weir, mongod, directory = sys.argv[1:5]
MEMBERS = ("mongo_primary", "mongo_secondary1", "mongo_secondary2")
NAME, TOPIC = "debezium-for-mongodb-cdc-secondary1", "mongodb.shop.product"


def block(text, language, word):
    """A block of the note, byte for byte."""
    return next(b for b in re.findall(rf"```{language}\n(.*?)```", text, re.S) if word in b)


def rest(method, path, body=None):
    request = urllib.request.Request("http://localhost:8083" + path, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, json.loads(answer.read())


def payload(number):
    return events("localhost:9092", TOPIC, number, 60)[number - 1][1]["payload"]


def main():
    text = open(note).read()
    servers = []
    for i, name in enumerate(MEMBERS):
        os.makedirs(f"{directory}/{name}")
        with open(f"{directory}/{name}.log", "wb") as log:
            servers.append(subprocess.Popen([mongod, "--dbpath", f"{directory}/{name}", "--replSet", "mongo-replica", "--bind_ip", f"127.0.0.{i + 1}",
                                             "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"], stdout=log, stderr=log))
    process = None
    try:
        hosts = re.findall(r'_id: (\d+), host: "(\w+)"', block(text, "js", "rs.initiate"))
        assert [h for _, h in hosts] == list(MEMBERS), hosts
        for _, host in hosts:  # who is asked to initiate asks the others, once
            with pymongo.MongoClient(host, directConnection=True, serverSelectionTimeoutMS=60000) as one:
                one.admin.command("ping")
        with pymongo.MongoClient("mongo_primary", directConnection=True, serverSelectionTimeoutMS=60000) as first:
            first.admin.command("replSetInitiate", {"_id": "mongo-replica", "members": [{"_id": int(i), "host": h} for i, h in hosts]})
        client = pymongo.MongoClient("mongo_secondary1", replicaSet="mongo-replica", serverSelectionTimeoutMS=60000, w="majority")
        client.admin.command("createUser", "jjangu", pwd="wow", roles=["root"])
        client.shop.product.insert_one({"_id": 1, "name": "keyboard", "price": 100})
        with open(f"{directory}/weir.log", "wb") as log:
            process = subprocess.Popen([weir, "server", "--data-dir", f"{directory}/weir"], stdout=subprocess.PIPE, stderr=log)
        process.stdout.readline()
        status, created = rest("POST", "/connectors", block(text, "json", "MongoDbConnector").encode())
        assert status == 201 and created["name"] == NAME, (status, created)
        assert payload(1)["op"] == "r" and json.loads(payload(1)["after"])["price"] == 100, payload(1)
        client.shop.product.update_one({"_id": 1}, {"$set": {"price": 120}})
        change = payload(2)
        assert (change["op"], change["before"], json.loads(change["after"])["price"]) == ("u", None, 120), change
        # what the note does about `before`
        status, patched = rest("PATCH", f"/connectors/{NAME}/config", block(text, "json", "capture.mode").encode())
        assert status == 200 and patched["config"]["capture.mode"] == "change_streams_update_full_with_pre_image", patched
        assert block(text, "sh", 'collMod: "category"').strip() == 'db.runCommand({collMod: "category", changeStreamPreAndPostImages: {enabled: true}})'
        client.shop.command("collMod", "product", changeStreamPreAndPostImages={"enabled": True})
        time.sleep(1)
        client.shop.product.update_one({"_id": 1}, {"$set": {"price": 130}})
        change = payload(3)
        assert (change["op"], json.loads(change["before"])["price"], json.loads(change["after"])["price"]) == ("u", 120, 130), change
        client.shop.product.delete_one({"_id": 1})
        change = payload(4)
        assert (change["op"], json.loads(change["before"])["price"], change["after"]) == ("d", 130, None), change
        wait_until(lambda: rest("GET", f"/connectors/{NAME}/status")[1]["tasks"][0]["state"] == "RUNNING", 20)
        assert b"wow" not in open(f"{directory}/weir.log", "rb").read()
        client.close()
        print("OK")
    finally:
        for p in [process, *servers]:
            if p:
                p.terminate()
        for p in [process, *servers]:
            if p:
                p.wait(60)


main()
