/* cdc/mongodb/driver.c - see driver.h. */
#include "cdc/mongodb/driver.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/log.h"

#define LIBRARY "libmongoc-1.0.so.0"

struct libmongoc_functions libmongoc;
struct libbson_functions libbson;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the fields below */
static bool loaded;

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
