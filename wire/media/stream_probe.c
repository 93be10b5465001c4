#include "wire/media/stream_probe.h"

#include <string.h>

#include "base/check.h"
#include "wire/media/jpeg.h"
#include "wire/media/mpegts.h"

#define STAMP_MASK ((UINT64_C(1) << 33) - 1)

/* A message being taken. Offsets count from its first byte; a packet that began in an earlier
 * message has a negative one. */
struct take {
    struct stream_probe *probe;
    struct bytes message;
    ptrdiff_t at; /* next packet */
    bool has_packets;
    unsigned searches;   /* bytes that were taken for the start of a packet, and are none */
    uint16_t unsure_pid; /* its PES may have ended with the last message: its next packet tells */

    unsigned pictures;         /* that begin in it */
    bool has_others;           /* other PES packets begin in it */
    bool judged;               /* the last picture is judged */
    bool marked;               /* the last picture has the random_access_indicator */
    bool at_boundary;          /* the last picture begins at one */
    ptrdiff_t picture_at;      /* its first packet */
    struct splice_point point; /* in front of it */
    bool key;
    size_t first_end; /* as mark.end_offset, but the first one */
    struct stream_mark mark;
};

void stream_probe_init(struct stream_probe *probe)
{
    memset(probe, 0, sizeof *probe);
    mpegts_program_init(&probe->program);
    mpegts_pids_init(&probe->pids);
}

bool stream_probe_is_wanted(struct bytes message, unsigned count)
{
    return count < STREAM_LOOKS || count % STREAM_LOOK_EVERY == 0 ||
           (message.len > 0 && message.data[0] == MPEGTS_SYNC_BYTE) || jpeg_begins(message);
}

static bool tables_known(const struct stream_probe *probe)
{
    return probe->program.association_table.len > 0 && probe->program.map_table.len > 0;
}

/* ---- pictures ---- */

/* True when viewers can start with the current picture, by the bytes of it that have been seen. */
static bool picture_is_key(const struct take *take)
{
    const struct video_probe *picture = &take->probe->program.probe;

    if (take->marked) {
        /* Some muxers mark every picture. */
        return picture->codec == VIDEO_CODEC_UNKNOWN || !picture->done || picture->key ||
               video_probe_has_sequence(picture);
    }
    if (!picture->done) {
        return video_probe_has_sequence(picture);
    }
    return picture->key && video_probe_has_parameters(picture);
}

/* PTS of the picture that began last, which has one. */
static uint64_t picture_pts(const struct take *take)
{
    return mpegts_stamps_pts(bytes_of(take->point.stamps, take->point.stamps_len));
}

/* True for a CRA picture of H.265, and for one whose slices are not in this message. */
static bool may_be_open(const struct video_probe *picture)
{
    return picture->codec == VIDEO_CODEC_H265 && (picture->open_gop || !picture->done);
}

/* Judges the picture that began last in this message: no more of it is in the message, or the next
 * one begins. */
static void picture_judge(struct take *take)
{
    struct stream_probe *probe = take->probe;

    if (take->pictures == 0 || take->judged) {
        return;
    }
    take->judged = true;
    if (!tables_known(probe) || !picture_is_key(take)) {
        return;
    }
    take->key = true;
    take->mark.key_offset = take->picture_at < 0 ? 0 : (size_t)take->picture_at;
    probe->key = take->point;
    probe->may_lead = take->point.stamps_len > 0;
    probe->key_pts = probe->may_lead ? picture_pts(take) : 0;
    if (may_be_open(&probe->program.probe)) {
        probe->key.ended_pid = probe->program.video_pid;
    }
    probe->key_carry_len = take->picture_at < 0 ? (uint8_t)-take->picture_at : 0;
    take->mark.key_carry_len = probe->key_carry_len;
    take->mark.key_at_boundary = take->at_boundary;
    memcpy(probe->key_carry, probe->carry, probe->key_carry_len);
}

