/* cli/runtime.h - the whole of weir in one process: start order, the start-up block, stop order.
 * Thread: main. */
#ifndef WEIR_CLI_RUNTIME_H
#define WEIR_CLI_RUNTIME_H

#include "base/err.h"
#include "cli/server_options.h"
#include "connect/connector.h"

struct connect;
struct runtime;
/* Starts database, broker, Connect worker and web page, in this order; on failure nothing keeps
 * running and e says what to do. Signals must have been blocked (runtime_block_signals) before. */
enum err runtime_start(struct runtime **out, struct server_config *c,
                       const struct connect_plugins *const *plugins, struct error *e) MUST_CHECK;
/* What would make runtime_start fail at once: somebody else has the data directory, or a port. Makes
 * and holds nothing; for those who build something first. */
enum err runtime_check(const struct server_config *c, struct error *e) MUST_CHECK;
/* The reverse: no new work, tasks flush and store offsets, clients are answered, logs are closed
 * with the clean mark, then the database. */
void runtime_stop(struct runtime *r);

struct runtime_addresses {
    const char *data_dir;
    char kafka[280];             /* localhost:9092 */
    char connect[280], web[280]; /* http://127.0.0.1:8083 */
    char metrics[8][280];        /* further ones; "" beyond the last */
    int kafka_port, connect_port, web_port;
    int64_t start_ms; /* from process start to ready */
};
const struct runtime_addresses *runtime_addresses(const struct runtime *r);
struct connect *runtime_connect(const struct runtime *r);
/* Appends "weir VERSION, ready in N ms", data directory and the three URLs: a line each. */
void runtime_banner(const struct runtime *r, struct strbuf *out);

/* SIGINT, SIGTERM and SIGHUP are blocked in all threads and taken by runtime_wait_signal in main;
 * SIGPIPE is ignored. */
void runtime_block_signals(void);
/* Waits for a signal up to ms (-1: for ever). 0: time is up. */
int runtime_wait_signal(int64_t ms);
/* From now on a second signal ends the process at once (during a stop that takes long). */
void runtime_hurry_signals(void);

#endif
