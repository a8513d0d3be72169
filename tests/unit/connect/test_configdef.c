/* What a validation says about one option: its value, and its errors in Kafka's words. */
#include "connect/configdef.h"

#include "base/log_tap.h"
#include "base/mem.h"
#include "connect/file_sink.h"
#include "connect/file_source.h"
#include "helpers.h"

static struct registry registry;

static int setup(void)
{
    registry_init(&registry, NULL);
    return 0;
}

static struct strbuf told = STRBUF_INIT; /* by the log */

static int teardown(void)
{
    strbuf_release(&told);
    registry_release(&registry);
    return 0;
}

/* Lines "key=value" on top of a file source that is right. */
static void validate(struct config_errors *v, const char *lines)
{
    struct strmap config = STRMAP_INIT, worker = STRMAP_INIT;
    struct slice rest = slice_cstr(lines), line, key;
    struct error e = {0};
    strmap_set(&config, SL("name"), SL("x"));
    strmap_set(&config, SL("connector.class"), SL("FileStreamSource"));
    strmap_set(&config, SL("topic"), SL("t"));
    while (slice_split(&rest, '\n', &line))
        if (slice_split(&line, '=', &key) && key.n)
            strmap_set(&config, key, line);
    strmap_set(&worker, SL("key.converter"), SL("org.apache.kafka.connect.json.JsonConverter"));
    CHECK_INT(config_validate(v, &registry, &worker, &config, &file_source_connector, &e), E_OK);
    strmap_release(&config);
    strmap_release(&worker);
}

static const struct config_item *item(const struct config_errors *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++)
        if (slice_eq_c(v->items[i].name, name))
            return &v->items[i];
    return NULL;
}

static char *shown(const struct config_item *i)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_addf(&b, PRI_SL, ARG_SL(i && i->value.p ? i->value : SL("null")));
    for (size_t k = 0; i && k < i->error_count; k++)
        strbuf_addf(&b, " | " PRI_SL, ARG_SL(i->errors[k]));
    return strbuf_steal(&b, NULL);
}

struct value_case {
    const char *lines, *option, *want; /* "VALUE | ERROR ..." */
};

static void run(const struct value_case *cases, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        struct config_errors v;
        validate(&v, cases[k].lines);
        char *got = shown(item(&v, cases[k].option));
        CHECK_STR(got, cases[k].want);
        mem_free(got);
        config_errors_release(&v);
    }
}

/* What does not parse has no value; what a check does not like keeps it. */
static void test_values(void)
{
    static const struct value_case cases[] = {
        {"tasks.max= +7 ", "tasks.max", "7"},
        {"tasks.max=-1", "tasks.max",
         "-1 | Invalid value -1 for configuration tasks.max: Value must be at least 1"},
        {"tasks.max=many", "tasks.max",
         "null | Invalid value many for configuration tasks.max: Not a number of type INT | "
         "Invalid value null for configuration tasks.max: Value must be non-null"},
        {"errors.log.enable=yes", "errors.log.enable",
         "null | Invalid value yes for configuration errors.log.enable: Expected value to be "
         "either "
         "true or false"},
        {"errors.tolerance=some", "errors.tolerance",
         "some | Invalid value some for configuration errors.tolerance: String must be one of: "
         "none, all"},
        {"transforms=a , a", "transforms",
         "a,a | Invalid value [a, a] for configuration transforms: Duplicate alias provided."},
        {"transaction.boundary.interval.ms=-5", "transaction.boundary.interval.ms",
         "-5 | Invalid value -5 for configuration transaction.boundary.interval.ms: Value must be "
         "at least 0"},
        {"exactly.once.support=zz", "exactly.once.support",
         "zz | Invalid value zz for configuration exactly.once.support: String must be one of "
         "(case insensitive): REQUIRED, REQUESTED"},
        {"exactly.once.support=Requested", "exactly.once.support", "Requested"},
    };
    run(cases, ARRAY_LEN(cases));
}

#define TYPE(class_, rest)                                                                         \
    "transforms=a\ntransforms.a.type=org.apache.kafka.connect.transforms." class_ "\n" rest
#define NO_ENUM(upper, given)                                                                      \
    " | Invalid value java.lang.IllegalArgumentException: No enum constant "                       \
    "org.apache.kafka.connect.data.Schema.Type." upper                                             \
    " for configuration Invalid type found in casting spec: " given
#define NO_TARGET(type)                                                                            \
    " | Cast transformation does not support casting to " type "; supported types are [INT8, "     \
    "INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"

