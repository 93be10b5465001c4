/* Which bookings are denied and which were allowed, until their tokens expire; and the one-time
 * codes, because both must change together: a denied booking has no code and gets none. Shared by
 * all workers behind one mutex, which is taken when tokens and codes are handled, never on the data
 * path. Bounded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/bookings/code_store.h"

struct bookings;

enum booking_list { BOOKINGS_DENIED, BOOKINGS_ALLOWED, BOOKING_LISTS };

/* bookings_max entries in each list. codes stays the caller's. NULL when memory is out. */
MUST_USE struct bookings *bookings_create(uint32_t bookings_max, struct code_store *codes);
/* Accepts NULL. */
void bookings_destroy(struct bookings *bookings);

/* Moves the booking to the list of denied ones and kills its unused codes. 0, or -ENOSPC when the
 * list is full of bookings that have not expired; the codes are killed all the same. */
MUST_USE int bookings_deny(struct bookings *bookings, const char *booking_id, int64_t exp_s,
                           int64_t now_s);

/* Moves the booking to the list of allowed ones. An entry that does not fit is only not listed. */
void bookings_allow(struct bookings *bookings, const char *booking_id, int64_t exp_s,
                    int64_t now_s);

/* Where the booking is listed, expired or not. False: nowhere. */
bool bookings_find(struct bookings *bookings, const char *booking_id, enum booking_list *ret_list,
                   int64_t *ret_exp_s);

bool bookings_is_denied(struct bookings *bookings, const char *booking_id, int64_t now_s);

/* A code that was given. The receiver wipes it. */
struct grant {
    char code[CODE_SIZE];
    bool is_new; /* the booking was not listed as allowed with this expiry before */
};

/* A code for a booking that is not denied, noted as allowed. 0; -EACCES: denied; -ENOSPC: too many
 * codes. One step: no denial can fall between the look and the code. */
MUST_USE int bookings_grant(struct bookings *bookings, const struct permission *permission,
                            uint64_t now_ms, int64_t now_s, struct grant *ret_grant);

/* A newer token for a booking that is not denied: it is listed as allowed until then, or longer if
 * it is already. ret_is_new as in struct grant. 0, or -EACCES: denied. One step, as above. */
MUST_USE int bookings_extend(struct bookings *bookings, const char *booking_id, int64_t exp_s,
                             int64_t now_s, bool *ret_is_new);

/* Entries of the list, expired ones included. */
uint32_t bookings_count(struct bookings *bookings, enum booking_list list);

/* Calls on_entry for each entry that has not expired; the mutex is held, so it must not call back.
 */
void bookings_for_each(struct bookings *bookings, enum booking_list list, int64_t now_s,
                       void (*on_entry)(const char *booking_id, int64_t exp_s, void *context),
                       void *context);

/* Forgets expired entries. Returns how many. */
uint32_t bookings_tidy(struct bookings *bookings, int64_t now_s);
