/* A letter: one 64-bit word from thread to thread, made of a kind, a pointer and the index of the
 * worker that it is for. Ownership of the pointee passes to the receiver. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum letter_kind {
    LETTER_PARCEL, /* of the layer above (hub/parcel.h) */
    LETTER_HOME,   /* struct outbox_item and those behind it: back where they were made */
    LETTER_CALL,   /* struct call: run it on this worker */
};

uint64_t letter_pack(enum letter_kind kind, const void *pointer, unsigned target);
enum letter_kind letter_kind(uint64_t letter);
unsigned letter_target(uint64_t letter); /* index of the worker it is for */
void *letter_pointer(uint64_t letter);
bool letter_is(uint64_t user_data);