/* Parsing names the option as the user wrote it, checks do not know the alias. */
static void test_transforms(void)
{
    static const struct value_case cases[] = {
        {TYPE("RegexRouter", "transforms.a.regex=(x\ntransforms.a.replacement=y"),
         "transforms.a.regex",
         "(x | Invalid value (x for configuration regex: Invalid regex: Unclosed group near index "
         "2\n(x"},
        {TYPE("RegexRouter", "transforms.a.negate=maybe"), "transforms.a.negate",
         "null | Invalid value maybe for configuration transforms.a.negate: Expected value to be "
         "either true or false"},
        {TYPE("RegexRouter", ""), "transforms.a.regex",
         "null | Missing required configuration \"transforms.a.regex\" which has no default "
         "value."},
        {TYPE("Cast$Value", "transforms.a.spec=int33"), "transforms.a.spec",
         "int33" NO_ENUM("INT33", "int33")},
        {TYPE("Cast$Value", "transforms.a.spec=x:int33,y"), "transforms.a.spec",
         "x:int33,y" NO_ENUM("INT33", "int33")},
        {TYPE("Cast$Value", "transforms.a.spec=x:int32, y"), "transforms.a.spec",
         "x:int32,y" NO_ENUM("Y", "y")},
        {TYPE("Cast$Value", "transforms.a.spec=x:"), "transforms.a.spec", "x:" NO_ENUM("X", "x")},
        {TYPE("Cast$Value", "transforms.a.spec=x:int32,"), "transforms.a.spec",
         "x:int32," NO_ENUM("", "")},
        {TYPE("Cast$Value", "transforms.a.spec=x:array"), "transforms.a.spec",
         "x:array" NO_TARGET("ARRAY")},
        {TYPE("Cast$Value", "transforms.a.spec=a:b:c,d"), "transforms.a.spec",
         "a:b:c,d | Invalid value [a:b:c, d] for configuration renames: Invalid rename mapping: "
         "a:b:c"},
        {TYPE("Cast$Value", "transforms.a.spec=int32,int32"), "transforms.a.spec",
         "int32,int32 | Cast transformations that specify a type to cast the entire value to may "
         "only specify a single cast in their spec"},
        {TYPE("Cast$Value", ""), "transforms.a.spec",
         "null | Missing required configuration \"transforms.a.spec\" which has no default value. "
         "| Must specify at least one field to cast."},
        {TYPE("Cast$Value", "transforms.a.spec=x: INT32 "), "transforms.a.spec", "x: INT32"},
        {TYPE("ReplaceField$Value", "transforms.a.renames=a:b,c"), "transforms.a.renames",
         "a:b,c | Invalid value [a:b, c] for configuration renames: Invalid rename mapping: c"},
        {TYPE("MaskField$Value", "transforms.a.fields="), "transforms.a.fields",
         " | Invalid value [] for configuration fields: Empty list"},
        {TYPE("MaskField$Value", "transforms.a.fields=a\ntransforms.a.replacement="),
         "transforms.a.replacement",
         " | Invalid value  for configuration replacement: String must be non-empty"},
        {TYPE("SetSchemaMetadata$Value", "transforms.a.schema.version=x"),
         "transforms.a.schema.version",
         "null | Invalid value x for configuration transforms.a.schema.version: Not a number of "
         "type INT"},
        {"predicates=p\npredicates.p.type=org.apache.kafka.connect.transforms.predicates."
         "TopicNameMatches\npredicates.p.pattern=(",
         "predicates.p.pattern",
         "( | Invalid value ( for configuration pattern: Invalid regex: Unclosed group near index "
         "1\n("},
    };
    run(cases, ARRAY_LEN(cases));
}

/* "negate" without a predicate is the type's error and comes before the options' own. */
static void test_order(void)
{
    struct config_errors v;
    struct strbuf text = STRBUF_INIT;
    validate(&v, TYPE("RegexRouter", "transforms.a.regex=(x\ntransforms.a.replacement=y\n"
                                     "transforms.a.negate=true"));
    config_error_summary(&v, &text);
    CHECK_STR(text.p,
              "Connector configuration is invalid and contains the following 2 error(s):\n"
              "Config 'transforms.a.negate' was provided but there is no config "
              "'transforms.a.predicate' defining a predicate to be negated.\n"
              "Invalid value (x for configuration regex: Invalid regex: Unclosed group near index "
              "2\n(x\nYou can also find the above list of errors at the endpoint "
              "`/connector-plugins/{connectorType}/config/validate`");
    strbuf_release(&text);
    config_errors_release(&v);
}

/* A class is recommended once for each place of an installation that has it. */
static void test_recommended(void)
{
    struct config_errors v;
    size_t json = 0, string = 0, cloud = 0;
    validate(&v, "");
    const struct config_item *i = item(&v, "key.converter");
    for (size_t k = 0; i && k < i->recommended_count; k++) {
        json += slice_ends(i->recommended[k], SL(".JsonConverter"));
        string += slice_ends(i->recommended[k], SL(".StringConverter"));
        cloud += slice_ends(i->recommended[k], SL(".CloudEventsConverter"));
    }
    CHECK_INT(json, 1);
    CHECK_INT(string, 5);
    CHECK_INT(cloud, 0);
    config_errors_release(&v);
}

/* --- keys that nobody reads -------------------------------------------------------------------- */

static void on_warning(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    (void)level, (void)ctx;
    strbuf_addf(&told, "%s%s", told.n ? " | " : "", text);
}

