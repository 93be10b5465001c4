#include "wire/media/mpegts_framer.h"

#include <string.h>

#include "base/check.h"

void mpegts_framer_init(struct mpegts_framer *framer, uint8_t *buf, size_t buf_size)
{
    CHECK(buf_size >= MPEGTS_PACKET_SIZE);
    *framer = (struct mpegts_framer){
        .buf = buf,
        .buf_size = buf_size - buf_size % MPEGTS_PACKET_SIZE,
        .synced = true,
    };
}

void mpegts_framer_reset(struct mpegts_framer *framer)
{
    uint64_t discarded_bytes = framer->discarded_bytes;

    mpegts_framer_init(framer, framer->buf, framer->buf_size);
    framer->discarded_bytes = discarded_bytes;
}

/* Removes the packets that the last message lent out; later packets move to the front. */
static void taken_remove(struct mpegts_framer *framer)
{
    if (framer->taken_len == 0) {
        return;
    }
    CHECK(framer->taken_len <= framer->buf_len);
    memmove(framer->buf, framer->buf + framer->taken_len, framer->buf_len - framer->taken_len);
    framer->buf_len -= framer->taken_len;
    framer->taken_len = 0;
}

static void message_take(struct mpegts_framer *framer, size_t len, enum mpegts_message_end end,
                         struct mpegts_message *ret_message)
{
    *ret_message = (struct mpegts_message){
        .packets = {.data = framer->buf, .len = len},
        .end = end,
    };
    framer->taken_len = len;
    framer->frame_len = 0;
}

static void frame_close(struct mpegts_framer *framer, enum mpegts_message_end end,
                        struct mpegts_message *ret_message)
{
    message_take(framer, framer->frame_len, end, ret_message);
    framer->frame_open = false;
}

static void carry_drop(struct mpegts_framer *framer, size_t len)
{
    framer->carry_len -= len;
    memmove(framer->carry, framer->carry + len, framer->carry_len);
}

/* Moves the next place that may begin a packet to the front of the carry. */
static void carry_resync(struct mpegts_framer *framer)
{
    size_t skip = 1;

    while (skip < framer->carry_len && framer->carry[skip] != MPEGTS_SYNC_BYTE) {
        skip++;
    }
    framer->synced = false;
    framer->discarded_bytes += skip;
    carry_drop(framer, skip);
}

static void carry_fill(struct mpegts_framer *framer, size_t len, struct bytes *input)
{
    size_t missing = len > framer->carry_len ? len - framer->carry_len : 0;
    size_t count = missing < input->len ? missing : input->len;

    if (count > 0) {
        memcpy(framer->carry + framer->carry_len, input->data, count);
        framer->carry_len += count;
        *input = bytes_skip(*input, count);
    }
}

/* True when the carry begins with a whole packet. Once out of sync, a sync byte counts only when
 * the next packet confirms it: payloads contain 0x47 too. */
static bool carry_has_packet(struct mpegts_framer *framer, struct bytes *input)
{
    for (;;) {
        size_t wanted = framer->synced ? MPEGTS_PACKET_SIZE : MPEGTS_PACKET_SIZE + 1;

        carry_fill(framer, wanted, input);
        if (framer->carry_len > 0 && framer->carry[0] != MPEGTS_SYNC_BYTE) {
            carry_resync(framer);
            continue;
        }
        if (framer->carry_len < wanted) {
            return false;
        }
        if (framer->synced || framer->carry[MPEGTS_PACKET_SIZE] == MPEGTS_SYNC_BYTE) {
            framer->synced = true;
            return true;
        }
        carry_resync(framer);
    }
}

static void frame_start(struct mpegts_framer *framer, const struct mpegts_packet *packet)
{
    framer->frame_open = true;
    framer->video_pid = packet->pid;
    framer->pes_len = mpegts_packet_pes_len(packet);
    framer->pes_seen_len = 0;
}

/* Counts a packet of the open frame that is already in buf. True when it was the last one. */
static bool frame_extend(struct mpegts_framer *framer, const struct mpegts_packet *packet,
                         struct mpegts_message *ret_message)
{
    framer->frame_len = framer->buf_len;
    framer->pes_seen_len += packet->payload.len;
    if (framer->pes_len != 0 && framer->pes_seen_len >= framer->pes_len) {
        frame_close(framer, MPEGTS_END_LENGTH, ret_message);
        return true;
    }
    if (framer->pes_len == 0 && packet->has_stuffing && packet->payload.len > 0) {
        frame_close(framer, MPEGTS_END_STUFFING, ret_message);
        return true;
    }
    return false;
}

/* Takes the packet at the front of the carry, unless a message has to go first. */
static bool packet_take(struct mpegts_framer *framer, struct mpegts_message *ret_message)
{
    struct mpegts_packet packet = {.pid = MPEGTS_PID_NULL};
    bool starts_video;

    /* A damaged packet is left to the decoder: it passes as a packet of no stream. */
    if (mpegts_packet_parse(bytes_of(framer->carry, MPEGTS_PACKET_SIZE), &packet) != 0) {
        packet = (struct mpegts_packet){.pid = MPEGTS_PID_NULL};
    }
    starts_video = mpegts_packet_starts_video(&packet);
    if (framer->frame_open && starts_video && packet.pid == framer->video_pid) {
        if (framer->frame_len > 0) {
            frame_close(framer, MPEGTS_END_NEXT_START, ret_message);
            return true;
        }
        framer->frame_open = false;
    }
    if (framer->buf_len + MPEGTS_PACKET_SIZE > framer->buf_size) {
        message_take(framer, framer->buf_len, MPEGTS_END_FULL, ret_message);
        return true;
    }
    memcpy(framer->buf + framer->buf_len, framer->carry, MPEGTS_PACKET_SIZE);
    framer->buf_len += MPEGTS_PACKET_SIZE;
    carry_drop(framer, MPEGTS_PACKET_SIZE);
    if (starts_video && !framer->frame_open) {
        frame_start(framer, &packet);
    }
    return framer->frame_open && packet.pid == framer->video_pid &&
           frame_extend(framer, &packet, ret_message);
}

bool mpegts_framer_push(struct mpegts_framer *framer, struct bytes *input,
                        struct mpegts_message *ret_message)
{
    taken_remove(framer);
    while (carry_has_packet(framer, input)) {
        if (packet_take(framer, ret_message)) {
            return true;
        }
    }
    return false;
}

bool mpegts_framer_flush(struct mpegts_framer *framer, struct mpegts_message *ret_message)
{
    taken_remove(framer);
    if (framer->frame_open && framer->frame_len > 0) {
        frame_close(framer, MPEGTS_END_FLUSH, ret_message);
        return true;
    }
    framer->frame_open = false;
    if (framer->buf_len == 0) {
        return false;
    }
    message_take(framer, framer->buf_len, MPEGTS_END_FLUSH, ret_message);
    return true;
}

enum mpegts_pending mpegts_framer_pending(const struct mpegts_framer *framer)
{
    if (framer->buf_len == framer->taken_len) {
        return MPEGTS_PENDING_NOTHING;
    }
    if (!framer->frame_open || framer->frame_len == 0) {
        return MPEGTS_PENDING_BETWEEN;
    }
    return framer->pes_len == 0 ? MPEGTS_PENDING_OPEN : MPEGTS_PENDING_PARTIAL;
}
