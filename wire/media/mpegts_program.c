#include "wire/media/mpegts_program.h"

#include <string.h>

#include "base/attributes.h"

enum table_layout {
    TABLE_ID_PAT = 0,
    TABLE_ID_PMT = 2,
    SECTION_HEAD_SIZE = 3, /* up to section_length, which counts what follows */
    TABLE_HEAD_SIZE = 8,   /* up to last_section_number */
    CRC_SIZE = 4,
    PAT_ENTRY_SIZE = 4,
    PMT_HEAD_SIZE = TABLE_HEAD_SIZE + 4, /* PCR_PID and program_info_length */
    PMT_ENTRY_SIZE = 5,
    PES_HEAD_SIZE = 9, /* up to PES_header_data_length */
};

/* Values of stream_type that are video (§2.4.4.9 and registered ones); pictures of entries without
 * a codec are not parsed. */
static const struct {
    uint8_t type;
    enum video_codec codec;
} video_types[] = {
    {0x01, VIDEO_CODEC_MPEG12},  {0x02, VIDEO_CODEC_MPEG12},  {0x10, VIDEO_CODEC_MPEG4},
    {0x1b, VIDEO_CODEC_H264},    {0x1e, VIDEO_CODEC_UNKNOWN}, {0x1f, VIDEO_CODEC_UNKNOWN},
    {0x20, VIDEO_CODEC_UNKNOWN}, {0x21, VIDEO_CODEC_UNKNOWN}, {0x24, VIDEO_CODEC_H265},
    {0x33, VIDEO_CODEC_UNKNOWN}, {0x42, VIDEO_CODEC_UNKNOWN}, {0xd1, VIDEO_CODEC_UNKNOWN},
    {0xd2, VIDEO_CODEC_UNKNOWN}, {0xea, VIDEO_CODEC_UNKNOWN},
};

void mpegts_program_init(struct mpegts_program *program)
{
    memset(program, 0, sizeof *program);
    program->map_pid = MPEGTS_PID_NULL;
    program->video_pid = MPEGTS_PID_NULL;
    video_probe_init(&program->probe, VIDEO_CODEC_UNKNOWN);
}

/* Annex A: the remainder over a whole section is zero. */
static uint32_t crc_of(struct bytes section)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < section.len; i++) {
        crc ^= (uint32_t)section.data[i] << 24;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc & 0x80000000u ? crc << 1 ^ 0x04c11db7u : crc << 1;
        }
    }
    return crc;
}

static unsigned field_12(const uint8_t *data)
{
    return (unsigned)(data[0] & 0x0f) << 8 | data[1];
}

static uint16_t field_13(const uint8_t *data)
{
    return (uint16_t)((data[0] & 0x1f) << 8 | data[1]);
}

/* True when the table of this kind is whole, valid and in force; *ret_entries: the bytes after its
 * first head_size ones. */
static bool table_check(struct bytes section, uint8_t table_id, size_t head_size,
                        struct bytes *ret_entries)
{
    if (section.len < head_size + CRC_SIZE || section.data[0] != table_id ||
        (section.data[5] & 1) == 0 || crc_of(section) != 0) {
        return false;
    }
    *ret_entries = bytes_of(section.data + head_size, section.len - head_size - CRC_SIZE);
    return true;
}

static void table_store(struct mpegts_program *program, struct mpegts_table *table,
                        struct bytes section)
{
    size_t len = section.len <= sizeof table->data ? section.len : 0;

    if (!bytes_equal(bytes_of(table->data, table->len), bytes_of(section.data, len))) {
        memcpy(table->data, section.data, len);
        table->len = (uint16_t)len;
        program->changes++;
    }
}

static void association_read(struct mpegts_program *program, struct bytes section)
{
    struct bytes entries;
    uint16_t map_pid = MPEGTS_PID_NULL;
    unsigned programs = 0;

    if (!table_check(section, TABLE_ID_PAT, TABLE_HEAD_SIZE, &entries)) {
        return;
    }
    table_store(program, &program->association_table, section);
    for (; entries.len >= PAT_ENTRY_SIZE; entries = bytes_skip(entries, PAT_ENTRY_SIZE)) {
        if (entries.data[0] != 0 || entries.data[1] != 0) { /* program 0 is the network's table */
            map_pid = field_13(entries.data + 2);
            programs++;
        }
    }
    if (programs != 1) {
        map_pid = MPEGTS_PID_NULL;
    }
    if (map_pid != program->map_pid) {
        program->map_pid = map_pid;
        program->map.open = false;
        program->map_table.len = 0;
        program->video = MPEGTS_VIDEO_UNKNOWN;
        program->video_pid = MPEGTS_PID_NULL;
    }
}

