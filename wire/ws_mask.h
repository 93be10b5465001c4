/* Masking and unmasking of WebSocket payloads (RFC 6455 §5.3; the same operation both ways).
 * Pure, any thread, portable: 8-byte words that compilers vectorise, no intrinsics. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Copies len bytes and applies the mask in the same pass. phase: number of preceding payload bytes
 * of this frame (only its value modulo 4 matters). target and source must not overlap. */
void ws_mask_copy(uint8_t *restrict target, const uint8_t *restrict source, size_t len,
                  const uint8_t mask[static 4], uint64_t phase);

/* The same, in place. */
void ws_mask_apply(uint8_t *bytes, size_t len, const uint8_t mask[static 4], uint64_t phase);
