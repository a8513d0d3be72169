/* tests/fuzz/fuzz_sasl.c - tokens of every SASL mechanism, the text of sasl.jaas.config, mapping
 * rules. First byte: which; the rest, cut at each 0xff: one token after the other. Besides memory
 * errors it looks for a client that gets in without a password. */
#include <stdlib.h>

#include "base/strmap.h"
#include "broker/security/jaas.h"
#include "broker/security/principal_rules.h"
#include "broker/security/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tokens(const struct sasl_rules *r, enum sasl_mechanism m, struct slice rest)
{
    struct sasl_session s;
    struct error why;
    struct slice token;
    enum sasl_result result = SASL_MORE;
    sasl_begin(&s, r, m, false);
    for (int i = 0; i < 4 && result == SASL_MORE && rest.p && slice_split(&rest, '\xff', &token);
         i++) {
        struct strbuf out = STRBUF_INIT;
        result = sasl_step(&s, token, 1700000000000, &out, &why);
        strbuf_release(&out);
    }
    if (result == SASL_DONE && m != SASL_OAUTHBEARER)
        abort(); /* its password is not in any corpus */
    sasl_end(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sasl_rules r;
    struct error e;
    if (size == 0)
        return 0;
    if (r.plain_users.count == 0) {
        sasl_rules_init(&r);
        if (sasl_rules_jaas(&r, SASL_PLAIN,
                            SL("m required user_a=\"6c1f0b62-9d6a-4b1e-8d09-3f7a8f6f3b0c\";"),
                            &e) != E_OK)
            abort();
    }
    struct slice rest = slice_of(data + 1, size - 1);
    if (data[0] % 6 < SASL_MECHANISMS) {
        tokens(&r, (enum sasl_mechanism)(data[0] % 6), rest);
    } else if (data[0] % 6 == 4) {
        struct strmap m;
        (void)!jaas_parse(rest, NULL, &m, &e);
        strmap_release(&m);
    } else {
        struct principal_rules *rules;
        struct slice text = SL("");
        slice_split(&rest, '\xff', &text);
        if (principal_rules_parse(&rules, text, &e) == E_OK) {
            struct strbuf out = STRBUF_INIT;
            if (rest.p && slice_is_utf8(rest))
                (void)!principal_rules_apply(rules, rest, &out);
            strbuf_release(&out);
            principal_rules_free(rules);
        }
    }
    return 0;
}
