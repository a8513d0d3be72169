/* tests/unit/base/test_container.c - marks of a container below a directory that stands for /. */
#include "base/container.h"

#include <stdlib.h>

#include "base/fs.h"
#include "helpers.h"

static bool around(const char *name, const char *text)
{
    char root[400], dir[440], path[480];
    struct error e;
    snprintf(root, sizeof root, "%s/root", test_dir());
    for (int i = 0; i < 2; i++) {
        snprintf(dir, sizeof dir, "%s/%s", root, i ? "proc/1" : "run");
        CHECK_OK(fs_mkdirs(dir, &e));
    }
    snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK_OK(fs_replace(path, slice_cstr(text), &e));
    bool found = container_around(root);
    CHECK_OK(fs_remove_tree(root, &e));
    return found;
}

static void test_marks(void)
{
    CHECK(around(".dockerenv", ""));
    CHECK(around("run/.containerenv", ""));
    CHECK(around("proc/1/cgroup", "12:pids:/docker/0d3adbeef001\n0::/\n"));
    CHECK(around("proc/1/cgroup", "1:cpu:/kubepods/besteffort/pod1/2\n"));
    CHECK(!around("proc/1/cgroup", "1:name=systemd:/init.scope\n0::/init.scope\n"));
    CHECK(!around("run/other", ""));
}

static const struct test_case tests[] = {{"marks", test_marks}, {NULL, NULL}};
const struct test_suite test_container = {"base/container", tests, NULL, NULL};
