/* Goal: what a stream carries is read from its tables, damaged ones change nothing, and pictures
 * are judged on the PID that the tables name. Method: sections made byte by byte (ISO/IEC 13818-1
 * §2.4.4), then damaged and cut. */
#include <criterion/criterion.h>

#include "base/attributes.h"
#include "tests/unit/wire/media/mpegts_tables.h"
#include "wire/media/mpegts_program.h"

static const uint8_t idr_alone[] = {0, 0, 1, 0x65, 0x88};
static const uint8_t idr_whole[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 0x88};
static const uint8_t slice[] = {0, 0, 1, 0x41, 0x9a};

static struct mpegts_findings take(struct mpegts_program *program, const uint8_t *raw)
{
    struct mpegts_findings findings = {0};
    struct mpegts_packet packet;

    cr_assert_eq(mpegts_packet_parse(bytes_of(raw, MPEGTS_PACKET_SIZE), &packet), 0);
    mpegts_program_take(program, &packet, &findings);
    return findings;
}

static void begin(struct mpegts_program *program, uint8_t stream_type, uint16_t pid)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];

    mpegts_program_init(program);
    craft_pat(raw);
    (void)take(program, raw);
    craft_pmt(stream_type, pid, raw);
    (void)take(program, raw);
}

Test(mpegts_program, knows_video_by_its_stream_type)
{
    static const struct {
        uint8_t type;
        enum mpegts_video video;
        enum video_codec codec;
    } cases[] = {
        {0x01, MPEGTS_VIDEO_PRESENT, VIDEO_CODEC_MPEG12},
        {0x02, MPEGTS_VIDEO_PRESENT, VIDEO_CODEC_MPEG12},
        {0x10, MPEGTS_VIDEO_PRESENT, VIDEO_CODEC_MPEG4},
        {0x1b, MPEGTS_VIDEO_PRESENT, VIDEO_CODEC_H264},
        {0x24, MPEGTS_VIDEO_PRESENT, VIDEO_CODEC_H265},
        {0xea, MPEGTS_VIDEO_PRESENT, VIDEO_CODEC_UNKNOWN},
        {0x03, MPEGTS_VIDEO_NONE, VIDEO_CODEC_UNKNOWN},
        {0x0f, MPEGTS_VIDEO_NONE, VIDEO_CODEC_UNKNOWN},
        {0x06, MPEGTS_VIDEO_NONE, VIDEO_CODEC_UNKNOWN},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct mpegts_program program;

        begin(&program, cases[i].type, PID_AUDIO);
        cr_expect_eq(program.video, cases[i].video, "type %02x", cases[i].type);
        cr_expect_eq(program.codec, cases[i].codec, "type %02x", cases[i].type);
        cr_expect_eq(program.video_pid,
                     cases[i].video == MPEGTS_VIDEO_PRESENT ? PID_AUDIO : MPEGTS_PID_NULL);
    }
}

Test(mpegts_program, damaged_and_coming_tables_change_nothing)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];
    struct mpegts_program program;

    /* Each byte of the section but those of the stuffing behind it. */
    for (size_t at = 5; at < 5 + 21; at++) {
        begin(&program, 0x1b, PID_VIDEO);
        craft_pmt(0x03, PID_AUDIO, raw);
        raw[at] ^= 0x01;
        (void)take(&program, raw);
        cr_expect_eq(program.video, MPEGTS_VIDEO_PRESENT, "byte %zu", at);
        cr_expect_eq(program.video_pid, PID_VIDEO, "byte %zu", at);
    }
    begin(&program, 0x1b, PID_VIDEO);
    craft_pmt(0x03, PID_AUDIO, raw);
    (void)take(&program, raw);
    cr_expect_eq(program.video, MPEGTS_VIDEO_NONE, "the whole one does");
}

