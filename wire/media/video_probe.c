#include "wire/media/video_probe.h"

enum mpeg12_codes {
    MPEG12_PICTURE = 0x00,
    MPEG12_SEQUENCE = 0xb3,
    MPEG12_TYPE_I = 1,
    MPEG12_TYPE_B = 3
};

enum mpeg4_codes {
    MPEG4_LAYER_FIRST = 0x20,
    MPEG4_LAYER_LAST = 0x2f,
    MPEG4_PICTURE = 0xb6,
    MPEG4_TYPE_B = 2
};

enum h264_units {
    H264_SLICE = 1,
    H264_PARTITION_A = 2,
    H264_IDR = 5,
    H264_SEI = 6,
    H264_SPS = 7,
    H264_PPS = 8,
};

enum { H264_REF_IDC = 0x60 };

enum h265_units {
    H265_NON_REFERENCE_LAST = 14, /* of those, the even ones */
    H265_IRAP_FIRST = 16,
    H265_CRA = 21,
    H265_IRAP_LAST = 23,
    H265_SLICE_LAST = 31,
    H265_VPS = 32,
    H265_SPS = 33,
    H265_PPS = 34,
    H265_PREFIX_SEI = 39,
};

enum { SEI_RECOVERY_POINT = 6, SEI_MORE = 0xff, EMULATION_PREVENTION = 3 };

enum parameter_kinds {
    PARAMETERS_SEQUENCE = 1u << 0, /* sequence header, video object layer, SPS */
    PARAMETERS_PICTURE = 1u << 1,
    PARAMETERS_VIDEO = 1u << 2,
};

enum sei_steps { SEI_STEP_TYPE, SEI_STEP_SIZE, SEI_STEP_PAYLOAD };

void video_probe_init(struct video_probe *probe, enum video_codec codec)
{
    *probe = (struct video_probe){.codec = codec, .done = codec == VIDEO_CODEC_UNKNOWN};
}

bool video_probe_has_parameters(const struct video_probe *probe)
{
    unsigned needed = PARAMETERS_SEQUENCE;

    if (probe->codec == VIDEO_CODEC_H264) {
        needed |= PARAMETERS_PICTURE;
    } else if (probe->codec == VIDEO_CODEC_H265) {
        needed |= PARAMETERS_PICTURE | PARAMETERS_VIDEO;
    }
    return (probe->parameters & needed) == needed;
}

bool video_probe_has_sequence(const struct video_probe *probe)
{
    return probe->parameters & PARAMETERS_SEQUENCE;
}

static void picture_found(struct video_probe *probe, bool key, bool disposable)
{
    probe->key = probe->key || key;
    probe->disposable = disposable;
    probe->done = true;
}

/* picture_coding_type follows the ten bits of temporal_reference. */
static void mpeg12_take(struct video_probe *probe, uint8_t byte)
{
    if (probe->unit_code == MPEG12_SEQUENCE) {
        probe->parameters |= PARAMETERS_SEQUENCE;
    } else if (probe->unit_code == MPEG12_PICTURE && probe->unit_len == 3) {
        unsigned type = byte >> 3 & 7;

        picture_found(probe, type == MPEG12_TYPE_I, type == MPEG12_TYPE_B);
    }
}

static void mpeg4_take(struct video_probe *probe, uint8_t byte)
{
    if (probe->unit_code >= MPEG4_LAYER_FIRST && probe->unit_code <= MPEG4_LAYER_LAST) {
        probe->parameters |= PARAMETERS_SEQUENCE;
    } else if (probe->unit_code == MPEG4_PICTURE && probe->unit_len == 2) {
        picture_found(probe, byte >> 6 == 0, byte >> 6 == MPEG4_TYPE_B);
    }
}

