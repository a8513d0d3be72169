/* lab/lab.c - see lab.h. The server's own Host and Origin rules hold: this is one more client of
 * its loopback port. */
#include "lab/lab.h"

#include <stdlib.h>

#include "base/base.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/server.h"
#include "lab/rest_client.h"

#define DEFAULT_WEB "http://127.0.0.1:8080"

static const char usage[] =
    "weir lab - stops and starts brokers of a running `weir server --lab-brokers N`\n"
    "\n"
    "usage: weir lab status                    which brokers run, who leads how much\n"
    "       weir lab stop-broker ID            its listeners close, its leaders move\n"
    "       weir lab start-broker ID           it comes back and is in sync again\n"
    "       weir lab elect                     preferred leaders lead again\n"
    "\n"
    "Options:\n"
    "  --web URL    the server's web page [$WEIR_WEB, else " DEFAULT_WEB "]\n"
    "  --help       this text\n";

static long long number(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static void print_status(const json_t *lab)
{
    size_t i;
    json_t *b;
    puts("BROKER  ADDRESS                STATE     LEADERS  REPLICAS  IN SYNC");
    json_array_foreach(json_object_get(lab, "brokers"), i, b)
    {
        char address[280];
        const char *host = json_string_value(json_object_get(b, "host"));
        snprintf(address, sizeof address, "%s:%lld", host ? host : "", number(b, "port"));
        printf("%-7lld %-22s %-9s %7lld  %8lld  %7lld%s\n", number(b, "id"), address,
               json_is_true(json_object_get(b, "running")) ? "running" : "stopped",
               number(b, "leaders"), number(b, "replicas"), number(b, "inSync"),
               number(b, "id") == number(lab, "controller") ? "  controller" : "");
    }
    printf("%lld partitions; %lld offline, %lld under-replicated, %lld below min.insync.replicas, "
           "%lld not led by their preferred leader\n",
           number(lab, "partitions"), number(lab, "offline"), number(lab, "underReplicated"),
           number(lab, "underMinIsr"), number(lab, "notPreferred"));
}

static int call(const char *web, const char *method, const char *path)
{
    int status = 0;
    json_t *answer = NULL;
    struct error e = {0};
    enum err err = rest_call(web, method, path, NULL, &status, &answer, &e);
    if (!err && status != 200) {
        const char *why = json_string_value(json_object_get(answer, "message"));
        err = error_set(&e, status == 404 ? E_NOT_FOUND : E_CONFLICT, "%s", why ? why : "refused");
    } else if (err == E_IO) {
        error_hint(&e, "is `weir server --lab-brokers 3` running there? --web URL names another");
    }
    if (!err)
        print_status(answer);
    json_decref(answer);
    return err ? exit_status(&e) : EXIT_SUCCESS;
}

static int refuse(const char *text)
{
    struct error e;
    error_set(&e, E_INVALID, "%s", text);
    error_hint(&e, "see weir lab --help");
    return exit_status(&e);
}

int lab_main(int argc, char **argv)
{
    const char *env = getenv("WEIR_WEB"), *web = env && *env ? env : DEFAULT_WEB;
    const char *words[2] = {NULL, NULL};
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (!strcmp(argv[i], "--web") && i + 1 < argc)
            web = argv[++i];
        else if (!strncmp(argv[i], "--web=", 6))
            web = argv[i] + 6;
        else if (n < 2 && argv[i][0] != '-')
            words[n++] = argv[i];
        else
            return refuse("there is an argument too many");
    }
    if (strncmp(web, "http://", 7))
        return refuse("--web takes an address such as " DEFAULT_WEB);
    if (n == 0 || (n == 1 && !strcmp(words[0], "status")))
        return call(web, "GET", "/api/lab");
    if (n == 1 && !strcmp(words[0], "elect"))
        return call(web, "POST", "/api/lab/elect");
    bool start = !strcmp(words[0], "start-broker"), stop = !strcmp(words[0], "stop-broker");
    int64_t id;
    if ((!start && !stop) || n != 2 || slice_to_i64(slice_cstr(words[1]), &id) != E_OK)
        return refuse("weir lab takes status, elect, stop-broker ID or start-broker ID");
    char path[80];
    snprintf(path, sizeof path, "/api/lab/brokers/%lld/%s", (long long)id,
             start ? "start" : "stop");
    return call(web, "POST", path);
}
