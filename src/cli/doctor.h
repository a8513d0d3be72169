/* cli/doctor.h - `weir doctor`: looks at a database as a connector would, says what is missing and
 * what to type. */
#ifndef WEIR_CLI_DOCTOR_H
#define WEIR_CLI_DOCTOR_H

#include "base/err.h"
#include "base/strmap.h"
#include "connect/connector.h"

/* argv: what follows the subcommand; a password in it is wiped. Returns the process's exit status:
 * 0 no faults, 1 faults, 2 the question was not understood. Thread: main. */
int doctor_main(int argc, char **argv, const struct connect_plugins *const *plugins);

/* The configuration of a connector that a URL stands for:
 * mysql://USER[:PASSWORD]@HOST[:PORT][/DATABASE][?OPTION=VALUE&...]. config is initialised;
 * E_INVALID: what is wrong, without the password. */
enum err doctor_url(struct slice url, struct strmap *config, struct error *e) MUST_CHECK;
/* The configuration in a connector's JSON file, alone or below "config". */
enum err doctor_json(struct slice text, struct strmap *config, struct error *e) MUST_CHECK;

#endif
