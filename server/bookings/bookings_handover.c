#include "server/bookings/bookings_handover.h"

#include <errno.h>
#include <string.h>

#include "server/handover/handover_format.h"

enum booking_field { BOOKING_LIST = 1, BOOKING_EXP = 2, BOOKING_ID = 3 };

enum code_field {
    CODE_CODE = 1,
    CODE_TOPIC = 2,
    CODE_BOOKING_ID = 3,
    CODE_EXP = 4,
    CODE_NBF = 5,
    CODE_SCOPES = 6,
    CODE_RIGHTS = 7,
    CODE_LEFT_MS = 8,
};

enum code_right { RIGHT_READ = 1, RIGHT_WRITE = 2, RIGHT_SESSION = 4 };

/* The texts of one, and the heads of its fields. */
enum { RECORD_BYTES_MAX = sizeof(struct permission) + CODE_SIZE + 256 };

size_t bookings_handover_size(struct bookings *bookings, struct code_store *codes)
{
    size_t count = code_store_count(codes);

    for (unsigned list = 0; list < BOOKING_LISTS; list++) {
        count += bookings_count(bookings, (enum booking_list)list);
    }
    return (count + 1) * RECORD_BYTES_MAX;
}

struct writing {
    struct handover_writer *writer;
    enum booking_list list;
    bool fits;
};

static void write_booking(const char *booking_id, int64_t exp_s, void *context)
{
    struct writing *writing = context;

    handover_writer_begin(writing->writer, HANDOVER_BOOKING, 0);
    handover_writer_number(writing->writer, BOOKING_LIST, writing->list);
    handover_writer_number(writing->writer, BOOKING_EXP, (uint64_t)exp_s);
    handover_writer_bytes(writing->writer, BOOKING_ID, bytes_of_text(booking_id));
    writing->fits = handover_writer_end(writing->writer) && writing->fits;
}

static void write_code(const char *code, const struct permission *permission, uint64_t left_ms,
                       void *context)
{
    struct writing *writing = context;
    struct handover_writer *writer = writing->writer;

    handover_writer_begin(writer, HANDOVER_CODE, 0);
    handover_writer_bytes(writer, CODE_CODE, bytes_of_text(code));
    handover_writer_bytes(writer, CODE_TOPIC, bytes_of_text(permission->topic));
    handover_writer_bytes(writer, CODE_BOOKING_ID, bytes_of_text(permission->booking_id));
    handover_writer_number(writer, CODE_EXP, (uint64_t)permission->exp_s);
    handover_writer_number(writer, CODE_NBF, (uint64_t)permission->nbf_s);
    handover_writer_bytes(writer, CODE_SCOPES, bytes_of_text(permission->scopes_json));
    handover_writer_number(writer, CODE_RIGHTS,
                           (permission->can_read ? RIGHT_READ : 0u) |
                               (permission->can_write ? RIGHT_WRITE : 0u) |
                               (permission->is_session ? RIGHT_SESSION : 0u));
    handover_writer_number(writer, CODE_LEFT_MS, left_ms);
    writing->fits = handover_writer_end(writer) && writing->fits;
}

bool bookings_handover_write(struct bookings *bookings, struct code_store *codes, uint64_t now_ms,
                             int64_t now_s, struct handover_writer *writer)
{
    struct writing writing = {.writer = writer, .fits = true};

    for (unsigned list = 0; list < BOOKING_LISTS; list++) {
        writing.list = (enum booking_list)list;
        bookings_for_each(bookings, writing.list, now_s, write_booking, &writing);
    }
    code_store_for_each(codes, now_ms, write_code, &writing);
    return writing.fits;
}

/* A text without a zero in it, which fits. */
static bool read_text(const struct handover_record *record, uint16_t id, char *text, size_t size)
{
    struct bytes bytes;

    return handover_reader_bytes(record, id, &bytes) && bytes_find(bytes, '\0') == bytes.len &&
           bytes_to_text(bytes, text, size) == 0;
}

static bool read_time(const struct handover_record *record, uint16_t id, int64_t *ret_time)
{
    uint64_t value;

    if (!handover_reader_number(record, id, &value)) {
        return false;
    }
    *ret_time = (int64_t)value;
    return true;
}

static int read_booking(struct bookings *bookings, const struct handover_record *record,
                        int64_t now_s)
{
    char id[TOKEN_TEXT_SIZE];
    uint64_t list;
    int64_t exp_s;

    if (!handover_reader_number(record, BOOKING_LIST, &list) ||
        !read_time(record, BOOKING_EXP, &exp_s) || !read_text(record, BOOKING_ID, id, sizeof id) ||
        list >= BOOKING_LISTS) {
        return -EINVAL;
    }
    if (list == BOOKINGS_DENIED) {
        return bookings_deny(bookings, id, exp_s, now_s);
    }
    bookings_allow(bookings, id, exp_s, now_s);
    return 0;
}

bool bookings_handover_write_denial(const char *booking_id, int64_t exp_s,
                                    struct handover_writer *writer)
{
    handover_writer_begin(writer, HANDOVER_DENIED, 0);
    handover_writer_number(writer, BOOKING_EXP, (uint64_t)exp_s);
    handover_writer_bytes(writer, BOOKING_ID, bytes_of_text(booking_id));
    return handover_writer_end(writer);
}

bool bookings_handover_read_denial(const struct handover_record *record,
                                   char booking_id[static TOKEN_TEXT_SIZE], int64_t *ret_exp_s)
{
    return record->kind == HANDOVER_DENIED && read_time(record, BOOKING_EXP, ret_exp_s) &&
           read_text(record, BOOKING_ID, booking_id, TOKEN_TEXT_SIZE);
}

static bool read_permission(const struct handover_record *record, struct permission *permission)
{
    uint64_t rights;

    if (!read_text(record, CODE_TOPIC, permission->topic, sizeof permission->topic) ||
        !read_text(record, CODE_BOOKING_ID, permission->booking_id,
                   sizeof permission->booking_id) ||
        !read_time(record, CODE_EXP, &permission->exp_s) ||
        !read_time(record, CODE_NBF, &permission->nbf_s) ||
        !read_text(record, CODE_SCOPES, permission->scopes_json, sizeof permission->scopes_json) ||
        !handover_reader_number(record, CODE_RIGHTS, &rights)) {
        return false;
    }
    permission->can_read = (rights & RIGHT_READ) != 0;
    permission->can_write = (rights & RIGHT_WRITE) != 0;
    permission->is_session = (rights & RIGHT_SESSION) != 0;
    return true;
}

static int read_code(struct code_store *codes, const struct handover_record *record,
                     uint64_t now_ms)
{
    struct permission permission = {0};
    char code[CODE_SIZE];
    uint64_t left_ms;
    int failed = -EINVAL;

    if (read_text(record, CODE_CODE, code, sizeof code) && strlen(code) == CODE_SIZE - 1 &&
        read_permission(record, &permission) &&
        handover_reader_number(record, CODE_LEFT_MS, &left_ms)) {
        failed = code_store_restore(codes, code, &permission, left_ms, now_ms);
    }
    bytes_wipe(code, sizeof code);
    return failed;
}

int bookings_handover_read(struct bookings *bookings, struct code_store *codes,
                           const struct handover_record *record, uint64_t now_ms, int64_t now_s)
{
    switch (record->kind) {
    case HANDOVER_BOOKING:
        return read_booking(bookings, record, now_s);
    case HANDOVER_CODE:
        return read_code(codes, record, now_ms);
    default:
        return -EINVAL;
    }
}
