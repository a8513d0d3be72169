/* broker/proto/codec_internal.h - what codec.c (wire) and codec_trace.c (text) share. */
#ifndef WEIR_BROKER_PROTO_CODEC_INTERNAL_H
#define WEIR_BROKER_PROTO_CODEC_INTERNAL_H

#include "base/base.h"
#include "broker/proto/schema.h"

/* Whether the field of msg holds what an absent one would. */
bool codec_is_default(const struct field_desc *f, const char *msg);

#endif
