/* base/metrics_host.c - see metrics_host.h. What a kernel does not show is left out, family by
 * family: no figure is made up. Jobs that share a Prometheus with a real node_exporter see both
 * under their own `instance`. */
#include "base/metrics_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/metrics.h"

static const char *data_dir = "/";

void metrics_host_dir(const char *path)
{
    data_dir = path;
}

/* --- process_* -------------------------------------------------------------------------------- */

static size_t read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    n = MAX(n, 0);
    text[n] = 0;
    return (size_t)n;
}

static int count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = -1; /* the one that counts */
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* . and .. */
}

/* Field 22 of /proc/self/stat: clock ticks from boot to the start of the process. */
static double start_seconds(void)
{
    char text[1024], *p;
    struct timespec wall, boot;
    read_proc("/proc/self/stat", text, sizeof text);
    p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    double ticks = p ? strtod(p, NULL) : 0;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (double)(wall.tv_sec - boot.tv_sec) + ticks / (double)sysconf(_SC_CLK_TCK);
}

static void add_process(struct strbuf *out)
{
    struct rusage ru;
    char text[256];
    long long size = 0, resident = 0, page = sysconf(_SC_PAGESIZE);
    getrusage(RUSAGE_SELF, &ru);
    read_proc("/proc/self/statm", text, sizeof text);
    if (sscanf(text, "%lld %lld", &size, &resident) != 2)
        resident = 0;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    metrics_head(out, "process_cpu_seconds_total", "User and system CPU time in seconds.",
                 "counter");
    strbuf_addf(out, "process_cpu_seconds_total %.2f\n",
                (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
                    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
    metrics_head(out, "process_resident_memory_bytes", "Resident memory in bytes.", "gauge");
    strbuf_addf(out, "process_resident_memory_bytes %lld\n", resident * page);
    metrics_head(out, "process_virtual_memory_bytes", "Virtual memory in bytes.", "gauge");
    strbuf_addf(out, "process_virtual_memory_bytes %lld\n", size * page);
    metrics_head(out, "process_open_fds", "Open file descriptors.", "gauge");
    strbuf_addf(out, "process_open_fds %d\n", count_fds());
    metrics_head(out, "process_max_fds", "Limit on open file descriptors.", "gauge");
    strbuf_addf(out, "process_max_fds %llu\n", (unsigned long long)files.rlim_cur);
    metrics_head(out, "process_start_time_seconds", "Start of the process, seconds since 1970.",
                 "gauge");
    strbuf_addf(out, "process_start_time_seconds %.2f\n", start_seconds());
}

static int count_threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return MAX(n - 2, 0);
}

static void gauge(struct strbuf *out, const char *name, const char *help, double value)
{
    metrics_head(out, name, help, "gauge");
    strbuf_addf(out, "%s %.17g\n", name, value);
}

/* --- jvm_*, container_* ----------------------------------------------------------------------- */

/* Panels that ask a JVM for its heap show what the process uses; there is no garbage collector. */
static void add_jvm(struct strbuf *out, double resident, double total)
{
    static const char *const names[][2] = {
        {"jvm_memory_bytes_used", "jvm_memory_bytes_max"},
        {"jvm_memory_used_bytes", "jvm_memory_max_bytes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        metrics_head(out, names[i][0], "Resident memory of the process (no JVM).", "gauge");
        strbuf_addf(out, "%s{area=\"heap\"} %.17g\n%s{area=\"nonheap\"} 0\n", names[i][0], resident,
                    names[i][0]);
        metrics_head(out, names[i][1], "Memory of the machine (no JVM).", "gauge");
        strbuf_addf(out, "%s{area=\"heap\"} %.17g\n", names[i][1], total);
    }
    int threads = count_threads();
    gauge(out, "jvm_threads_current", "Threads of the process (no JVM).", threads);
    gauge(out, "jvm_threads_state", "Threads of the process (no JVM).", threads);
    gauge(out, "process_threads", "Threads of the process.", threads);
}

static void add_container(struct strbuf *out, double cpu_seconds, double resident, double file)
{
    const char *id = "{id=\"/weir\",name=\"weir\",image=\"weir\"}";
    metrics_head(out, "container_cpu_usage_seconds_total", "CPU time of the process.", "counter");
    strbuf_addf(out, "container_cpu_usage_seconds_total%s %.2f\n", id, cpu_seconds);
    metrics_head(out, "container_memory_usage_bytes", "Resident memory of the process.", "gauge");
    strbuf_addf(out, "container_memory_usage_bytes%s %.17g\n", id, resident);
    metrics_head(out, "container_memory_cache", "Of it, pages of files.", "gauge");
    strbuf_addf(out, "container_memory_cache%s %.17g\n", id, file);
    metrics_head(out, "container_memory_working_set_bytes", "usage_bytes without cache.", "gauge");
    strbuf_addf(out, "container_memory_working_set_bytes%s %.17g\n", id, MAX(resident - file, 0.0));
    metrics_head(out, "container_last_seen", "Now, seconds since 1970.", "gauge");
    strbuf_addf(out, "container_last_seen%s %lld\n", id, (long long)time(NULL));
}

/* --- node_* ----------------------------------------------------------------------------------- */

static void add_cpu(struct strbuf *out)
{
    static const char *const modes[] = {"user",   "nice", "system",  "idle",
                                        "iowait", "irq",  "softirq", "steal"};
    char text[32768];
    read_proc("/proc/stat", text, sizeof text);
    struct slice rest = slice_cstr(text), line;
    double hz = (double)sysconf(_SC_CLK_TCK);
    metrics_head(out, "node_cpu_seconds_total", "Seconds that the CPUs spent in each mode.",
                 "counter");
    while (slice_split(&rest, '\n', &line)) {
        struct slice word, name;
        if (!slice_starts(line, SL("cpu")) || !slice_split(&line, ' ', &name) || name.n < 4)
            continue;
        for (size_t m = 0; m < ARRAY_LEN(modes) && slice_split(&line, ' ', &word); m++) {
            int64_t ticks = 0;
            if (slice_to_i64(word, &ticks) != E_OK)
                ticks = 0;
            strbuf_addf(out, "node_cpu_seconds_total{cpu=\"" PRI_SL "\",mode=\"%s\"} %.2f\n",
                        ARG_SL(slice_sub(name, 3, name.n)), modes[m], (double)ticks / hz);
        }
    }
}

/* The number of a line "MemTotal:  123 kB", in bytes; -1: there is none. */
static double meminfo(const char *text, const char *name)
{
    char key[40];
    snprintf(key, sizeof key, "\n%s:", name);
    const char *at = strstr(text, key);
    return at ? strtod(at + strlen(key), NULL) * 1024 : -1;
}

static double add_memory(struct strbuf *out)
{
    static const char *const names[] = {"MemTotal", "MemFree",   "MemAvailable", "Buffers",
                                        "Cached",   "SwapTotal", "SwapFree"};
    char text[8192] = "\n";
    read_proc("/proc/meminfo", text + 1, sizeof text - 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char name[64];
        double value = meminfo(text, names[i]);
        snprintf(name, sizeof name, "node_memory_%s_bytes", names[i]);
        if (value >= 0)
            gauge(out, name, "Memory of the machine.", value);
    }
    return meminfo(text, "MemTotal");
}

static void add_network(struct strbuf *out)
{
    char text[8192];
    read_proc("/proc/self/net/dev", text, sizeof text);
    for (int sent = 0; sent < 2; sent++) {
        const char *name =
            sent ? "node_network_transmit_bytes_total" : "node_network_receive_bytes_total";
        struct slice rest = slice_cstr(text), line;
        metrics_head(out, name, "Bytes of a network device.", "counter");
        while (slice_split(&rest, '\n', &line)) {
            ptrdiff_t colon = slice_find_char(line, ':');
            unsigned long long v[9] = {0};
            if (colon < 0)
                continue;
            struct slice device = slice_trim(slice_sub(line, 0, (size_t)colon));
            if (sscanf(line.p + colon + 1, "%llu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
                       &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8]) == 9)
                strbuf_addf(out, "%s{device=\"" PRI_SL "\"} %llu\n", name, ARG_SL(device),
                            v[sent ? 8 : 0]);
        }
    }
}

static void add_disks(struct strbuf *out)
{
    struct statvfs fs;
    if (statvfs(data_dir, &fs) != 0)
        return;
    struct strbuf label = STRBUF_INIT;
    metrics_label(&label, "mountpoint", slice_cstr(data_dir));
    const struct {
        const char *name;
        double value;
    } rows[] = {{"node_filesystem_size_bytes", (double)fs.f_blocks * (double)fs.f_frsize},
                {"node_filesystem_free_bytes", (double)fs.f_bfree * (double)fs.f_frsize},
                {"node_filesystem_avail_bytes", (double)fs.f_bavail * (double)fs.f_frsize}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metrics_head(out, rows[i].name, "File system of the data directory.", "gauge");
        strbuf_addf(out, "%s{device=\"data\",fstype=\"\"," PRI_SL "} %.17g\n", rows[i].name,
                    ARG_SL(strbuf_slice(&label)), rows[i].value);
    }
    strbuf_release(&label);
}

static void add_machine(struct strbuf *out)
{
    double load[3];
    struct timespec wall, boot;
    struct utsname u;
    if (getloadavg(load, 3) == 3) {
        gauge(out, "node_load1", "Load of one minute.", load[0]);
        gauge(out, "node_load5", "Load of five minutes.", load[1]);
        gauge(out, "node_load15", "Load of fifteen minutes.", load[2]);
    }
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    gauge(out, "node_time_seconds", "Now, seconds since 1970.", (double)wall.tv_sec);
    gauge(out, "node_boot_time_seconds", "Start of the machine, seconds since 1970.",
          (double)(wall.tv_sec - boot.tv_sec));
    if (uname(&u) == 0) {
        metrics_head(out, "node_uname_info", "System of the machine.", "gauge");
        strbuf_addf(
            out,
            "node_uname_info{sysname=\"%s\",release=\"%s\",machine=\"%s\",nodename=\"%s\"} 1\n",
            u.sysname, u.release, u.machine, u.nodename);
    }
}

void metrics_host(struct strbuf *out)
{
    struct rusage ru;
    char text[256];
    long long size = 0, resident = 0, file = 0, page = sysconf(_SC_PAGESIZE);
    add_process(out);
    add_cpu(out);
    double total = add_memory(out);
    add_network(out);
    add_disks(out);
    add_machine(out);
    getrusage(RUSAGE_SELF, &ru);
    read_proc("/proc/self/statm", text, sizeof text);
    if (sscanf(text, "%lld %lld %lld", &size, &resident, &file) != 3)
        resident = file = 0;
    add_jvm(out, (double)(resident * page), total);
    add_container(out,
                  (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
                      (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6,
                  (double)(resident * page), (double)(file * page));
}