/* sei_message() (H.264 §7.3.2.3.1, H.265 §7.3.5): each byte 0xff adds 255 to type or size. */
static void sei_take(struct video_probe *probe, uint8_t byte)
{
    switch ((enum sei_steps)probe->sei_step) {
    case SEI_STEP_TYPE:
        probe->sei_type += byte;
        if (byte != SEI_MORE) {
            probe->key = probe->key || probe->sei_type == SEI_RECOVERY_POINT;
            probe->sei_left = 0;
            probe->sei_step = SEI_STEP_SIZE;
        }
        return;
    case SEI_STEP_SIZE:
        probe->sei_left += byte;
        if (byte != SEI_MORE) {
            probe->sei_type = 0;
            probe->sei_step = probe->sei_left == 0 ? SEI_STEP_TYPE : SEI_STEP_PAYLOAD;
        }
        return;
    case SEI_STEP_PAYLOAD:
        if (--probe->sei_left == 0) {
            probe->sei_step = SEI_STEP_TYPE;
        }
        return;
    }
}

static void h264_take(struct video_probe *probe, uint8_t byte)
{
    unsigned type = probe->unit_code & 0x1f;

    if (type == H264_SEI && probe->unit_len > 1) {
        sei_take(probe, byte);
    } else if (type == H264_SPS || type == H264_PPS) {
        probe->parameters |= type == H264_SPS ? PARAMETERS_SEQUENCE : PARAMETERS_PICTURE;
    } else if (type == H264_SLICE || type == H264_PARTITION_A || type == H264_IDR) {
        picture_found(probe, type == H264_IDR, (probe->unit_code & H264_REF_IDC) == 0);
    }
}

static void h265_take(struct video_probe *probe, uint8_t byte)
{
    unsigned type = probe->unit_code >> 1 & 0x3f;

    if (type == H265_PREFIX_SEI && probe->unit_len > 2) {
        sei_take(probe, byte);
    } else if (type >= H265_VPS && type <= H265_PPS) {
        probe->parameters |= type == H265_VPS   ? PARAMETERS_VIDEO
                             : type == H265_SPS ? PARAMETERS_SEQUENCE
                                                : PARAMETERS_PICTURE;
    } else if (type <= H265_SLICE_LAST && probe->unit_len == 2) {
        probe->layer = (byte & 7u) - 1;
        probe->open_gop = type == H265_CRA;
        picture_found(probe, type >= H265_IRAP_FIRST && type <= H265_IRAP_LAST,
                      type <= H265_NON_REFERENCE_LAST && type % 2 == 0);
    }
}

/* Takes one byte of a unit, its type code included. */
static void unit_take(struct video_probe *probe, uint8_t byte)
{
    probe->unit_len++;
    if (probe->unit_len == 1) {
        probe->unit_code = byte;
        probe->sei_step = SEI_STEP_TYPE;
        probe->sei_type = 0;
    }
    switch (probe->codec) {
    case VIDEO_CODEC_UNKNOWN:
        break;
    case VIDEO_CODEC_MPEG12:
        mpeg12_take(probe, byte);
        break;
    case VIDEO_CODEC_MPEG4:
        mpeg4_take(probe, byte);
        break;
    case VIDEO_CODEC_H264:
        h264_take(probe, byte);
        break;
    case VIDEO_CODEC_H265:
        h265_take(probe, byte);
        break;
    }
}

static bool has_emulation_prevention(const struct video_probe *probe)
{
    return probe->codec == VIDEO_CODEC_H264 || probe->codec == VIDEO_CODEC_H265;
}

static void byte_take(struct video_probe *probe, uint8_t byte)
{
    bool after_zeros = probe->zeros == 2;

    probe->zeros = byte != 0 ? 0 : after_zeros ? 2 : probe->zeros + 1;
    if (after_zeros && byte == 1) {
        probe->unit_len = 0;
        probe->in_unit = true;
    } else if (probe->in_unit &&
               !(after_zeros && byte == EMULATION_PREVENTION && has_emulation_prevention(probe))) {
        unit_take(probe, byte);
    }
}

void video_probe_take(struct video_probe *probe, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.len && !probe->done; i++) {
        byte_take(probe, bytes.data[i]);
    }
}
