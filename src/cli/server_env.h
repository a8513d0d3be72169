/* cli/server_env.h - settings that people bring from Kafka's images: KAFKA_* variables of the
 * official one and of Confluent's, KAFKA_CFG_* of Bitnami's, CLUSTER_ID. SPEC: broker 0.3.
 * Thread: main. */
#ifndef WEIR_CLI_SERVER_ENV_H
#define WEIR_CLI_SERVER_ENV_H

#include "base/err.h"
#include "cli/server_options.h"

/* Offers each variable by its property's name (KAFKA_NUM_PARTITIONS: num.partitions); what weir does
 * not know is noted in c->ignored. E_INVALID: a value that does not fit, with the variable's name. */
enum err server_config_kafka_env(struct server_config *c, char *const *environment,
                                 struct error *e) MUST_CHECK;

/* A property's name from the rest of a variable's: letters become small, _ a dot, __ and ___ what
 * the image takes them for. */
/* Variables that Kubernetes and Docker links set for a service: KAFKA_PORT=tcp://10.0.0.1:9092,
 * KAFKA_SERVICE_HOST, KAFKA_PORT_9092_TCP_ADDR ... They are no settings. */
bool server_env_is_of_a_service(struct slice name, struct slice value);
void server_env_property(struct slice rest, char two, char three, struct strbuf *out);

#endif
