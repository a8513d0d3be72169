/* broker/log/logdir.h - the directory that holds all logs, as Kafka lays it out: who owns it, what
 * it is called, whether the last stop was orderly, and the names of what lies in it.
 * SPEC: broker 0.2, 4.1.
 *
 *   .lock                              held for the life of the process; holds its number
 *   meta.properties                    version=1, cluster.id, node.id, directory.id
 *   .kafka_cleanshutdown               there after an orderly stop, while nobody uses the directory
 *   recovery-point-offset-checkpoint   see log/checkpoint.h
 *   log-start-offset-checkpoint
 *   replication-offset-checkpoint      high watermarks
 *   cleaner-offset-checkpoint          where compaction goes on
 *   weir-tails-checkpoint              how long files were when all of them was durable
 *   weir-boot                          the start of the machine in which logs were written last
 *   NAME-N/                            partition N of topic NAME
 *   NAME-N.HEX-delete/                 on its way out
 *
 * Owner: the topic registry; not for several threads at once. */
#ifndef WEIR_BROKER_LOG_LOGDIR_H
#define WEIR_BROKER_LOG_LOGDIR_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/fs.h"

#define LOGDIR_RECOVERY_POINTS "recovery-point-offset-checkpoint"
#define LOGDIR_LOG_STARTS "log-start-offset-checkpoint"
#define LOGDIR_HIGH_WATERMARKS "replication-offset-checkpoint"
#define LOGDIR_CLEANED "cleaner-offset-checkpoint"
#define LOGDIR_TAILS "weir-tails-checkpoint"
#define LOGDIR_DELETED "-delete"

struct logdir {
    char *path;
    struct fs_file lock;
    char cluster_id[UUID_TEXT_SIZE];
    bool clean;     /* the last stop was orderly */
    bool same_boot; /* the machine has not been started anew since the directory was in use */
};

/* Takes the lock and reads or creates meta.properties (cluster id from CLUSTER_ID at the first
 * start). E_CONFLICT: another process has the directory. E_IO. On failure nothing is held. */
enum err logdir_open(struct logdir *d, const char *path, int32_t node_id,
                     struct error *e) MUST_CHECK;
/* Notes which start of the machine this is. From now on only logdir_close(clean) makes the next start a trusting one. */
enum err logdir_begin(struct logdir *d, struct error *e) MUST_CHECK;
void logdir_close(struct logdir *d, bool clean);

/* Caller frees. */
char *logdir_path(const struct logdir *d, const char *name);
char *logdir_partition_path(const struct logdir *d, struct slice topic, int32_t partition);
/* A name for the directory of a deleted partition, not longer than a file name may be. */
char *logdir_deleted_path(const struct logdir *d, struct slice topic, int32_t partition);
/* Splits "NAME-N"; false when it is no partition's directory. */
bool logdir_parse(const char *name, struct slice *topic, int32_t *partition);
/* Topic id from the partition.metadata of the directory; false when it is missing or damaged. */
bool logdir_topic_id(const struct logdir *d, const char *name, struct uuid *out);

#endif
