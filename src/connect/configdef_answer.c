/* connect/configdef_answer.c - validations as REST tells them. See configdef_internal.h. SPEC:
 * connect 2.1, 2.4. */
#include "connect/configdef_internal.h"

#include "connect/config_refs.h"

void config_errors_hide(struct config_errors *v, const struct strmap *raw,
                        const struct strmap *resolved)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < v->count; i++) {
        struct config_item *x = &v->items[i];
        for (size_t k = 0; k < x->error_count; k++) {
            strbuf_reset(&text);
            strbuf_add_slice(&text, x->errors[k]);
            config_refs_hide(raw, resolved, &text);
            x->errors[k] = arena_dup(&v->a, strbuf_slice(&text));
        }
        if (x->value.p && config_refs_used(raw, resolved, x->name) &&
            !slice_eq(x->value, SL("[hidden]")))
            x->value = arena_dup(&v->a, strmap_get(raw, x->name));
    }
    strbuf_release(&text);
}

static json_t *text_json(struct slice s)
{
    return s.p ? json_stringn_nocheck(s.p, s.n) : json_null();
}

static json_t *texts_json(const struct slice *list, size_t count)
{
    json_t *a = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(a, text_json(list[i]));
    return a;
}

json_t *config_definition_json(const struct config_item *i)
{
    static const char *const importances[] = {"HIGH", "MEDIUM", "LOW"};
    static const char *const widths[] = {"NONE", "SHORT", "MEDIUM", "LONG"};
    const struct opt_row *r = i->row;
    json_t *d = json_object();
    struct slice def = config_row_secret(r) && i->def.p ? SL("[hidden]") : i->def;
    json_object_set_new(d, "name", text_json(i->name));
    json_object_set_new(d, "type", json_string(opt_type_name(r->type)));
    json_object_set_new(d, "required", json_boolean(i->required));
    json_object_set_new(d, "default_value", text_json(def));
    json_object_set_new(d, "importance", json_string(importances[r->importance]));
    json_object_set_new(d, "documentation", json_string(r->doc ? r->doc : ""));
    json_object_set_new(d, "group", text_json(i->group));
    json_object_set_new(d, "width", json_string(widths[r->width]));
    json_object_set_new(d, "display_name", text_json(i->display));
    json_object_set_new(d, "dependents", texts_json(i->dependents, i->dependent_count));
    json_object_set_new(d, "order", json_integer(i->group.p || i->order > 0 ? i->order : -1));
    return d;
}

static json_t *item_json(const struct config_item *i)
{
    json_t *o = json_object(), *value = json_object();
    json_object_set_new(value, "name", text_json(i->name));
    json_object_set_new(value, "value", text_json(i->value));
    json_object_set_new(value, "recommended_values",
                        texts_json(i->recommended, i->recommended_count));
    json_object_set_new(value, "errors", texts_json(i->errors, i->error_count));
    json_object_set_new(value, "visible", json_boolean(!i->hidden));
    json_object_set_new(o, "definition", i->row ? config_definition_json(i) : json_null());
    json_object_set_new(o, "value", value);
    return o;
}

json_t *config_validation_json(const struct config_errors *v)
{
    json_t *out = json_object(), *groups = json_array(), *configs = json_array();
    for (int defined = 0; defined < 2; defined++) { /* values without definition come first */
        for (size_t i = 0; i < v->count; i++) {
            const struct config_item *x = &v->items[i];
            if ((x->row || x->tail) != defined)
                continue;
            json_array_append_new(configs, item_json(x));
            bool seen = !x->group.p;
            for (size_t k = 0; k < i && !seen; k++)
                seen = v->items[k].row && slice_eq(v->items[k].group, x->group);
            if (!seen)
                json_array_append_new(groups, text_json(x->group));
        }
    }
    json_object_set_new(out, "name", text_json(v->connector_class));
    json_object_set_new(out, "error_count", json_integer((json_int_t)config_error_count(v)));
    json_object_set_new(out, "groups", groups);
    json_object_set_new(out, "configs", configs);
    return out;
}

void config_error_summary(const struct config_errors *v, struct strbuf *out)
{
    strbuf_addf(out, "Connector configuration is invalid and contains the following %zu error(s):",
                config_error_count(v));
    for (int defined = 0; defined < 2; defined++)
        for (size_t i = 0; i < v->count; i++)
            for (size_t k = 0;
                 (v->items[i].row || v->items[i].tail) == defined && k < v->items[i].error_count;
                 k++)
                strbuf_addf(out, "\n" PRI_SL, ARG_SL(v->items[i].errors[k]));
    strbuf_adds(out, "\nYou can also find the above list of errors at the endpoint "
                     "`/connector-plugins/{connectorType}/config/validate`");
}
