/* Goal: relay.v1 is written and read as docs/protocol.md says, and peers' bytes are bounded.
 * Method: the examples of that document, each put into words, bytes and values again; then messages
 * of each kind, cut at every place, with codes of later versions, and too long ones. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "wire/subprotocol/relay_v1.h"

#define EXAMPLES "```relay.v1\n"

enum { TEXT_SIZE = 512, EXAMPLES_MIN = 13 };

/* The words in front of an example's bytes. */
static void envelope_words(const struct relay_v1_envelope *envelope, char *text)
{
    snprintf(text, TEXT_SIZE,
             "envelope kind=%u flags=%u source=%u sequence=%" PRIu32 " sent=%" PRIu64
             " received=%" PRIu64 " forwarded=%" PRIu64,
             envelope->kind, envelope->flags, envelope->source, envelope->sequence,
             envelope->sent_us, envelope->received_us, envelope->forwarded_us);
}

static void report_words(const struct relay_v1_report *report, char *text)
{
    snprintf(text, TEXT_SIZE,
             "report sent=%" PRIu64 " forwarded=%" PRIu64 " arrived=%" PRIu64 " shown=%" PRIu64
             " queued=%" PRIu32 " dropped=%" PRIu32 " round_trip=%" PRIu32,
             report->sent_us, report->forwarded_us, report->arrived_us, report->shown_us,
             report->queued, report->dropped, report->round_trip_us);
}

static void control_words(const struct relay_v1_control *control, char *text)
{
    switch ((unsigned)control->kind) {
    case RELAY_V1_VIEWERS:
        snprintf(text, TEXT_SIZE, "viewers viewers=%" PRIu32, control->viewers);
        return;
    case RELAY_V1_KEY_PICTURE:
        snprintf(text, TEXT_SIZE, "key_picture reason=%d", control->key_reason);
        return;
    case RELAY_V1_LIVE:
        snprintf(text, TEXT_SIZE, "live live=%d publishers=%" PRIu32, control->live.is_live,
                 control->live.publishers);
        return;
    case RELAY_V1_CLOCK_REQUEST:
        snprintf(text, TEXT_SIZE, "clock_request asked=%" PRIu64, control->clock.asked);
        return;
    case RELAY_V1_CLOCK_ANSWER:
        snprintf(text, TEXT_SIZE,
                 "clock_answer asked=%" PRIu64 " arrived=%" PRIu64 " answered=%" PRIu64,
                 control->clock.asked, control->clock.arrived_us, control->clock.answered_us);
        return;
    case RELAY_V1_REPORT:
        report_words(&control->report, text);
        return;
    case RELAY_V1_LEASE:
        snprintf(text, TEXT_SIZE, "lease state=%d refused=%" PRIu32 " idle_ms=%" PRIu32,
                 control->lease.state, control->lease.refused, control->lease.idle_ms);
        return;
    case RELAY_V1_TOKEN:
        snprintf(text, TEXT_SIZE, "token token=%.*s", (int)control->token.len,
                 (const char *)control->token.data);
        return;
    case RELAY_V1_EXPIRY:
        snprintf(text, TEXT_SIZE, "expiry result=%d expires=%" PRIu64, control->expiry.result,
                 control->expiry.expires_s);
        return;
    default:
        cr_assert(false, "no control message");
    }
}

static void check_example(const char *words, const uint8_t *bytes, size_t len)
{
    uint8_t written[TEXT_SIZE];
    char text[TEXT_SIZE] = "";
    size_t written_len = 0;

    cr_assert_gt(len, 0, "%s", words);
    if (relay_v1_is_payload(bytes[0])) {
        struct relay_v1_envelope envelope;

        cr_assert_eq(len, RELAY_V1_ENVELOPE_SIZE, "%s", words);
        relay_v1_envelope_read(bytes, &envelope);
        envelope_words(&envelope, text);
        relay_v1_envelope_write(&envelope, written);
        written_len = RELAY_V1_ENVELOPE_SIZE;
    } else {
        struct relay_v1_control control;

        cr_assert_eq(relay_v1_control_read(bytes_of(bytes, len), &control), RELAY_V1_OK, "%s",
                     words);
        control_words(&control, text);
        written_len = relay_v1_control_write(&control, written, sizeof written);
    }
    cr_assert_str_eq(text, words);
    cr_assert_eq(written_len, len, "%s", words);
    cr_assert_arr_eq(written, bytes, len, "%s", words);
}

/* Reads "0a ff" and appends it; false: the line is none of bytes. */
static bool take_bytes(const char *line, uint8_t *bytes, size_t *len)
{
    if (bytes_hex_digit_value((uint8_t)line[0]) < 0 ||
        bytes_hex_digit_value((uint8_t)line[1]) < 0 || (line[2] != ' ' && line[2] != '\n')) {
        return false;
    }
    while (*line != '\n') {
        bytes[(*len)++] = (uint8_t)(bytes_hex_digit_value((uint8_t)line[0]) << 4 |
                                    bytes_hex_digit_value((uint8_t)line[1]));
        line += line[2] == ' ' ? 3 : 2;
    }
    return true;
}

static FILE *open_document(void)
{
    char path[1024];
    const char *source = getenv("RELAY_SOURCE");

    snprintf(path, sizeof path, "%s/docs/protocol.md", source == NULL ? "." : source);
    FILE *file = fopen(path, "r");

    cr_assert_not_null(file, "%s", path);
    return file;
}