static void map_read(struct mpegts_program *program, struct bytes section)
{
    struct bytes entries;
    size_t information_len;

    if (!table_check(section, TABLE_ID_PMT, PMT_HEAD_SIZE, &entries)) {
        return;
    }
    table_store(program, &program->map_table, section);
    information_len = field_12(section.data + PMT_HEAD_SIZE - 2);
    entries = bytes_skip(entries, information_len < entries.len ? information_len : entries.len);
    program->video = program->video_seen ? MPEGTS_VIDEO_PRESENT : MPEGTS_VIDEO_NONE;
    program->video_pid = MPEGTS_PID_NULL;
    while (entries.len >= PMT_ENTRY_SIZE && program->video_pid == MPEGTS_PID_NULL) {
        size_t entry_len = PMT_ENTRY_SIZE + field_12(entries.data + 3);

        for (size_t i = 0; i < ARRAY_LENGTH(video_types); i++) {
            if (video_types[i].type == entries.data[0]) {
                program->video = MPEGTS_VIDEO_PRESENT;
                program->video_pid = field_13(entries.data + 1);
                program->codec = video_types[i].codec;
            }
        }
        entries = bytes_skip(entries, entry_len < entries.len ? entry_len : entries.len);
    }
}

/* True when the section is complete. */
static bool section_append(struct mpegts_section *section, struct bytes bytes)
{
    size_t room = sizeof section->data - section->len;
    size_t count = bytes.len < room ? bytes.len : room;
    size_t whole;

    if (!section->open || count == 0) {
        return false;
    }
    memcpy(section->data + section->len, bytes.data, count);
    section->len += count;
    if (section->len < SECTION_HEAD_SIZE) {
        return false;
    }
    whole = SECTION_HEAD_SIZE + field_12(section->data + 1);
    if (section->len < whole) {
        section->open = section->len < sizeof section->data;
        return false;
    }
    section->len = whole;
    section->open = false;
    return true;
}

typedef void (*section_reader)(struct mpegts_program *program, struct bytes section);

static void section_take(struct mpegts_program *program, struct mpegts_section *section,
                         const struct mpegts_packet *packet, section_reader read)
{
    struct bytes payload = packet->payload;

    if (packet->payload_unit_start && payload.len > 0) {
        size_t pointer = payload.data[0];

        payload = bytes_skip(payload, 1);
        pointer = pointer < payload.len ? pointer : payload.len;
        if (section_append(section, bytes_of(payload.data, pointer))) {
            read(program, bytes_of(section->data, section->len));
        }
        payload = bytes_skip(payload, pointer);
        section->open = true;
        section->len = 0;
    }
    if (section_append(section, payload)) {
        read(program, bytes_of(section->data, section->len));
    }
}

static void picture_begin(struct mpegts_program *program, const struct mpegts_packet *packet)
{
    const uint8_t *header = packet->payload.data;

    video_probe_init(&program->probe, program->codec);
    program->header_left =
        PES_HEAD_SIZE + (packet->payload.len < PES_HEAD_SIZE ? 0 : header[PES_HEAD_SIZE - 1]);
}

static void picture_take(struct mpegts_program *program, struct bytes payload,
                         struct mpegts_findings *findings)
{
    size_t skipped = payload.len < program->header_left ? payload.len : program->header_left;

    if (program->probe.done) {
        return;
    }
    program->header_left -= skipped;
    video_probe_take(&program->probe, bytes_skip(payload, skipped));
    if (program->probe.done && program->probe.key) {
        findings->key = true;
        findings->without_parameters = !video_probe_has_parameters(&program->probe);
    }
}

void mpegts_program_take(struct mpegts_program *program, const struct mpegts_packet *packet,
                         struct mpegts_findings *findings)
{
    if (packet->pid == MPEGTS_PID_PAT) {
        section_take(program, &program->association, packet, association_read);
    } else if (packet->pid == program->map_pid && packet->pid != MPEGTS_PID_NULL) {
        section_take(program, &program->map, packet, map_read);
    } else {
        bool begins = mpegts_packet_starts_video(packet);

        if (begins) {
            program->video_seen = true;
            program->video = MPEGTS_VIDEO_PRESENT;
            findings->marked = findings->marked || packet->random_access;
        }
        if (packet->pid == program->video_pid) {
            if (begins) {
                picture_begin(program, packet);
            }
            picture_take(program, packet->payload, findings);
        }
    }
}
