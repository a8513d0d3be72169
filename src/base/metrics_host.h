/* base/metrics_host.h - figures of the process and of the machine, read from /proc when asked, under
 * the names that dashboards look for: process_*, jvm_* as far as a process without a JVM has them,
 * node_* (node_exporter) and container_* (cadvisor). SPEC: broker 12. Thread: any. */
#ifndef WEIR_BASE_METRICS_HOST_H
#define WEIR_BASE_METRICS_HOST_H

#include "base/str.h"

void metrics_host(struct strbuf *out);
/* The directory whose file system is shown. path is kept; before the first dump. */
void metrics_host_dir(const char *path);

#endif
