/* connect/file_sink.h - org.apache.kafka.connect.file.FileStreamSinkConnector: the text of each value
 * as a line at the end of a file, as in Kafka's quick start. */
#ifndef WEIR_CONNECT_FILE_SINK_H
#define WEIR_CONNECT_FILE_SINK_H

#include "connect/connector.h"

extern const struct connector_ops file_sink_connector;

#endif
