/* connect/transforms/field_path.c - see the header. A backquote opens a name only where a name
 * begins, and closes it only before a dot or the end; a backslash before it keeps it. */
#include "connect/transforms/field_path.h"

#include "base/mem.h"

static void add_step(struct field_path *p, struct slice name)
{
    p->steps = xrealloc(p->steps, (p->count + 1) * sizeof *p->steps);
    char *copy = slice_dup(name);
    p->steps[p->count++] = slice_of(copy, name.n);
}

/* The name up to its closing backquote; text begins behind the opening one. */
static bool quoted_step(struct slice *text, struct strbuf *name)
{
    for (size_t i = 0; i < text->n; i++) {
        char c = text->p[i];
        if (c == '\\' && i + 1 < text->n && text->p[i + 1] == '`') {
            strbuf_addc(name, '`');
            i++;
        } else if (c == '`' && (i + 1 == text->n || text->p[i + 1] == '.')) {
            *text = slice_sub(*text, MIN(i + 2, text->n), text->n);
            return true;
        } else {
            strbuf_addc(name, c);
        }
    }
    return false;
}

enum err field_path_parse(struct field_path *p, struct slice text, bool v2, struct error *e)
{
    struct slice whole = text;
    struct strbuf name = STRBUF_INIT;
    enum err rc = E_OK;
    *p = (struct field_path){0};
    if (!v2)
        add_step(p, text.p ? text : SL(""));
    while (v2 && text.n && rc == E_OK) {
        strbuf_reset(&name);
        if (text.p[0] == '`') {
            text = slice_sub(text, 1, text.n);
            if (!quoted_step(&text, &name))
                rc = error_set(e, E_INVALID,
                               "org.apache.kafka.common.config.ConfigException: Incomplete "
                               "backtick pair in path: [" PRI_SL "]",
                               ARG_SL(whole));
        } else {
            size_t n = 0;
            while (n < text.n && text.p[n] != '.')
                n++;
            strbuf_add_slice(&name, slice_sub(text, 0, n));
            text = slice_sub(text, MIN(n + 1, text.n), text.n);
        }
        if (rc == E_OK)
            add_step(p, strbuf_slice(&name));
    }
    strbuf_release(&name);
    return rc;
}

void field_path_release(struct field_path *p)
{
    for (size_t i = 0; i < p->count; i++)
        mem_free((char *)(uintptr_t)p->steps[i].p);
    mem_free(p->steps);
    *p = (struct field_path){0};
}