/* Long descriptors: a section over several packets, as DVB has them. */
Test(mpegts_program, puts_sections_together_and_finds_video_behind_descriptors)
{
    const uint8_t fixed[] = {0xe1, 0, 0xf0 | 300 >> 8, 300 & 0xff}; /* program_info of 300 bytes */
    uint8_t entries[300 + 5 + 200 + 5] = {0};
    uint8_t section[600], raw[MPEGTS_PACKET_SIZE];
    struct mpegts_program program;
    size_t len, offset = 0;

    memcpy(entries + 300, (uint8_t[]){0x0f, 0xe1, 1, 0xf0, 200}, 5);
    memcpy(entries + 505, (uint8_t[]){0x24, 0xe1, 2, 0xf0, 0}, 5);
    len = craft_section(2, fixed, sizeof fixed, entries, sizeof entries, section);
    mpegts_program_init(&program);
    craft_pat(raw);
    (void)take(&program, raw);
    while (offset < len) {
        cr_expect_eq(program.video, MPEGTS_VIDEO_UNKNOWN);
        offset = craft_section_packet(PID_PMT, section, len, offset, raw);
        (void)take(&program, raw);
    }
    cr_expect_eq(program.video, MPEGTS_VIDEO_PRESENT);
    cr_expect_eq(program.codec, VIDEO_CODEC_H265);
    cr_expect_eq(program.video_pid, 0x102);
}

Test(mpegts_program, several_programs_are_not_judged)
{
    const uint8_t entries[] = {0, 0, 0xe0, 0x10, 0, 1, 0xf0, 0, 0, 2, 0xf1, 0};
    uint8_t section[64], raw[MPEGTS_PACKET_SIZE];
    struct mpegts_program program;
    size_t len = craft_section(0, entries, 0, entries, sizeof entries, section);

    begin(&program, 0x03, PID_AUDIO);
    (void)craft_section_packet(MPEGTS_PID_PAT, section, len, 0, raw);
    (void)take(&program, raw);
    cr_expect_eq(program.video, MPEGTS_VIDEO_UNKNOWN);
    cr_expect_eq(program.map_pid, MPEGTS_PID_NULL);
}

Test(mpegts_program, a_picture_that_no_table_names_is_video_all_the_same)
{
    uint8_t raw[MPEGTS_PACKET_SIZE];
    struct mpegts_program program;
    struct mpegts_findings findings;

    begin(&program, 0x06, PID_AUDIO);
    craft_picture(idr_alone, sizeof idr_alone, true, raw);
    findings = take(&program, raw);
    cr_expect(findings.marked && !findings.key);
    craft_pmt(0x06, PID_AUDIO, raw);
    (void)take(&program, raw);
    cr_expect_eq(program.video, MPEGTS_VIDEO_PRESENT);
}

Test(mpegts_program, finds_key_pictures_with_and_without_mark_and_parameters)
{
    static const struct {
        const uint8_t *stream;
        size_t len;
        bool marked;
        struct mpegts_findings findings;
    } cases[] = {
        {idr_whole, sizeof idr_whole, true, {true, true, false}},
        {idr_whole, sizeof idr_whole, false, {false, true, false}},
        {idr_alone, sizeof idr_alone, true, {true, true, true}},
        {slice, sizeof slice, false, {false, false, false}},
        {slice, sizeof slice, true, {true, false, false}},
    };
    struct mpegts_program program;

    begin(&program, 0x1b, PID_VIDEO);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t raw[MPEGTS_PACKET_SIZE];
        struct mpegts_findings findings;

        craft_picture(cases[i].stream, cases[i].len, cases[i].marked, raw);
        findings = take(&program, raw);
        cr_expect_eq(findings.marked, cases[i].findings.marked, "%zu", i);
        cr_expect_eq(findings.key, cases[i].findings.key, "%zu", i);
        cr_expect_eq(findings.without_parameters, cases[i].findings.without_parameters, "%zu", i);
    }
}

Test(mpegts_program, a_mark_counts_where_a_picture_starts)
{
    static const struct craft unmarked[] = {
        {PID_AUDIO, true, STREAM_ID_AUDIO, 0, true, 0, 0},
        {PID_VIDEO, false, 0, 0, true, 0, 1},
        {PID_VIDEO, true, STREAM_ID_VIDEO, 0, false, 0, 0},
    };
    const struct craft marked = {PID_VIDEO, true, STREAM_ID_VIDEO, 0, true, 0, 0};
    uint8_t raw[MPEGTS_PACKET_SIZE];
    struct mpegts_program program;

    mpegts_program_init(&program); /* no tables needed */
    for (size_t i = 0; i < ARRAY_LENGTH(unmarked); i++) {
        craft_packet(&unmarked[i], raw);
        cr_expect_not(take(&program, raw).marked, "%zu", i);
    }
    craft_packet(&marked, raw);
    cr_expect(take(&program, raw).marked);
}
