#include "perf/load/load_publisher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/random.h"

enum {
    FINAL_BINARY = 0x82,
    FINAL = 0x80,
    MASKED = 0x80,
    CONTROL_PAYLOAD_MAX = 125,
};

static void mask_apply(uint8_t *payload, size_t len, const uint8_t mask[static 4])
{
    for (size_t i = 0; i < len; i++) {
        payload[i] ^= mask[i % 4];
    }
}

/* RFC 6455 §5.2; returns the size. */
static size_t header_write(uint8_t *header, size_t payload_len, bool is_masked,
                           const uint8_t mask[static 4])
{
    uint8_t mask_bit = is_masked ? MASKED : 0;
    unsigned length_bytes = payload_len < 126 ? 0 : payload_len <= UINT16_MAX ? 2 : 8;
    size_t size = 2;

    header[0] = FINAL_BINARY;
    header[1] = mask_bit | (uint8_t)(length_bytes == 0   ? payload_len
                                     : length_bytes == 2 ? 126
                                                         : 127);
    for (unsigned i = 0; i < length_bytes; i++) {
        header[size++] = (uint8_t)((uint64_t)payload_len >> (8 * (length_bytes - 1 - i)));
    }
    if (is_masked) {
        memcpy(header + size, mask, 4);
        size += 4;
    }
    return size;
}

int load_publisher_init(struct load_publisher *publisher, size_t bytes, bool is_masked,
                        uint32_t run, uint32_t topic)
{
    CHECK(bytes >= STAMP_SIZE);
    *publisher = (struct load_publisher){
        .frame = malloc(LOAD_PUBLISHER_HEADER_BYTES_MAX + bytes),
        .stamp = {.run = run, .topic = topic},
    };
    if (publisher->frame == NULL) {
        return -ENOMEM;
    }
    if (is_masked) {
        random_bytes(publisher->mask, sizeof publisher->mask);
    }
    publisher->payload_offset = header_write(publisher->frame, bytes, is_masked, publisher->mask);
    publisher->frame_len = publisher->payload_offset + bytes;
    publisher->frame_sent = publisher->frame_len;
    /* Random bytes stay random under the mask, so they need none; the stamp is masked each time. */
    random_bytes(publisher->frame + publisher->payload_offset, bytes);
    return 0;
}

void load_publisher_deinit(struct load_publisher *publisher)
{
    free(publisher->frame);
    *publisher = (struct load_publisher){.frame = NULL};
}

bool load_publisher_is_waiting(const struct load_publisher *publisher)
{
    return publisher->frame_sent < publisher->frame_len;
}

void load_publisher_begin(struct load_publisher *publisher, uint64_t now_ns)
{
    uint8_t *payload = publisher->frame + publisher->payload_offset;

    CHECK(!load_publisher_is_waiting(publisher));
    publisher->stamp.sent_ns = now_ns;
    memcpy(payload, &publisher->stamp, STAMP_SIZE);
    mask_apply(payload, STAMP_SIZE, publisher->mask);
    publisher->stamp.sequence++;
    publisher->frame_sent = 0;
}

int load_publisher_flush(struct load_publisher *publisher, struct load_transport *transport)
{
    while (load_publisher_is_waiting(publisher)) {
        ssize_t sent = transport->ops->write(transport, publisher->frame + publisher->frame_sent,
                                             publisher->frame_len - publisher->frame_sent);

        if (sent <= 0) {
            return sent < 0 ? (int)sent : -EPIPE;
        }
        publisher->frame_sent += (size_t)sent;
        publisher->completed += publisher->frame_sent == publisher->frame_len;
    }
    return 0;
}

size_t load_publisher_control_write(unsigned opcode, const void *payload, size_t len,
                                    uint8_t frame[static LOAD_PUBLISHER_PONG_BYTES_MAX])
{
    uint8_t mask[4];

    CHECK(len <= CONTROL_PAYLOAD_MAX);
    random_bytes(mask, sizeof mask);
    frame[0] = (uint8_t)(FINAL | opcode);
    frame[1] = (uint8_t)(MASKED | len);
    memcpy(frame + 2, mask, sizeof mask);
    if (len > 0) {
        memcpy(frame + 6, payload, len);
        mask_apply(frame + 6, len, mask);
    }
    return 6 + len;
}
