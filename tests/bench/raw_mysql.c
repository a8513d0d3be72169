/* tests/bench/raw_mysql.c - the peer of capture: a loop that only reads.
 *
 *   bench-raw_mysql PORT select DATABASE.TABLE            rows a second of mysql_use_result
 *   bench-raw_mysql PORT binlog FILE POSITION COUNT       seconds (and bytes) of a binlog dump of COUNT transactions
 *   bench-raw_mysql PORT cells FILE POSITION COUNT        the same, and looks at each cell of bench.t's updated rows, as
 *                                                         `select` does: seconds and rows
 *   bench-raw_mysql PORT write FILE BYTES                 seconds of writing BYTES to a new file, 1 MB at a time */
#include <fcntl.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mariadb_rpl.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(MYSQL *m, const char *what)
{
    fprintf(stderr, "%s: %s\n", what, mysql_error(m));
    exit(1);
}

static void run_select(MYSQL *m, const char *table)
{
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
    double start = now();
    if (mysql_query(m, sql) != 0)
        fail(m, sql);
    MYSQL_RES *r = mysql_use_result(m);
    unsigned long rows = 0, bytes = 0;
    unsigned fields = mysql_num_fields(r);
    for (MYSQL_ROW row; (row = mysql_fetch_row(r)) != NULL; rows++) {
        unsigned long *n = mysql_fetch_lengths(r);
        for (unsigned i = 0; i < fields; i++)
            bytes += n[i] + (row[i] ? (unsigned char)row[i][0] : 0); /* touches the data */
    }
    mysql_free_result(r);
    printf("%.0f\n", (double)rows / (now() - start));
    if (bytes == 0)
        exit(1);
}

/* Both images of every row of an UPDATE_ROWS event (v1) of capture.py's table: INT, VARCHAR(40),
 * DECIMAL(10,2), DATETIME, TINYINT; none is NULL. The first byte of each cell is touched. */
static unsigned long walk_rows(const unsigned char *p, const unsigned char *end, unsigned long *sum)
{
    enum { CHECKSUM = 4 }; /* there unless the library asked for none */
    unsigned long images = 0;
    p += 19 + 6 + 2 + 1 + 1 + 1; /* header, table id, flags, column count, two column bitmaps */
    for (; end - p > CHECKSUM; images++) {
        p += 1; /* bitmap of NULLs */
        *sum += p[0];
        p += 4;
        *sum += p[0] + (unsigned long)p[1];
        p += 1 + p[0];
        *sum += p[0] + (unsigned long)p[5] + p[10];
        p += 5 + 5 + 1;
    }
    if (p != end && end - p != CHECKSUM) {
        fprintf(stderr, "a row event is not of the expected shape (%td bytes too far)\n", p - end);
        exit(1);
    }
    return images / 2;
}

/* Reads the packets of a binlog dump until `want` transactions (XID events) have gone by. Looks at nothing but the
 * event's type, or at the rows' cells too. */
static void run_binlog(MYSQL *m, const char *file, unsigned long position, unsigned long want,
                       int cells)
{
    enum { UPDATE_ROWS_V1 = 24 };
    unsigned long rows = 0, sum = 0;
    if (mysql_query(m, "SET @master_binlog_checksum='NONE'") != 0 ||
        mysql_query(m, "SET @mariadb_slave_capability=4") != 0)
        fail(m, "SET");
    MARIADB_RPL *rpl = mariadb_rpl_init(m);
    mariadb_rpl_optionsv(rpl, MARIADB_RPL_SERVER_ID, 77777);
    mariadb_rpl_optionsv(rpl, MARIADB_RPL_FILENAME, file, strlen(file));
    mariadb_rpl_optionsv(rpl, MARIADB_RPL_START, position);
    double start = now();
    if (mariadb_rpl_open(rpl) != 0)
        fail(m, "binlog dump");
    unsigned long transactions = 0, bytes = 0;
    while (transactions < want) {
        unsigned long n = mysql_net_read_packet(m);
        if (n == packet_error || n < 20)
            fail(m, "reading the binlog");
        bytes += n;
        const unsigned char *event = m->net.read_pos + 1;
        transactions += event[4] == XID_EVENT;
        if (cells && event[4] == UPDATE_ROWS_V1)
            rows += walk_rows(event, event + n - 1, &sum);
    }
    printf("%.6f %lu\n", now() - start, cells ? rows : bytes);
    if (cells && sum == 0)
        exit(1);
    mariadb_rpl_close(rpl);
}

static void run_write(const char *path, unsigned long bytes)
{
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    remove(path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    double start = now();
    for (unsigned long done = 0; fd >= 0 && done < bytes; done += sizeof block)
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
            fd = -1;
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    printf("%.6f\n", now() - start);
    close(fd);
    remove(path);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[2], "write") == 0) {
        run_write(argv[3], strtoul(argv[4], NULL, 10));
        return 0;
    }
    MYSQL *m = mysql_init(NULL);
    if (argc < 4 || !m)
        return 2;
    if (!mysql_real_connect(m, "127.0.0.1", "root", "", NULL, (unsigned)atoi(argv[1]), NULL, 0))
        fail(m, "connect");
    if (strcmp(argv[2], "select") == 0)
        run_select(m, argv[3]);
    else if (argc == 6)
        run_binlog(m, argv[3], strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10),
                   strcmp(argv[2], "cells") == 0);
    mysql_close(m);
    return 0;
}
