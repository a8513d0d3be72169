/* cdc/failure.c - traces of failed tasks. */
#include "cdc/failure.h"

#define STOPPED                                                                                    \
    "org.apache.kafka.connect.errors.ConnectException: An exception occurred in the change event " \
    "producer. This connector will be stopped."
#define DEBEZIUM "io.debezium.DebeziumException: "

static enum err rewrite(struct error *e, enum err code, const char *text)
{
    if (!e)
        return code;
    size_t n = MIN(strlen(text), sizeof e->msg - 1); /* a very long text loses its end */
    memcpy(e->msg, text, n);
    e->msg[n] = '\0';
    if (e->code == E_OK)
        e->code = code;
    return e->code;
}

enum err failure_at_start(struct error *e, enum err code)
{
    char text[sizeof e->msg + 512];
    snprintf(text, sizeof text, DEBEZIUM "%s", e ? e->msg : "");
    return rewrite(e, code, text);
}

enum err failure_in_snapshot(struct error *e, enum err code)
{
    char text[2 * sizeof e->msg + 512];
    const char *m = e ? e->msg : "";
    snprintf(text, sizeof text,
             STOPPED "\nCaused by: " DEBEZIUM DEBEZIUM "%s\nCaused by: " DEBEZIUM "%s", m, m);
    return rewrite(e, code, text);
}

enum err failure_in_event(struct error *e, enum err code)
{
    char text[sizeof e->msg + 512];
    snprintf(text, sizeof text,
             STOPPED "\nCaused by: " DEBEZIUM "Error processing binlog event\nCaused by: " DEBEZIUM
                     "%s",
             e ? e->msg : "");
    return rewrite(e, code, text);
}

enum err failure_in_stream(struct error *e, enum err code)
{
    char text[sizeof e->msg + 512];
    snprintf(text, sizeof text, STOPPED "\nCaused by: " DEBEZIUM "%s", e ? e->msg : "");
    return rewrite(e, code, text);
}

enum err failure_from_server(struct error *e, enum err code, const char *sqlstate)
{
    char text[2 * sizeof e->msg + 512];
    const char *m = e ? e->msg : "";
    snprintf(text, sizeof text,
             STOPPED "\nCaused by: " DEBEZIUM "%s Error code: %d; SQLSTATE: %s.\nCaused by: "
                     "com.github.shyiko.mysql.binlog.network.ServerException: %s",
             m, e ? e->sys : 0, sqlstate, m);
    return rewrite(e, code, text);
}
