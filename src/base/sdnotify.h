/* base/sdnotify.h - tells systemd that weir is ready, stopping or alive. No-op without
 * NOTIFY_SOCKET. */
#ifndef WEIR_BASE_SDNOTIFY_H
#define WEIR_BASE_SDNOTIFY_H

void sdnotify(const char *state); /* "READY=1", "STOPPING=1", "STATUS=..." */

#endif
