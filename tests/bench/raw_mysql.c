/* tests/bench/raw_mysql.c - the peer of capture: a loop that only reads.
 *
 *   bench-raw_mysql PORT select DATABASE.TABLE            rows a second of mysql_use_result
 *   bench-raw_mysql PORT binlog FILE POSITION COUNT       seconds (and bytes) of a binlog dump of COUNT transactions */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* Reads the packets of a binlog dump and looks at nothing but the event's type, until `want` transactions
 * (XID events) have gone by. */
static void run_binlog(MYSQL *m, const char *file, unsigned long position, unsigned long want)
{
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
        transactions += m->net.read_pos[5] == XID_EVENT;
    }
    printf("%.6f %lu\n", now() - start, bytes);
    mariadb_rpl_close(rpl);
}

int main(int argc, char **argv)
{
    MYSQL *m = mysql_init(NULL);
    if (argc < 4 || !m)
        return 2;
    if (!mysql_real_connect(m, "127.0.0.1", "root", "", NULL, (unsigned)atoi(argv[1]), NULL, 0))
        fail(m, "connect");
    if (strcmp(argv[2], "select") == 0)
        run_select(m, argv[3]);
    else
        run_binlog(m, argv[3], strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
    mysql_close(m);
    return 0;
}