/* True when the picture that begins is shown before the key picture behind which it comes, with
 * only such pictures between them. */
static bool leads(const struct take *take)
{
    uint64_t before;

    if (!take->probe->may_lead || take->point.stamps_len == 0) {
        return false;
    }
    before = (take->probe->key_pts - picture_pts(take)) & STAMP_MASK; /* stamps wrap */
    return before > 0 && before < STREAM_LEADING_90KHZ;
}

static void picture_begin(struct take *take, const struct mpegts_packet *packet)
{
    struct bytes stamps = mpegts_packet_stamps(packet);

    picture_judge(take);
    take->pictures++;
    take->judged = false;
    take->marked = packet->random_access;
    take->picture_at = take->at;
    take->at_boundary = mpegts_pids_are_closed(&take->probe->pids, packet->pid);
    take->point = splice_point_before(&take->probe->pids, packet);
    take->point.stamps_len = (uint8_t)stamps.len;
    if (stamps.len > 0) {
        memcpy(take->point.stamps, stamps.data, stamps.len);
    }
    take->probe->may_lead = leads(take);
}

/* True when one picture begins in the message, at its start but for tables and audio. */
static bool begins_one_picture(const struct take *take)
{
    return take->pictures == 1 && take->mark.starts_at_boundary;
}

static bool is_disposable(const struct take *take)
{
    struct stream_probe *probe = take->probe;
    const struct video_probe *picture = &probe->program.probe;

    if (take->pictures == 0 || !picture->done) {
        return false;
    }
    probe->layer_max = picture->layer > probe->layer_max ? picture->layer : probe->layer_max;
    return begins_one_picture(take) && take->mark.end_offset == take->message.len &&
           !take->has_others && picture->disposable && picture->layer >= probe->layer_max;
}

/* ---- packets ---- */

static void boundary_note(struct take *take, ptrdiff_t at)
{
    if (at == 0) {
        take->mark.starts_at_boundary = true;
    } else if (at > 0) {
        take->mark.end_offset = (size_t)at;
        take->first_end = take->first_end == 0 ? (size_t)at : take->first_end;
    }
}

/* Notes the picture or other PES that begins with the packet; called before the packet counts. */
static void start_take(struct take *take, const struct mpegts_packet *packet)
{
    struct stream_probe *probe = take->probe;

    if (!mpegts_packet_starts_video(packet)) {
        take->has_others =
            take->has_others || (packet->payload_unit_start && packet->pid != MPEGTS_PID_PAT &&
                                 packet->pid != probe->program.map_pid);
        return;
    }
    if (mpegts_pids_are_closed(&probe->pids, packet->pid)) {
        boundary_note(take, take->at);
    }
    if (packet->pid == probe->program.video_pid) {
        picture_begin(take, packet);
    }
}

/* Takes a packet of the PES of which it was not known whether it had ended with the last message.
 */
static void unsure_take(struct take *take, const struct mpegts_packet *packet)
{
    if (packet->payload.len > 0 && packet->pid == take->unsure_pid) {
        take->unsure_pid = MPEGTS_PID_NULL;
        if (packet->payload_unit_start) {
            boundary_note(take, 0);
        }
    }
}

static void packet_take(struct take *take, struct bytes bytes)
{
    struct stream_probe *probe = take->probe;
    struct mpegts_findings unused = {0};
    unsigned changes = probe->program.changes;
    struct mpegts_packet packet;

    take->has_packets = true;
    if (mpegts_packet_parse(bytes, &packet) == 0) {
        unsure_take(take, &packet);
        start_take(take, &packet);
        mpegts_program_take(&probe->program, &packet, &unused);
        mpegts_pids_take(&probe->pids, &packet);
    }
    if (probe->program.changes != changes) {
        take->key = false; /* it came with other tables than those now known */
        take->judged = take->picture_at < take->at;
        mpegts_pids_close_others(&probe->pids, probe->program.video_pid);
    }
    if (mpegts_pids_are_closed(&probe->pids, MPEGTS_PID_NULL)) {
        boundary_note(take, take->at + MPEGTS_PACKET_SIZE);
    }
}

