/* cdc/bson/bson_pretty.c - see the header. */
#include "cdc/bson/bson_pretty.h"

#include "base/json.h"

/* Compact text with line ends and two spaces a level. */
static void add_pretty(struct slice json, struct strbuf *out)
{
    bool in_text = false;
    unsigned level = 0;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
        if (in_text || !(opens || closes || c == ',')) {
            strbuf_addc(out, c);
            if (c == '\\')
                strbuf_addc(out, json.p[++i]); /* never the last: the text's quote follows */
            else if (c == '"')
                in_text = !in_text;
            continue;
        }
        if (opens && (json.p[i + 1] == '}' || json.p[i + 1] == ']')) {
            strbuf_add(out, json.p + i++, 2);
            continue;
        }
        level = opens ? level + 1 : closes ? level - 1 : level;
        if (!closes)
            strbuf_addc(out, c);
        strbuf_addc(out, '\n');
        for (unsigned k = 0; k < level; k++)
            strbuf_add(out, "  ", 2);
        if (closes)
            strbuf_addc(out, c);
    }
}

void bson_print_pretty(const struct bson_item *i, enum bson_json_mode mode, bool esc,
                       struct strbuf *out)
{
    struct strbuf compact = STRBUF_INIT, pretty = STRBUF_INIT;
    bson_json_print_item(i, (struct bson_json_form){mode, BSON_JSON_COMPACT}, &compact);
    add_pretty(strbuf_slice(&compact), esc ? &pretty : out);
    if (esc)
        json_add_escaped(out, strbuf_slice(&pretty));
    enum err failed = compact.failed ? compact.failed : pretty.failed;
    if (failed && !out->failed)
        out->failed = failed;
    strbuf_release(&compact);
    strbuf_release(&pretty);
}
