/* base/container.c - see container.h. */
#include "base/container.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

static bool has_mark(const char *root, const char *name)
{
    char *path = xasprintf("%s%s", root, name);
    bool found = fs_exists(path);
    mem_free(path);
    return found;
}

/* The groups of the first process: those of a machine's own are "/" or "/init.scope". */
static bool has_groups(const char *root)
{
    static const char *const names[] = {"docker", "kubepods", "containerd", "libpod", "lxc"};
    char *path = xasprintf("%s/proc/1/cgroup", root);
    struct strbuf text = STRBUF_INIT;
    bool found = false;
    if (fs_read_all(path, 1 << 16, &text, NULL) == E_OK)
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            found |= slice_find(strbuf_slice(&text), slice_cstr(names[i])) >= 0;
    strbuf_release(&text);
    mem_free(path);
    return found;
}

bool container_around(const char *root)
{
    return has_mark(root, "/.dockerenv") || has_mark(root, "/run/.containerenv") ||
           has_groups(root);
}
