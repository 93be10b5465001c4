/* video_probe_init, _take, _has_parameters: the first byte chooses the codec, the second where the
 * rest is cut; two pieces give the same result as one. */
#include <stdint.h>

#include "base/check.h"
#include "wire/media/video_probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct video_probe whole, pieces;

    if (size < 2) {
        return 0;
    }
    enum video_codec codec = (enum video_codec)(data[0] % (VIDEO_CODEC_H265 + 1));
    struct bytes bytes = bytes_of(data + 2, size - 2);
    size_t cut = data[1] < bytes.len ? data[1] : bytes.len;

    video_probe_init(&whole, codec);
    video_probe_take(&whole, bytes);
    video_probe_init(&pieces, codec);
    video_probe_take(&pieces, bytes_of(bytes.data, cut));
    video_probe_take(&pieces, bytes_skip(bytes, cut));
    CHECK(whole.done == pieces.done && whole.key == pieces.key);
    CHECK(whole.parameters == pieces.parameters);
    CHECK(whole.disposable == pieces.disposable && whole.layer == pieces.layer);
    CHECK(codec != VIDEO_CODEC_UNKNOWN || (whole.done && !whole.key));
    CHECK(video_probe_has_parameters(&whole) == video_probe_has_parameters(&pieces));
    return 0;
}
