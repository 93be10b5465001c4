/* Goal: a key picture is known by its first bytes, and what decoders need beside it is missed where
 * it is missing. Method: elementary streams written byte by byte from the standards' syntax tables,
 * whole and cut at every place. */
#include <criterion/criterion.h>

#include "base/attributes.h"
#include "wire/media/video_probe.h"

#define START 0, 0, 1
#define SPS   START, 0x67, 0x42, 0, 0x0a
#define PPS   START, 0x68, 0xce
#define VPS_5 START, 0x40, 1, 0x0c
#define SPS_5 START, 0x42, 1, 0x01
#define PPS_5 START, 0x44, 1, 0xc1

static const struct {
    const char *name;
    enum video_codec codec;
    uint8_t bytes[48];
    size_t len;
    bool done, key, parameters;
} pictures[] = {
#define CASE(name, codec, done, key, parameters, ...)                                              \
    {                                                                                              \
        name, codec, {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), done, key, parameters        \
    }
    /* 13818-2 §6.2.2.1, §6.2.3: temporal_reference 0, picture_coding_type 1 to 4 */
    CASE("MPEG I with sequence header", VIDEO_CODEC_MPEG12, true, true, true, START, 0xb3, 0x14, 0,
         0xf0, START, 0xb8, 0, 8, 0, START, 0x00, 0x00, 0x0f),
    CASE("MPEG I alone", VIDEO_CODEC_MPEG12, true, true, false, START, 0x00, 0x00, 0x08),
    CASE("MPEG P", VIDEO_CODEC_MPEG12, true, false, false, START, 0x00, 0x00, 0x57, START, 0xb3, 1),
    CASE("MPEG B", VIDEO_CODEC_MPEG12, true, false, false, START, 0x00, 0xff, 0xdf),
    CASE("MPEG without a picture", VIDEO_CODEC_MPEG12, false, false, true, START, 0xb3, 0x14, 0),
    /* 14496-2 §6.2.5: vop_coding_type, two bits */
    CASE("MPEG-4 I with layer", VIDEO_CODEC_MPEG4, true, true, true, START, 0x20, 0x08, START, 0xb6,
         0x10),
    CASE("MPEG-4 P", VIDEO_CODEC_MPEG4, true, false, false, START, 0xb6, 0x50),
    /* H.264 §7.3.1, table 7-1 */
    CASE("H.264 IDR with parameter sets", VIDEO_CODEC_H264, true, true, true, 0, START, 9, 0xf0,
         SPS, PPS, START, 0x65, 0x88),
    CASE("H.264 IDR without SPS", VIDEO_CODEC_H264, true, true, false, PPS, START, 0x65, 0x88),
    CASE("H.264 IDR alone", VIDEO_CODEC_H264, true, true, false, START, 0x25, 0x88),
    CASE("H.264 slice", VIDEO_CODEC_H264, true, false, false, START, 9, 0xf0, START, 0x41, 0x9a,
         START, 0x65),
    CASE("H.264 partition A", VIDEO_CODEC_H264, true, false, false, START, 0x42, 0x9a),
    /* §D.1.8: recovery_point is payload type 6 */
    CASE("H.264 recovery point", VIDEO_CODEC_H264, true, true, true, SPS, PPS, START, 6, 6, 1, 0x84,
         0x80, START, 0x41, 0x9a),
    CASE("H.264 recovery point as the second message", VIDEO_CODEC_H264, true, true, false, START,
         6, 5, 2, 6, 1, 6, 1, 0x84, 0x80, START, 0x41, 0x9a),
    CASE("H.264 SEI with a 6 inside", VIDEO_CODEC_H264, true, false, false, START, 6, 5, 2, 6, 1,
         0x80, START, 0x41, 0x9a),
    CASE("H.264 SEI of type 255 + 6", VIDEO_CODEC_H264, true, false, false, START, 6, 0xff, 6, 1, 0,
         0x80, START, 0x41, 0x9a),
    CASE("H.264 emulation prevention in SEI", VIDEO_CODEC_H264, true, true, false, START, 6, 5, 3,
         0, 0, 3, 1, 6, 1, 0x84, START, 0x41, 0x9a),
    /* H.265 §7.3.1.2, table 7-1 */
    CASE("H.265 IDR with parameter sets", VIDEO_CODEC_H265, true, true, true, VPS_5, SPS_5, PPS_5,
         START, 0x26, 1, 0xaf),
    CASE("H.265 CRA without VPS", VIDEO_CODEC_H265, true, true, false, SPS_5, PPS_5, START, 0x2a,
         1),
    CASE("H.265 TRAIL_R", VIDEO_CODEC_H265, true, false, false, START, 0x02, 1, 0xd0),
    CASE("H.265 recovery point", VIDEO_CODEC_H265, true, true, false, START, 0x4e, 1, 6, 1, 0x80,
         0x80, START, 0x02, 1),
    CASE("unknown codec", VIDEO_CODEC_UNKNOWN, true, false, true, START, 0x65, 0x88),
    CASE("no unit at all", VIDEO_CODEC_H264, false, false, false, 0x65, 0, 0, 2, 0x65),
#undef CASE
};

