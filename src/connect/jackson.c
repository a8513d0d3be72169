/* connect/jackson.c - see the header. The reader's own reason and the byte where it stopped are
 * enough to tell which complaint Jackson would have had. */
#include "connect/jackson.h"

#define VALUE_TOKENS "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$';
}

static bool top_is_object(const struct json_reader *r)
{
    unsigned i = r->depth ? r->depth - 1 : 0;
    return r->depth && (r->in_object[i / 64] >> i % 64 & 1);
}

static void end_of_input(const struct json_reader *r, char *out, size_t room)
{
    const char *last = r->at;
    while (last > r->start && (uint8_t)last[-1] <= ' ')
        last--;
    const char *kind = top_is_object(r) ? "Object" : "Array";
    if (!r->depth)
        snprintf(out, room, "No content to map due to end-of-input");
    else if (last > r->start && (last[-1] == ':' || last[-1] == ','))
        snprintf(out, room, "Unexpected end-of-input within/between %s entries", kind);
    else
        snprintf(out, room,
                 "Unexpected end-of-input: expected close marker for %s (start marker at [Source])",
                 kind);
}

static void bad_token(const struct json_reader *r, char *out, size_t room)
{
    const char *p = r->at;
    while (p < r->end && p - r->at < 100 && word_char(*p))
        p++;
    if (p > r->at)
        snprintf(out, room, "Unrecognized token '%.*s': was expecting " VALUE_TOKENS,
                 (int)(p - r->at), r->at);
    else
        snprintf(out, room,
                 "Unexpected character ('%c' (code %u)): expected a valid value " VALUE_TOKENS,
                 (uint8_t)*r->at < 0x80 ? *r->at : '?', (unsigned)(uint8_t)*r->at);
}

void jackson_complaint(const struct json_reader *r, char *out, size_t room)
{
    static const struct {
        const char *what, *jackson;
    } expected[] = {
        {"a member's name in quotes was expected",
         "was expecting double-quote to start field name"},
        {"':' was expected", "was expecting a colon to separate field name and value"},
        {"',' or '}' was expected", "was expecting comma to separate Object entries"},
        {"',' or ']' was expected", "was expecting comma to separate Array entries"},
    };
    const char *what = r->what ? r->what : "Unexpected end-of-input";
    if (r->at >= r->end && r->err == E_INVALID && !strstr(what, "string")) {
        end_of_input(r, out, room);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        if (strcmp(what, expected[i].what) == 0) {
            snprintf(out, room, "Unexpected character ('%c' (code %u)): %s",
                     (uint8_t)*r->at < 0x80 ? *r->at : '?', (unsigned)(uint8_t)*r->at,
                     expected[i].jackson);
            return;
        }
    }
    if (strcmp(what, "unexpected word") == 0 || strcmp(what, "unexpected character") == 0) {
        bad_token(r, out, room);
        return;
    }
    snprintf(out, room, "%s", what);
    if (*out >= 'a' && *out <= 'z')
        *out = (char)(*out - 'a' + 'A');
}

void jackson_where(const struct json_reader *r, const char *source, char *out, size_t room)
{
    unsigned line, column;
    jr_position(r, &line, &column);
    snprintf(out, room, "\n at [Source: (%s); line: %u, column: %u]", source, line, column);
}