/* ---- cuts ---- */

/* The next len bytes of the stream in one piece. NULL: they have not all come. */
static const uint8_t *window(const struct take *take, size_t len)
{
    size_t carried = take->at < 0 ? (size_t)-take->at : 0;
    size_t begin = take->at < 0 ? 0 : (size_t)take->at;

    if (carried + take->message.len < begin + len) {
        return NULL;
    }
    if (carried == 0) {
        return take->message.data + begin;
    }
    memcpy(take->probe->carry + carried, take->message.data, len - carried);
    return take->probe->carry;
}

/* Goes on to the next byte that may begin a packet. */
static void resync(struct take *take, const uint8_t *data, size_t len)
{
    struct stream_probe *probe = take->probe;
    const uint8_t *next = memchr(data + 1, MPEGTS_SYNC_BYTE, len - 1);
    size_t skip = next == NULL ? len : (size_t)(next - data);

    probe->synced = false;
    take->at += (ptrdiff_t)skip;
    if (take->at < 0) {
        memmove(probe->carry, probe->carry + skip, (size_t)-take->at);
    }
}

/* Keeps the rest of the message, less than a packet, for the next one. */
static void rest_keep(const struct take *take)
{
    struct stream_probe *probe = take->probe;
    size_t carried = take->at < 0 ? (size_t)-take->at : 0;
    struct bytes rest = bytes_skip(take->message, take->at < 0 ? 0 : (size_t)take->at);

    CHECK(carried + rest.len < sizeof probe->carry);
    if (rest.len > 0) {
        memcpy(probe->carry + carried, rest.data, rest.len);
    }
    probe->carry_len = carried + rest.len;
}

/* A message made for it would search at each of its bytes. */
static bool gives_up(struct take *take)
{
    if (++take->searches <= STREAM_SEARCHES_MAX) {
        return false;
    }
    CHECK(take->at >= 0); /* what was carried has fewer bytes */
    take->at = (ptrdiff_t)take->message.len;
    return true;
}

static void packets_take(struct take *take)
{
    struct stream_probe *probe = take->probe;

    for (;;) {
        size_t wanted = probe->synced ? MPEGTS_PACKET_SIZE : MPEGTS_PACKET_SIZE + 1;
        const uint8_t *data = window(take, wanted);

        if (data == NULL) {
            break;
        }
        /* Out of sync, the next packet has to confirm: payloads contain sync bytes too. */
        if (data[0] != MPEGTS_SYNC_BYTE ||
            (!probe->synced && data[MPEGTS_PACKET_SIZE] != MPEGTS_SYNC_BYTE)) {
            resync(take, data, wanted);
            if (gives_up(take)) {
                break;
            }
            continue;
        }
        probe->synced = true;
        packet_take(take, bytes_of(data, MPEGTS_PACKET_SIZE));
        take->at += MPEGTS_PACKET_SIZE;
    }
}

/* ---- messages ---- */

/* True when the packet that began before the message goes on in it. */
static bool carry_continues(const struct stream_probe *probe, struct bytes message)
{
    size_t missing = MPEGTS_PACKET_SIZE - probe->carry_len;

    return probe->carry_len > 0 && probe->synced &&
           (message.len <= missing || message.data[missing] == MPEGTS_SYNC_BYTE);
}

/* A publisher that cuts at packets begins anew with a message, whatever came before. */
static void align(struct stream_probe *probe, struct bytes message)
{
    if (!carry_continues(probe, message) && mpegts_is_whole_packets(message) &&
        (message.len > MPEGTS_PACKET_SIZE || probe->carry_len == 0)) {
        probe->carry_len = 0;
        probe->synced = true;
    }
}