static void check(size_t index, size_t cut)
{
    struct bytes bytes = bytes_of(pictures[index].bytes, pictures[index].len);
    struct video_probe probe;

    video_probe_init(&probe, pictures[index].codec);
    video_probe_take(&probe, bytes_of(bytes.data, cut));
    video_probe_take(&probe, bytes_skip(bytes, cut));
    cr_expect_eq(probe.done, pictures[index].done, "%s, cut at %zu", pictures[index].name, cut);
    cr_expect_eq(probe.key, pictures[index].key, "%s, cut at %zu", pictures[index].name, cut);
    cr_expect(pictures[index].codec == VIDEO_CODEC_UNKNOWN ||
                  video_probe_has_parameters(&probe) == pictures[index].parameters,
              "%s, cut at %zu", pictures[index].name, cut);
}

Test(video_probe, knows_pictures_from_which_no_other_is_predicted)
{
    static const struct {
        enum video_codec codec;
        uint8_t bytes[6];
        bool disposable;
        unsigned layer;
    } cases[] = {
        {VIDEO_CODEC_MPEG12, {START, 0x00, 0xff, 0xdf}, true, 0},
        {VIDEO_CODEC_MPEG12, {START, 0x00, 0x00, 0x57}, false, 0},
        {VIDEO_CODEC_MPEG4, {START, 0xb6, 0x90}, true, 0},
        {VIDEO_CODEC_MPEG4, {START, 0xb6, 0x50}, false, 0},
        {VIDEO_CODEC_H264, {START, 0x01, 0x9e}, true, 0},
        {VIDEO_CODEC_H264, {START, 0x21, 0x9e}, false, 0},
        {VIDEO_CODEC_H264, {START, 0x65, 0x88}, false, 0},
        {VIDEO_CODEC_H265, {START, 0x00, 0x01, 0xd0}, true, 0},
        {VIDEO_CODEC_H265, {START, 0x02, 0x01, 0xd0}, false, 0},
        {VIDEO_CODEC_H265, {START, 0x10, 0x03, 0xd0}, true, 2},
        {VIDEO_CODEC_H265, {START, 0x26, 0x01, 0xaf}, false, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct video_probe probe;

        video_probe_init(&probe, cases[i].codec);
        video_probe_take(&probe, bytes_of(cases[i].bytes, sizeof cases[i].bytes));
        cr_expect(probe.done, "%zu", i);
        cr_expect_eq(probe.disposable, cases[i].disposable, "%zu", i);
        cr_expect_eq(probe.layer, cases[i].layer, "%zu", i);
        cr_expect_eq(video_probe_has_sequence(&probe), false, "%zu", i);
    }
}

Test(video_probe, knows_key_pictures_and_their_parameters)
{
    for (size_t i = 0; i < ARRAY_LENGTH(pictures); i++) {
        for (size_t cut = 0; cut <= pictures[i].len; cut++) {
            check(i, cut);
        }
    }
}
