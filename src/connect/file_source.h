/* connect/file_source.h - org.apache.kafka.connect.file.FileStreamSourceConnector: one record for
 * each line of a file that grows, as in Kafka's quick start. */
#ifndef WEIR_CONNECT_FILE_SOURCE_H
#define WEIR_CONNECT_FILE_SOURCE_H

#include "connect/connector.h"

extern const struct connector_ops file_source_connector;

#endif
