/* Tells from the first bytes of a coded picture whether it is a key picture, and whether the
 * parameters that a decoder needs come with it. MPEG-1/2 (ISO/IEC 13818-2 §6.2), MPEG-4 part 2
 * (14496-2 §6.2), H.264 (§7.3, §D.1.8) and H.265 (§7.3). Pure: no allocation, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum video_codec {
    VIDEO_CODEC_UNKNOWN, /* nothing is found */
    VIDEO_CODEC_MPEG12,
    VIDEO_CODEC_MPEG4,
    VIDEO_CODEC_H264,
    VIDEO_CODEC_H265,
};

struct video_probe {
    enum video_codec codec;
    bool done; /* the picture's first slice or header was seen; what follows changes nothing */
    bool key;  /* decoding can start here, given the parameters: an I picture, IDR, IRAP, or a
                  recovery  point */
    bool disposable; /* no other picture is predicted from it: B pictures of MPEG-1/2 and MPEG-4,
                        nal_ref_idc 0, H.265 sub-layer non-reference pictures (see layer) */
    bool open_gop;   /* H.265 CRA: pictures may follow that need those before it (RASL) */
    unsigned
        layer; /* H.265: TemporalId. Pictures of a higher layer may refer to a disposable one */
    unsigned parameters; /* a bit for each kind seen; see video_probe_has_parameters */

    /* Position within the bytes. */
    unsigned zeros; /* consecutive ones just seen, 2 at most */
    bool in_unit;   /* a start code was seen */
    unsigned
        unit_len; /* bytes of the current unit so far, including the one after the start code */
    uint8_t unit_code;
    unsigned sei_step;
    unsigned sei_type, sei_left;
};

/* Call before each picture. */
void video_probe_init(struct video_probe *probe, enum video_codec codec);

/* Feeds the next bytes of the picture; pieces may be cut anywhere. */
void video_probe_take(struct video_probe *probe, struct bytes bytes);

/* True when a sequence header (MPEG-1/2), video object layer (MPEG-4) or all parameter sets (H.264,
 * H.265) preceded the picture. */
bool video_probe_has_parameters(const struct video_probe *probe);

/* True when a sequence header, video object layer or SPS was seen: encoders repeat them only in
 * front of key pictures. */
bool video_probe_has_sequence(const struct video_probe *probe);
