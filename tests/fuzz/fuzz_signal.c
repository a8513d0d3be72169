/* tests/fuzz/fuzz_signal.c - signals: what a row of the signal table, a record of the signal topic or
 * a line of the signal file says, and what of them was stored in an offset.
 *
 * The first byte chooses: 0 the data of a signal, whose type is the next line; 1 a signal as one JSON
 * object; 2 an offset with an incremental snapshot in it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "cdc/incremental.h"
#include "cdc/signal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* All that is done with a request. */
static void use(const struct signal_request *r)
{
    struct strbuf text = STRBUF_INIT;
    signal_message(r, SL("{\"file\":\"{}\"}"), &text);
    for (size_t i = 0; i < r->collection_count; i++) {
        check(r->collections[i].n > 0);
        (void)signal_names(r->collections[i], SL("db.table"));
        (void)signal_filter(r, r->collections[i]);
    }
    for (size_t i = 0; i < r->condition_count; i++)
        check(r->conditions[i].filter.n > 0);
    (void)signal_filter(r, SL("db.table"));
    if (r->type == SIGNAL_EXECUTE)
        check(r->collection_count > 0);
    strbuf_release(&text);
}

/* A signal that was read can be stored and reads back equal. */
static void parse(const struct signal *s, struct arena *a)
{
    struct signal_request r;
    struct signal again;
    struct strbuf text = STRBUF_INIT;
    if (signal_parse(s, a, &r) == E_OK) {
        use(&r);
        signal_to_json(s, &text);
        if (signal_from_json(strbuf_slice(&text), a, &again, NULL) == E_OK && s->id.n) {
            check(slice_eq(again.type, s->type) && slice_eq(again.id, s->id));
            check(signal_parse(&again, a, &r) == E_OK);
        }
    }
    strbuf_release(&text);
}

static void read_data(struct slice text, struct arena *a)
{
    struct slice type;
    if (!slice_split(&text, '\n', &type))
        return;
    struct signal s = {.id = SL("id"), .type = type, .data = text};
    parse(&s, a);
}

static void read_object(struct slice text, struct arena *a)
{
    struct signal s;
    if (signal_from_json(text, a, &s, NULL) != E_OK)
        return;
    check(s.type.n > 0 && s.id.n > 0);
    parse(&s, a);
}

/* What an offset says about a snapshot is printed as it was, and never makes more than it says. */
static void read_offset(struct slice text)
{
    static const struct incremental_ops none = {0};
    struct incremental inc, again;
    struct notifier notes = {0};
    json_t *root = NULL;
    struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
    if (json_load_slice(text, &root, NULL))
        return;
    incremental_init(&inc, &none, NULL, &notes);
    incremental_init(&again, &none, NULL, &notes);
    incremental_restore(&inc, root);
    json_decref(root);
    strbuf_adds(&one, "{\"x\":1");
    incremental_print(&inc, &one);
    strbuf_addc(&one, '}');
    if (json_load_slice(strbuf_slice(&one), &root, NULL) == E_OK) {
        incremental_restore(&again, root);
        json_decref(root);
        strbuf_adds(&two, "{\"x\":1");
        incremental_print(&again, &two);
        strbuf_addc(&two, '}');
        check(slice_eq(strbuf_slice(&one), strbuf_slice(&two)));
    }
    incremental_release(&inc);
    incremental_release(&again);
    strbuf_release(&one);
    strbuf_release(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    if (!size)
        return 0;
    (void)!log_set_level("root", LOG_L_OFF);
    struct slice text = slice_of((const char *)data + 1, size - 1);
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    if (data[0] % 3 == 0)
        read_data(text, &a);
    else if (data[0] % 3 == 1)
        read_object(text, &a);
    else
        read_offset(text);
    arena_release(&a);
    return 0;
}