Test(relay_v1, examples_of_the_document_are_written_and_read)
{
    FILE *file = open_document();
    char line[TEXT_SIZE], words[TEXT_SIZE] = "";
    uint8_t bytes[TEXT_SIZE];
    size_t len = 0;
    bool is_inside = false;
    unsigned examples = 0;

    while (fgets(line, sizeof line, file) != NULL) {
        if (is_inside && !take_bytes(line, bytes, &len)) {
            if (words[0] != '\0') {
                check_example(words, bytes, len);
                examples++;
            }
            is_inside = strcmp(line, "```\n") != 0;
            len = 0;
            line[strcspn(line, "\n")] = '\0';
            snprintf(words, sizeof words, "%s", is_inside ? line : "");
        } else if (strcmp(line, EXAMPLES) == 0) {
            is_inside = true;
        }
    }
    fclose(file);
    cr_assert_geq(examples, EXAMPLES_MIN);
}

Test(relay_v1, reserved_kinds_of_payload_and_flags_are_read_as_known_ones)
{
    uint8_t buf[RELAY_V1_ENVELOPE_SIZE];
    struct relay_v1_envelope envelope = {.kind = RELAY_V1_PAYLOAD_MAX,
                                         .flags = 0xff,
                                         .source = UINT16_MAX,
                                         .sequence = UINT32_MAX,
                                         .sent_us = UINT64_MAX};

    relay_v1_envelope_write(&envelope, buf);
    relay_v1_envelope_read(buf, &envelope);
    cr_assert_eq(envelope.kind, RELAY_V1_DATA);
    cr_assert_eq(envelope.flags, RELAY_V1_TEXT | RELAY_V1_GAP | RELAY_V1_CATCH_UP);
    cr_assert_eq(envelope.source, UINT16_MAX);
    cr_assert_eq(envelope.sequence, UINT32_MAX);
    cr_assert_eq(envelope.sent_us, UINT64_MAX);
}

static const struct {
    uint8_t kind;
    size_t size;
} sizes[] = {
    {RELAY_V1_VIEWERS, 8},        {RELAY_V1_KEY_PICTURE, 4},   {RELAY_V1_LIVE, 8},
    {RELAY_V1_CLOCK_REQUEST, 12}, {RELAY_V1_CLOCK_ANSWER, 28}, {RELAY_V1_REPORT, 48},
    {RELAY_V1_LEASE, 12},         {RELAY_V1_TOKEN, 4},         {RELAY_V1_EXPIRY, 12},
};

Test(relay_v1, a_control_message_may_be_longer_but_not_shorter)
{
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        uint8_t message[TEXT_SIZE] = {sizes[i].kind};
        struct relay_v1_control control = {.kind = RELAY_V1_DATA};

        for (size_t len = 1; len < sizes[i].size; len++) {
            cr_assert_eq(relay_v1_control_read(bytes_of(message, len), &control),
                         RELAY_V1_TOO_SHORT, "kind %x, %zu bytes", sizes[i].kind, len);
            cr_assert_eq(control.kind, RELAY_V1_DATA, "untouched on failure");
        }
        for (size_t len = sizes[i].size; len < sizes[i].size + 3; len++) {
            cr_assert_eq(relay_v1_control_read(bytes_of(message, len), &control), RELAY_V1_OK,
                         "kind %x, %zu bytes", sizes[i].kind, len);
            cr_assert_eq(control.kind, sizes[i].kind);
        }
    }
}

Test(relay_v1, kinds_and_codes_of_later_versions_are_unknown)
{
    static const struct {
        uint8_t kind, code;
    } cases[] = {
        {0x00, 0},
        {0x3f, 0},
        {0x49, 0},
        {0xff, 0},
        {RELAY_V1_KEY_PICTURE, RELAY_V1_KEY_ASKED + 1},
        {RELAY_V1_LIVE, 2},
        {RELAY_V1_LEASE, RELAY_V1_LEASE_GIVE + 1},
        {RELAY_V1_EXPIRY, RELAY_V1_EXPIRY_TOO_OFTEN + 1},
        {RELAY_V1_EXPIRY, 0xff},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t message[RELAY_V1_FIXED_MAX] = {cases[i].kind, cases[i].code};
        struct relay_v1_control control;

        cr_assert_eq(relay_v1_control_read(bytes_of(message, sizeof message), &control),
                     RELAY_V1_UNKNOWN, "case %zu", i);
    }
}

Test(relay_v1, the_longest_token_is_read_and_a_longer_message_is_not)
{
    static uint8_t message[RELAY_V1_CONTROL_MAX + 1];
    struct relay_v1_control control;

    message[0] = RELAY_V1_TOKEN;
    cr_assert_eq(relay_v1_control_read(bytes_of(message, RELAY_V1_CONTROL_MAX), &control),
                 RELAY_V1_OK);
    cr_assert_eq(control.token.len, RELAY_V1_TOKEN_MAX);
    cr_assert_eq(relay_v1_control_read(bytes_of(message, sizeof message), &control),
                 RELAY_V1_TOO_LONG);
    cr_assert_eq(relay_v1_control_read(bytes_of(message, 0), &control), RELAY_V1_TOO_SHORT);
}

Test(relay_v1, what_does_not_fit_is_not_written)
{
    uint8_t buf[RELAY_V1_FIXED_MAX];
    struct relay_v1_control report = {.kind = RELAY_V1_REPORT};
    struct relay_v1_control token = {.kind = RELAY_V1_TOKEN, .token = bytes_of_text("a.b.c")};

    cr_assert_eq(relay_v1_control_write(&report, buf, sizeof buf), RELAY_V1_FIXED_MAX);
    cr_assert_eq(relay_v1_control_write(&report, buf, sizeof buf - 1), 0);
    cr_assert_eq(relay_v1_control_write(&token, buf, 8), 0);
    cr_assert_eq(relay_v1_control_write(&token, buf, 9), 9);
}