/* True for a message that has nothing to do with the stream between whose messages it comes. */
static bool is_stray(const struct stream_probe *probe, struct bytes message)
{
    return !carry_continues(probe, message) && message.data[0] != MPEGTS_SYNC_BYTE &&
           (probe->carry_len == 0 || jpeg_len(message) > 0) && !mpegts_probe(message);
}

/* Counts a message without a packet of the stream, which may have ended. */
static void stray_count(struct stream_probe *probe)
{
    if (++probe->strays >= STREAM_STRAYS_MAX) {
        stream_probe_init(probe);
    }
}

static struct stream_mark plain_mark(struct bytes message)
{
    return (struct stream_mark){
        .kind = jpeg_len(message) > 0 ? MEDIA_JPEG : MEDIA_DATA,
    };
}

static bool stream_begins(struct stream_probe *probe, struct bytes message)
{
    unsigned count = probe->looks++;

    if (!stream_probe_is_wanted(message, count) || !mpegts_probe(message)) {
        return false;
    }
    stream_probe_init(probe);
    probe->is_stream = true;
    return true;
}

static enum media_kind kind_of(const struct take *take)
{
    if (take->key) {
        return MEDIA_KEY;
    }
    if (is_disposable(take)) {
        return MEDIA_DISPOSABLE;
    }
    return take->pictures > 0 ? MEDIA_DEPENDENT : MEDIA_STREAM;
}

/* A key picture that began earlier may end in the message. */
static void key_end_note(struct take *take)
{
    struct stream_probe *probe = take->probe;
    struct stream_mark *mark = &take->mark;

    if (take->key) {
        probe->key_is_open = mark->end_offset <= mark->key_offset;
        return;
    }
    if (probe->key_is_open && !mark->starts_at_boundary) {
        mark->end_offset = take->first_end;
    }
    probe->key_is_open &= !mark->starts_at_boundary && mark->end_offset == 0;
}

static struct stream_mark stream_take(struct stream_probe *probe, struct bytes message)
{
    struct take take = {.probe = probe, .message = message};
    uint32_t gaps = probe->pids.gaps;

    align(probe, message);
    take.at = -(ptrdiff_t)probe->carry_len;
    take.unsure_pid = probe->carry_len == 0 ? mpegts_pids_only_open(&probe->pids) : MPEGTS_PID_NULL;
    take.mark.starts_at_boundary =
        probe->carry_len == 0 && mpegts_pids_are_closed(&probe->pids, MPEGTS_PID_NULL);
    probe->begin = splice_point_before(&probe->pids, NULL);
    packets_take(&take);
    picture_judge(&take);
    rest_keep(&take);
    key_end_note(&take);
    if (!take.has_packets && !probe->synced) {
        stray_count(probe);
        return plain_mark(message);
    }
    probe->strays = 0;
    take.mark.has_gap = probe->pids.gaps != gaps;
    take.mark.kind = kind_of(&take);
    take.mark.is_leading = !take.key && begins_one_picture(&take) && probe->may_lead;
    if (!take.key) {
        take.mark.key_offset = 0;
        take.mark.key_carry_len = 0;
        take.mark.key_at_boundary = false;
    }
    return take.mark;
}

struct stream_mark stream_probe_take(struct stream_probe *probe, struct bytes message)
{
    if (message.len == 0 || (!probe->is_stream && !stream_begins(probe, message))) {
        return plain_mark(message);
    }
    if (is_stray(probe, message)) {
        probe->carry_len = 0;
        stray_count(probe);
        return plain_mark(message);
    }
    return stream_take(probe, message);
}

size_t stream_probe_splice(const struct stream_probe *probe,
                           uint8_t out[static STREAM_SPLICE_SIZE_MAX])
{
    size_t len = splice_write(&probe->key, &probe->program, out);

    memcpy(out + len, probe->key_carry, probe->key_carry_len);
    return len + probe->key_carry_len;
}

size_t stream_probe_gap(const struct stream_probe *probe, uint8_t out[static SPLICE_GAP_SIZE_MAX])
{
    return splice_write_gap(&probe->begin, out);
}
