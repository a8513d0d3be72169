/* broker/security/sasl_conn.h - where a connection stands in its SASL exchange.
 *
 *   START --ApiVersions--> VERSIONS --SaslHandshake v1--> TOKENS --SaslAuthenticate done--> DONE
 *     |                        |                            ^  ^---- again (re-authentication) --+
 *     +--- SaslHandshake v0 ---+--> RAW --tokens without headers, done--> DONE
 *
 * Until DONE a frame that does not belong to the state closes the connection, frames are small
 * (sasl.server.max.receive.size), and the connection counts as not ready (conn.h). A refused client
 * hears why after connection.failed.authentication.delay.ms, then it is closed. When sessions end
 * (connections.max.reauth.ms), only a new handshake is served after that time.
 * SPEC: broker 11.3. Thread: the connection's loop. */
#ifndef WEIR_BROKER_SECURITY_SASL_CONN_H
#define WEIR_BROKER_SECURITY_SASL_CONN_H

#include "base/base.h"
#include "broker/security/sasl.h"

struct conn;
struct request;

void sasl_attach(struct conn *c, const struct sasl_rules *r); /* to a connection just opened */
void sasl_detach(struct conn *c);                             /* it closes; none: nothing */

/* SaslHandshake and SaslAuthenticate; end the request. */
void sasl_handshake(struct request *rq);
void sasl_authenticate(struct request *rq);

#endif
