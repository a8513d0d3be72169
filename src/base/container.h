/* base/container.h - whether this process runs in a container, where localhost is the container
 * itself. Thread: any. */
#ifndef WEIR_BASE_CONTAINER_H
#define WEIR_BASE_CONTAINER_H

#include "base/base.h"

/* Docker's and Podman's marks, and the names of control groups of those, containerd and Kubernetes.
 * A guess: for texts. root: "", or the directory that stands for / in a test. */
bool container_around(const char *root);

#endif
