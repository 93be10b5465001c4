/* Bookings and unused codes as records of a hand-over (docs/handover.md): written by the program
 * that serves, while no request changes them, and read by the one that follows, before it opens the
 * file of bookings. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/bookings/bookings.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"

/* Bytes that they take at most. */
size_t bookings_handover_size(struct bookings *bookings, struct code_store *codes);

/* False: they do not fit. now_ms is of the clock of the codes, as below. */
MUST_USE bool bookings_handover_write(struct bookings *bookings, struct code_store *codes,
                                      uint64_t now_ms, int64_t now_s,
                                      struct handover_writer *writer);

/* A message of HANDOVER_DENIED, of one booking. False: it does not fit. */
MUST_USE bool bookings_handover_write_denial(const char *booking_id, int64_t exp_s,
                                             struct handover_writer *writer);
/* False: it is none. */
MUST_USE bool bookings_handover_read_denial(const struct handover_record *record,
                                            char booking_id[static TOKEN_TEXT_SIZE],
                                            int64_t *ret_exp_s);

/* A record of HANDOVER_BOOKING or HANDOVER_CODE. 0; -EINVAL: it is none; -ENOSPC: there is no room
 * (a denial must not be forgotten, nor a code that was given out). */
MUST_USE int bookings_handover_read(struct bookings *bookings, struct code_store *codes,
                                    const struct handover_record *record, uint64_t now_ms,
                                    int64_t now_s);
