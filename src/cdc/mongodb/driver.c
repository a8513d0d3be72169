/* cdc/mongodb/driver.c - see driver.h. */
#include "cdc/mongodb/driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define LIBRARY "libmongoc-1.0.so.0"

struct libmongoc_functions libmongoc;
struct libbson_functions libbson;

enum { EXIT_WAIT_S = 1 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the fields below */
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static bool loaded, waits_at_exit;
static unsigned background; /* threads at work */

/* The driver's own lines; it writes no credentials. */
static void on_log(mongoc_log_level_t level, const char *domain, const char *text, void *ctx)
{
    (void)ctx;
    (void)level; /* what matters comes back as an error, too */
    LOG_DEBUG(LOG_CDC_MONGO, "driver: %s: %s", domain, text);
}

struct symbol {
    const char *name;
    void *slot; /* of a function pointer */
};
static const struct symbol symbols[] = {
#define X(name) {"mongoc_" #name, &libmongoc.name},
    MONGOC_FUNCTIONS(X)
#undef X
#define X(name) {"bson_" #name, &libbson.name},
        BSON_FUNCTIONS(X)
#undef X
};

static enum err resolve(void *library, struct error *e)
{
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *f = dlsym(library, symbols[i].name);
        if (!f)
            return error_set(e, E_NOT_FOUND, "%s has no function %s: it is too old or too new",
                             LIBRARY, symbols[i].name);
        memcpy(symbols[i].slot, &f, sizeof f);
    }
    return E_OK;
}

static enum err load(struct error *e)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* for the life of the process */
    if (!library) {
        const char *why = dlerror();
        LOG_INFO(LOG_CDC_MONGO, "%s", why ? why : "");
        error_set(e, E_NOT_FOUND,
                  "the MongoDB C driver (%s) is not installed: apt-get install libmongoc-1.0-0",
                  LIBRARY);
        error_hint(e, "Debian 13, Ubuntu 24.04: libmongoc-1.0-0t64; Fedora: "
                      "mongo-c-driver-libs; no restart of weir is needed");
        return E_NOT_FOUND;
    }
    enum err rc = resolve(library, e);
    if (rc) {
        dlclose(library);
        return rc;
    }
    libmongoc.log_set_handler(on_log, NULL);
    libmongoc.init();
    libmongoc.handshake_data_append("weir", WEIR_VERSION, NULL);
    loaded = true;
    return E_OK;
}

enum err mongo_driver_load(struct error *e)
{
    pthread_mutex_lock(&lock);
    enum err rc = loaded ? E_OK : load(e);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* --- threads that nobody waits for ------------------------------------------------------------ */

struct work {
    void (*fn)(void *arg);
    void *arg;
};

static void *work_thread(void *arg)
{
    struct work w = *(struct work *)arg;
    mem_free(arg);
    w.fn(w.arg);
    pthread_mutex_lock(&lock);
    background--;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* What the driver holds is torn down behind this. A thread that waits for a silent server would
 * still use it: then the process ends without that. */
static void at_exit(int status, void *arg)
{
    struct timespec until;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += EXIT_WAIT_S;
    pthread_mutex_lock(&lock);
    while (background && pthread_cond_timedwait(&ended, &lock, &until) == 0)
        ;
    bool busy = background > 0;
    pthread_mutex_unlock(&lock);
    if (busy) {
        fflush(NULL);
        _exit(status);
    }
}

bool mongo_driver_background(void (*fn)(void *arg), void *arg)
{
    pthread_attr_t detached;
    pthread_t thread;
    struct work *w = xcalloc(1, sizeof *w);
    *w = (struct work){fn, arg};
    pthread_mutex_lock(&lock);
    if (!waits_at_exit)
        waits_at_exit = on_exit(at_exit, NULL) == 0;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    bool ok = pthread_create(&thread, &detached, work_thread, w) == 0;
    pthread_attr_destroy(&detached);
    if (ok)
        background++;
    else
        mem_free(w);
    pthread_mutex_unlock(&lock);
    return ok;
}
