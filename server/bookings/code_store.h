/* One-time codes: each stands for a permission, works once and for a limited time. Shared by all
 * workers behind a mutex, held for a look-up only: codes are handled when connections come, never
 * on the data path. Bounded; expired codes make room first. Codes are kept in memory only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/random.h"
#include "server/bookings/permission.h"

struct code_store;

enum code_sizes { CODE_SIZE = RANDOM_UUID_SIZE };

enum code_store_limits {
    CODES_SHARES = 4, /* one booking and topic may have a quarter of RELAY_CODES_MAX unused */
    CODE_SESSION_BUCKETS = 65536,
};

/* NULL when memory is out. */
MUST_USE struct code_store *code_store_create(uint32_t codes_max, uint64_t ttl_ms);

/* Accepts NULL. */
void code_store_destroy(struct code_store *store);

/* Makes a code for the permission, which is good for its time to live whatever comes after it. 0,
 * or -ENOSPC when codes_max unused ones are waiting, or a CODES_SHARES-th of that of the same
 * booking and topic. */
MUST_USE int code_store_put(struct code_store *store, const struct permission *permission,
                            uint64_t now_ms, char code[static CODE_SIZE]);

/* How long until the oldest unused code expires, which makes room; 0: there is none. */
uint64_t code_store_room_after_ms(struct code_store *store, uint64_t now_ms);

/* Each unused code that has not expired, oldest first, and how long it is good for; the mutex is
 * held, so on_code must not call back. */
void code_store_for_each(struct code_store *store, uint64_t now_ms,
                         void (*on_code)(const char *code, const struct permission *permission,
                                         uint64_t left_ms, void *context),
                         void *context);

/* A code that another program gave out, good for left_ms and no longer than one of ours; older ones
 * first. 0, or -ENOSPC: there is no room. */
MUST_USE int code_store_restore(struct code_store *store, const char code[static CODE_SIZE],
                                const struct permission *permission, uint64_t left_ms,
                                uint64_t now_ms);

/* Uses a code up. 0, or -ENOENT: never given out, used, or older than the time to live. */
MUST_USE int code_store_take(struct code_store *store, struct bytes code, uint64_t now_ms,
                             struct permission *ret_permission);

/* Discards all unused codes of the booking. */
void code_store_discard_booking(struct code_store *store, const char *booking_id);

/* Codes that wait to be used, expired ones included. */
uint32_t code_store_count(struct code_store *store);
