/* tests/unit/broker/security/test_principal_rules.c - ssl.principal.mapping.rules. SPEC: broker 11.2 */
#include "broker/security/principal_rules.h"

#include "base/base.h"
#include "helpers.h"

#define SUBJECT "CN=Duke,OU=ServiceUsers,O=Org,C=US"

static void check(const char *rules, const char *subject, const char *want)
{
    struct principal_rules *r;
    struct error e;
    struct strbuf out = STRBUF_INIT;
    CHECK_OK(principal_rules_parse(&r, slice_cstr(rules), &e));
    enum err result = principal_rules_apply(r, slice_cstr(subject), &out);
    if (want) {
        CHECK_OK(result);
        CHECK_STR(out.p, want);
    } else {
        CHECK_ERR(result, E_NOT_FOUND);
    }
    strbuf_release(&out);
    principal_rules_free(r);
}

static void test_rules(void)
{
    check("", SUBJECT, SUBJECT);
    check("DEFAULT", SUBJECT, SUBJECT);
    check("RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/", SUBJECT, "Duke");
    check("RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, DEFAULT", SUBJECT, "duke");
    check("RULE:^CN=(.*?),OU=(.*?),O=(.*?),C=(.*?)$/$1@$2/U", SUBJECT, "DUKE@SERVICEUSERS");
    check("RULE:^CN=(.*?),OU=Admins.*$/$1/ , RULE:^.*O=(\\w+).*$/org \\$ $1/", SUBJECT,
          "org $ Org");
    check("RULE:CN=Duke/x/", SUBJECT, NULL); /* the whole subject must match */
    check("RULE:CN=Duke/x/,DEFAULT", SUBJECT, SUBJECT);
    check("RULE:^CN=a\\/b$/c\\/d/", "CN=a/b", "c/d");
}

static void test_broken(void)
{
    static const char *const bad[] = {
        "RULE:",           "RULE:a",  "RULE:a/b",   "RULE:(/b/",
        "DEFAULT DEFAULT", "default", "RULE:a/b/X", "RULE:a/b/L;DEFAULT"};
    struct principal_rules *r;
    struct error e;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(principal_rules_parse(&r, slice_cstr(bad[i]), &e), E_INVALID);
}

static const struct test_case tests[] = {
    {"rules", test_rules},
    {"broken rules", test_broken},
    {NULL, NULL},
};
const struct test_suite test_principal_rules = {"broker/security/principal_rules", tests, NULL,
                                                NULL};