/* What the log says of these lines "key=value". */
static void unknown(const struct connector_ops *ops, const char *lines, const char *want)
{
    struct strmap config = STRMAP_INIT;
    struct slice rest = slice_cstr(lines), line, key;
    while (slice_split(&rest, '\n', &line))
        if (slice_split(&line, '=', &key) && key.n)
            strmap_set(&config, key, line);
    strbuf_reset(&told);
    log_tap(on_warning);
    config_tell_unknown(&registry, &config, ops);
    log_tap(NULL);
    CHECK_STR(told.n ? told.p : "", want);
    strmap_release(&config);
}

#define UNWRAP                                                                                     \
    "transforms=a.b, a\ntransforms.a.type=ExtractField$Value\ntransforms.a.b.type=RegexRouter\n"
#define FILTER "predicates=p\npredicates.p.type=TopicNameMatches\n"

static void test_unknown_of_transforms(void)
{
    const struct connector_ops *ops = &file_source_connector;
    unknown(
        ops, UNWRAP "transforms.a.feild=x",
        "'transforms.a.feild' is ignored: org.apache.kafka.connect.transforms.ExtractField$Value "
        "has no such option; did you mean 'transforms.a.field'?");
    unknown(
        ops, UNWRAP "transforms.a.b.regexp=x",
        "'transforms.a.b.regexp' is ignored: org.apache.kafka.connect.transforms.RegexRouter has "
        "no such option; did you mean 'transforms.a.b.regex'?");
    unknown(
        ops, UNWRAP "transforms.a.predicat=x",
        "'transforms.a.predicat' is ignored: "
        "org.apache.kafka.connect.transforms.ExtractField$Value has no such option; did you mean "
        "'transforms.a.predicate'?");
    unknown(ops, UNWRAP "transforms.a.something.else=x",
            "'transforms.a.something.else' is ignored: "
            "org.apache.kafka.connect.transforms.ExtractField$Value has no such option");
    unknown(ops, UNWRAP "transforms.v.type=x\ntransforms.v.y=z",
            "'transforms.v.type' is ignored: 'v' is not listed in transforms, which has a.b, a");
    unknown(ops, "transforms.v.type=x",
            "'transforms.v.type' is ignored: 'v' is not listed in transforms, which is empty");
    unknown(
        ops, FILTER "predicates.p.patern=x",
        "'predicates.p.patern' is ignored: "
        "org.apache.kafka.connect.transforms.predicates.TopicNameMatches has no such option; did "
        "you mean 'predicates.p.pattern'?");
    unknown(ops, FILTER "predicates.p.negate=true",
            "'predicates.p.negate' is ignored: "
            "org.apache.kafka.connect.transforms.predicates.TopicNameMatches has no such option");
    unknown(ops,
            UNWRAP FILTER
            "transforms.a.field=x\ntransforms.a.predicate=p\ntransforms.a.negate=true\n"
            "transforms.a.plugin.version=4.1.1\ntransforms.a.b.replacement=y\n"
            "predicates.p.pattern=z\npredicates.p.plugin.version=4.1.1",
            "");
    unknown(ops, "transforms=n\ntransforms.n.type=no.such.Class\ntransforms.n.x=y", "");
}

static void test_unknown_of_files(void)
{
    unknown(&file_source_connector, "name=n\ntopic=t\nfiles=/x",
            "unknown configuration property 'files' is ignored; did you mean 'file'?");
    unknown(&file_sink_connector, "fle=/x\ntopic=t\nno.such.thing=z",
            "unknown configuration property 'fle' is ignored; did you mean 'file'? | unknown "
            "configuration property 'topic' is ignored; did you mean 'topics'? | unknown "
            "configuration property 'no.such.thing' is ignored");
    unknown(&file_source_connector, "key.convertor=x",
            "unknown configuration property 'key.convertor' is ignored; did you mean "
            "'key.converter'?");
    unknown(&file_source_connector,
            "name=n\nconnector.class=c\nfile=f\ntopic=t\nbatch.size=1\ntasks.max=1\n"
            "key.converter=x\nkey.converter.schemas.enable=false\nvalue.converter.y=z\n"
            "producer.override.linger.ms=1\ntopic.creation.groups=g\n"
            "topic.creation.g.partitions=1\ntopic.creation.default.cleanup.policy=compact\n"
            "errors.tolerance=all\nexactly.once.support=requested",
            "");
    unknown(&file_sink_connector,
            "topics=t\ntopics.regex=x\nerrors.deadletterqueue.topic.name=d\n"
            "consumer.override.max.poll.records=1\nheader.converter=h",
            "");
}

static const struct test_case tests[] = {
    {"values of what parses and of what does not", test_values},
    {"words of transforms and predicates", test_transforms},
    {"order of errors", test_order},
    {"recommended classes", test_recommended},
    {"unknown options of transforms", test_unknown_of_transforms},
    {"unknown options of files", test_unknown_of_files},
    {NULL, NULL},
};
const struct test_suite test_configdef = {"connect/configdef", tests, setup, teardown};
