/* cli/password.c - see password.h */
#include "cli/password.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

static void hide(char *from, const char *to)
{
    while (from < to)
        *from++ = '*';
}

/* USER:PASSWORD@, up to the last @ in front of the path. */
static void hide_user(char *argument)
{
    char *start = strstr(argument, "://"), *at = NULL, *colon = NULL;
    if (!start)
        return;
    start += 3;
    char *end = start + strcspn(start, "?");
    for (char *p = start; p < end; p++)
        at = *p == '@' ? p : at;
    for (char *p = start; at && p < at && !colon; p++)
        colon = *p == ':' ? p : NULL;
    if (colon)
        hide(colon + 1, at);
}

void password_hide(char *argument)
{
    static const char name[] = "password=";
    hide_user(argument);
    for (char *p = argument; *p; p++)
        if (strncasecmp(p, name, sizeof name - 1) == 0) {
            p += sizeof name - 1;
            hide(p, strstr(argument, "://") ? p + strcspn(p, "&") : p + strlen(p));
            p--;
        }
}

enum err password_ask(const char *prompt, struct strbuf *out, struct error *e)
{
    struct termios before, silent;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) || tcgetattr(STDIN_FILENO, &before))
        return E_NOT_FOUND;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent))
        return error_sys(e, errno, "setting the terminal");
    fputs(prompt, stderr);
    fflush(stderr);
    char c;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n' && c != '\r')
        strbuf_addc(out, c);
    int code = errno;
    (void)!tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    if (n < 0)
        return error_sys(e, code, "reading the password");
    return strbuf_err(out);
}
