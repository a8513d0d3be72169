/* cli/password.h - passwords on the command line: out of what ps shows, or asked for. Thread: main. */
#ifndef WEIR_CLI_PASSWORD_H
#define WEIR_CLI_PASSWORD_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

/* Overwrites the password of a URL (USER:PASSWORD@) and the values of options whose names end in
 * "password" (NAME=VALUE, also behind the URL's ?), in place. For argv, once it has been read. */
void password_hide(char *argument);
/* Asks at the terminal, without showing what is typed. prompt: printed before. E_NOT_FOUND: standard
 * input or error is no terminal; E_IO. out: initialised; the caller wipes it. */
enum err password_ask(const char *prompt, struct strbuf *out, struct error *e) MUST_CHECK;

#endif
