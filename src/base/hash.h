/* base/hash.h - checksums and hashes. Pure; thread: any. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "base/str.h"

/* CRC-32C (Castagnoli), as in record batches: SSE4.2 when the CPU has it. Start with crc = 0; may
 * be continued with the result. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
uint32_t crc32c_table(uint32_t crc, const void *p, size_t n); /* the portable form, for tests */
/* CRC-32 (IEEE), as in old message sets and binlog events. */
uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n);
/* Java client's partitioner: murmur2, seed 0x9747b28c. Partition = (murmur2 & 0x7fffffff) % count.
 */
uint32_t murmur2(struct slice key);
uint64_t hash64(struct slice s,
                uint64_t seed); /* for tables in memory; not stable across versions */
void sha256(struct slice s, uint8_t out[32]);

#endif
