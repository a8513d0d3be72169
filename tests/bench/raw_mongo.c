/* tests/bench/raw_mongo.c - the peer of MongoDB's capture: loops of the C driver that only read.
 *
 *   bench-raw_mongo URI find DATABASE COLLECTION    documents a second of a find
 *   bench-raw_mongo URI watch DATA COUNT            events a second of COUNT events of the deployment's change stream behind
 *                                                   the resume token {_data: DATA}, with fullDocument=updateLookup unless a
 *                                                   fourth argument says `plain` */
#include "cdc/mongodb/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* The first and the last byte are touched. */
static unsigned long touch(const bson_t *doc)
{
    const uint8_t *p = libbson.get_data(doc);
    return doc->len + p[0] + p[doc->len - 1];
}

static void run_find(mongoc_client_t *c, const char *db, const char *name)
{
    mongoc_collection_t *coll = libmongoc.client_get_collection(c, db, name);
    bson_t empty;
    const bson_t *doc;
    unsigned long count = 0, sum = 0;
    double start = now();
    libbson.init(&empty);
    mongoc_cursor_t *cursor = libmongoc.collection_find_with_opts(coll, &empty, NULL, NULL);
    for (; libmongoc.cursor_next(cursor, &doc); count++)
        sum += touch(doc);
    printf("%.0f\n", (double)count / (now() - start));
    if (!sum)
        fail("find", "nothing");
    libmongoc.cursor_destroy(cursor);
    libmongoc.collection_destroy(coll);
    libbson.destroy(&empty);
}

static void run_watch(mongoc_client_t *c, const char *data, unsigned long wanted, bool plain)
{
    bson_t pipeline, opts, token;
    const bson_t *doc;
    unsigned long count = 0, sum = 0;
    libbson.init(&pipeline);
    libbson.init(&opts);
    libbson.append_document_begin(&opts, "resumeAfter", -1, &token);
    libbson.append_utf8(&token, "_data", -1, data, -1);
    libbson.append_document_end(&opts, &token);
    if (!plain)
        libbson.append_utf8(&opts, "fullDocument", -1, "updateLookup", -1);
    mongoc_change_stream_t *s = libmongoc.client_watch(c, &pipeline, &opts);
    double start = 0;
    while (count < wanted) {
        const bson_t *why;
        bson_error_t e;
        if (libmongoc.change_stream_next(s, &doc)) {
            if (count++ == 0)
                start = now();
            sum += touch(doc);
        } else if (libmongoc.change_stream_error_document(s, &e, &why)) {
            fail("watch", e.message);
        }
    }
    printf("%.0f\n", (double)(count - 1) / (now() - start));
    if (!sum)
        fail("watch", "nothing");
    libmongoc.change_stream_destroy(s);
    libbson.destroy(&pipeline);
    libbson.destroy(&opts);
}

int main(int argc, char **argv)
{
    struct error e = {0};
    bson_error_t be = {0};
    if (argc < 5)
        fail(argv[0], "URI find DATABASE COLLECTION | URI watch DATA COUNT [plain]");
    if (mongo_driver_load(&e))
        fail(argv[0], e.msg);
    mongoc_uri_t *uri = libmongoc.uri_new_with_error(argv[1], &be);
    mongoc_client_t *c = uri ? libmongoc.client_new_from_uri_with_error(uri, &be) : NULL;
    if (!c)
        fail(argv[1], be.message);
    if (argv[2][0] == 'f')
        run_find(c, argv[3], argv[4]);
    else
        run_watch(c, argv[3], strtoul(argv[4], NULL, 10), argc > 5);
    libmongoc.client_destroy(c);
    libmongoc.uri_destroy(uri);
    return 0;
}
