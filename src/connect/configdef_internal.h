/* connect/configdef_internal.h - the inside of a validation, shared by configdef.c (items, the
 * framework's options, converters), configdef_alias.c (transforms, predicates),
 * configdef_overrides.c (options of clients) and configdef_answer.c (JSON, summary). Thread: the
 * validation's. */
#ifndef WEIR_CONNECT_CONFIGDEF_INTERNAL_H
#define WEIR_CONNECT_CONFIGDEF_INTERNAL_H

#include "connect/configdef.h"

/* Pointers to items last until the next item is added. */
struct config_item *config_item_find(const struct config_errors *v, struct slice name);
struct config_item *config_item_add(struct config_errors *v, struct slice name);
void config_item_error(struct config_errors *v, struct config_item *i, struct slice text);
/* Finds or adds the item of an option; group null: the row's. */
struct config_item *config_item_row(struct config_errors *v, const struct opt_row *row,
                                    struct slice name, struct slice group);
/* Value or errors from what was given under this key. own: an option of the connector itself, whose
 * null is noticed at its start only. SPEC: connect 1.1 */
void config_item_set(struct config_errors *v, struct config_item *i, const struct strmap *config,
                     struct slice key, bool own);
/* One class of those that an option recommends. */
void config_recommend_class(struct config_errors *v, struct config_item *i, const char *class_name);
bool config_row_secret(const struct opt_row *row);
/* Appends a copy to a list that grows in the arena. */
void config_text_add(struct arena *a, struct slice **list, size_t *count, struct slice text);
json_t *config_definition_json(const struct config_item *i);

/* Options that each transform has besides those of its class (predicates have the former only). */
extern const struct opt_row config_alias_rows[], config_transform_rows[];
/* All names listed under `transforms` or `predicates`. */
void config_aliases(struct config_errors *v, const struct strmap *config, struct slice kind);
/* Options of clients that were given (producer.override.*): whether the worker allows them. E_INVALID:
 * a value that does not fit its type. */
enum err config_overrides(struct config_errors *v, const struct strmap *config,
                          const struct connector_ops *ops, struct error *e) MUST_CHECK;

#endif
