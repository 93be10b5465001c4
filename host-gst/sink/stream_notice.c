#include "host-gst/sink/stream_notice.h"

#include "base/check.h"

static const char *notice_text(enum stream_notice notice)
{
    switch (notice) {
    case STREAM_NOTICE_CUT_FRAMES:
        return "the muxer cuts its output inside of frames, which delays each frame: leave the "
               "property alignment of mpegtsmux at its default";
    case STREAM_NOTICE_PACKETS_192:
        return "the transport stream has packets of 192 bytes (M2TS), which players of live "
               "streams "
               "do not read: set m2ts-mode=false on mpegtsmux, leave out -mpegts_m2ts_mode of "
               "ffmpeg, or convert a recording with ffmpeg -i FILE -c copy -f mpegts";
    case STREAM_NOTICE_PACKETS_204:
        return "the transport stream has packets of 204 bytes (with error correction), which "
               "players of live streams do not read: convert it with ffmpeg -i FILE -c copy -f "
               "mpegts";
    case STREAM_NOTICE_MULTIPART:
        return "the stream is multipart (MJPEG over HTTP) and is sent unchanged, with part headers "
               "and split pictures: put multipartdemux before relaysink, or leave out multipartmux";
    case STREAM_NOTICE_HEADERS_TOO_LARGE:
        return "the stream headers in the caps are larger than 10 MiB and are not sent, so the "
               "stream "
               "cannot be decoded: leave pictures out of its tags";
    case STREAM_NOTICE_NO_VIDEO:
        return "the transport stream has no video, so viewers may start with any message: link a "
               "video stream to the muxer if there is to be one";
    case STREAM_NOTICE_NO_MARKS:
        return "the transport stream does not mark where viewers can start "
               "(random_access_indicator): keyframes are found by their pictures instead";
    case STREAM_NOTICE_NO_PARAMETERS:
        return "keyframes come without the parameters that decoders need, so viewers who join "
               "later "
               "see nothing: put h264parse config-interval=-1 (or h265parse) before the muxer; for "
               "mpeg2enc set sequence-header-every-gop=true";
    case STREAM_NOTICE_NO_KEYFRAMES:
        return "the transport stream has shown no keyframe for 5 s, neither by a "
               "random_access_indicator nor by a picture of a codec that its tables (PAT, PMT) "
               "name: sending starts anywhere in the stream, and drops happen anywhere";
    case STREAM_NOTICE_COUNT:
        break;
    }
    UNREACHABLE();
}

void stream_notice_post(GstElement *element, enum stream_notice notice)
{
    GST_ELEMENT_WARNING(element, STREAM, FORMAT, ("%s", notice_text(notice)), (NULL));
}
