#include "host-gst/sink/message_assembler.h"

#include <string.h>

#include "base/check.h"
#include "wire/media/multipart.h"

enum assembler_limits {
    /* A relay refuses larger messages; only as much memory is touched as frames need. */
    FRAME_SIZE_MAX = 10 << 20,

    /* A frame of unknown length ends this long after its last byte. */
    HOLD_OPEN_US = 5 * 1000,
    /* Tables and audio wait this long for the frame behind them. */
    HOLD_BETWEEN_US = 50 * 1000,
    /* A frame of known length is incomplete; after this long its rest is considered lost. */
    HOLD_PARTIAL_US = 200 * 1000,

    /* A stream that has marked no random-access point by now does not mark them at all (a
     * container: not any more), and every message counts as one; otherwise it would never start. */
    UNMARKED_AFTER_US = 5 * 1000 * 1000,

    /* Some streams repeat their parameters only with every few keyframes. */
    KEYS_WITHOUT_PARAMETERS = 3,
};

void assembler_init(struct message_assembler *assembler,
                    const struct assembler_callbacks *callbacks)
{
    memset(assembler, 0, sizeof *assembler);
    assembler->callbacks = *callbacks;
    g_mutex_init(&assembler->lock);
    g_cond_init(&assembler->wake);
    assembler->maps = g_array_new(FALSE, FALSE, sizeof(GstMapInfo));
    assembler->slices = g_array_new(FALSE, FALSE, sizeof(struct relay_client_slice));
}

void assembler_deinit(struct message_assembler *assembler)
{
    CHECK(assembler->flusher == NULL);
    g_array_unref(assembler->maps);
    g_array_unref(assembler->slices);
    g_free(assembler->framer_buf);
    g_cond_clear(&assembler->wake);
    g_mutex_clear(&assembler->lock);
}

static void notice_give(struct message_assembler *assembler, enum stream_notice notice)
{
    if ((assembler->noticed & 1u << notice) == 0) {
        assembler->noticed |= 1u << notice;
        assembler->callbacks.on_notice(notice, assembler->callbacks.context);
    }
}

bool assembler_is_independent(const struct message_assembler *assembler)
{
    if (assembler->kind == STREAM_MPEGTS) {
        return assembler->program.video == MPEGTS_VIDEO_NONE;
    }
    return !assembler->has_deltas;
}

static bool is_random_access(struct message_assembler *assembler, bool marked)
{
    gint64 now_us;

    if (assembler_is_independent(assembler)) {
        return true;
    }
    now_us = g_get_monotonic_time();
    if (marked || assembler->marked_us == 0) {
        assembler->random_access_seen = marked;
        assembler->marked_us = now_us;
    }
    if (marked || (assembler->random_access_seen && assembler->kind == STREAM_MPEGTS)) {
        return marked;
    }
    if (now_us - assembler->marked_us < UNMARKED_AFTER_US) {
        return false;
    }
    if (assembler->kind == STREAM_MPEGTS) {
        notice_give(assembler, STREAM_NOTICE_NO_KEYFRAMES);
    }
    return true;
}

/* Detects what viewers will miss in the stream. */
static void findings_tell(struct message_assembler *assembler,
                          const struct mpegts_findings *findings)
{
    if (assembler->program.video == MPEGTS_VIDEO_NONE) {
        notice_give(assembler, STREAM_NOTICE_NO_VIDEO);
    }
    if (!findings->key) {
        return;
    }
    if (!findings->marked) {
        notice_give(assembler, STREAM_NOTICE_NO_MARKS);
    }
    assembler->keys_without_parameters =
        findings->without_parameters ? assembler->keys_without_parameters + 1 : 0;
    if (assembler->keys_without_parameters == KEYS_WITHOUT_PARAMETERS) {
        notice_give(assembler, STREAM_NOTICE_NO_PARAMETERS);
    }
}

static void packets_take(struct message_assembler *assembler, struct bytes packets,
                         struct mpegts_findings *findings)
{
    struct mpegts_packet packet;

    for (; packets.len >= MPEGTS_PACKET_SIZE; packets = bytes_skip(packets, MPEGTS_PACKET_SIZE)) {
        if (mpegts_packet_parse(bytes_of(packets.data, MPEGTS_PACKET_SIZE), &packet) == 0) {
            mpegts_program_take(&assembler->program, &packet, findings);
        }
    }
}

/* True when viewers can start with this message of a transport stream. */
static bool packets_judge(struct message_assembler *assembler,
                          const struct relay_client_slice *slices, size_t count)
{
    struct mpegts_findings findings = {0};

    for (size_t i = 0; i < count; i++) {
        packets_take(assembler, bytes_of(slices[i].data, slices[i].len), &findings);
    }
    findings_tell(assembler, &findings);
    return is_random_access(assembler, findings.marked || findings.key);
}

static GstFlowReturn message_send(struct message_assembler *assembler,
                                  const struct mpegts_message *message, bool may_wait)
{
    struct relay_client_slice slice = {message->packets.data, message->packets.len};
    struct outgoing outgoing = {
        .slices = &slice,
        .slices_count = 1,
        .len = slice.len,
    };

    outgoing.random_access = packets_judge(assembler, &slice, 1);
    return assembler->callbacks.send(&outgoing, may_wait, assembler->callbacks.context);
}

/* The flusher is woken only for a deadline earlier than the one it waits for; for a later one it
 * checks again by itself, so that a list split into packets does not wake it for each. */
static void deadline_set(struct message_assembler *assembler, enum mpegts_pending pending)
{
    static const gint64 hold_us[] = {
        [MPEGTS_PENDING_NOTHING] = 0,
        [MPEGTS_PENDING_BETWEEN] = HOLD_BETWEEN_US,
        [MPEGTS_PENDING_OPEN] = HOLD_OPEN_US,
        [MPEGTS_PENDING_PARTIAL] = HOLD_PARTIAL_US,
    };
    gint64 previous_us = assembler->deadline_us;

    assembler->pending = pending;
    assembler->overdue = false;
    assembler->deadline_us =
        pending == MPEGTS_PENDING_NOTHING ? 0 : g_get_monotonic_time() + hold_us[pending];
    if (assembler->deadline_us != 0 && (previous_us == 0 || assembler->deadline_us < previous_us)) {
        g_cond_signal(&assembler->wake);
    }
}

/* Ends what has been pending too long. */
static void flush_due(struct message_assembler *assembler)
{
    struct mpegts_message message;

    if (!assembler->callbacks.may_flush(assembler->callbacks.context)) {
        /* An open frame ends when the next one starts, but there may be none in an audio-only
         * stream. */
        assembler->overdue = assembler->pending == MPEGTS_PENDING_BETWEEN;
        assembler->deadline_us = 0; /* the next buffer sets a new deadline */
        return;
    }
    if (mpegts_framer_flush(&assembler->framer, &message)) {
        (void)message_send(assembler, &message, false);
    }
    deadline_set(assembler, mpegts_framer_pending(&assembler->framer));
}

static gpointer flusher_main(gpointer data)
{
    struct message_assembler *assembler = data;

    g_mutex_lock(&assembler->lock);
    while (!assembler->quit) {
        if (assembler->deadline_us == 0) {
            g_cond_wait(&assembler->wake, &assembler->lock);
        } else if (g_get_monotonic_time() < assembler->deadline_us) {
            g_cond_wait_until(&assembler->wake, &assembler->lock, assembler->deadline_us);
        } else {
            flush_due(assembler);
        }
    }
    g_mutex_unlock(&assembler->lock);
    return NULL;
}

static void held_forget(struct message_assembler *assembler)
{
    assembler->begun = false;
    assembler->lists_are_frames = true;
    assembler->random_access_seen = false;
    assembler->marked_us = 0;
    assembler->keys_without_parameters = 0;
    mpegts_program_init(&assembler->program);
    if (assembler->framer_buf != NULL) {
        mpegts_framer_reset(&assembler->framer);
    }
    deadline_set(assembler, MPEGTS_PENDING_NOTHING);
}

bool assembler_start(struct message_assembler *assembler, enum sink_framing framing)
{
    CHECK(assembler->flusher == NULL);
    assembler->framing = framing;
    assembler->kind = framing == SINK_FRAMING_FRAME ? STREAM_MPEGTS : STREAM_UNKNOWN;
    assembler->quit = false;
    assembler->has_deltas = false;
    assembler->noticed = 0;
    held_forget(assembler);
    assembler->flusher = g_thread_try_new("relaysink-flush", flusher_main, assembler, NULL);
    return assembler->flusher != NULL;
}

void assembler_stop(struct message_assembler *assembler)
{
    if (assembler->flusher == NULL) {
        return;
    }
    g_mutex_lock(&assembler->lock);
    assembler->quit = true;
    g_cond_signal(&assembler->wake);
    g_mutex_unlock(&assembler->lock);
    g_thread_join(assembler->flusher);
    assembler->flusher = NULL;
}

void assembler_set_kind(struct message_assembler *assembler, enum stream_kind kind, bool has_deltas)
{
    g_mutex_lock(&assembler->lock);
    assembler->has_deltas = has_deltas;
    if (assembler->framing != SINK_FRAMING_FRAME && assembler->kind != kind) {
        assembler->kind = kind;
        assembler->noticed = 0;
        held_forget(assembler);
    }
    g_mutex_unlock(&assembler->lock);
}

static void unmap_all(struct message_assembler *assembler)
{
    for (guint i = 0; i < assembler->maps->len; i++) {
        GstMapInfo *map = &g_array_index(assembler->maps, GstMapInfo, i);

        gst_buffer_unmap(map->user_data[0], map);
    }
    g_array_set_size(assembler->maps, 0);
    g_array_set_size(assembler->slices, 0);
}

static bool map_one(struct message_assembler *assembler, GstBuffer *buffer)
{
    struct relay_client_slice slice;
    GstMapInfo map;

    if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        return false;
    }
    map.user_data[0] = buffer;
    slice = (struct relay_client_slice){map.data, map.size};
    g_array_append_val(assembler->maps, map);
    g_array_append_val(assembler->slices, slice);
    return true;
}

static bool map_list(struct message_assembler *assembler, GstBufferList *list)
{
    guint count = gst_buffer_list_length(list);

    for (guint i = 0; i < count; i++) {
        if (!map_one(assembler, gst_buffer_list_get(list, i))) {
            return false;
        }
    }
    return true;
}

static struct bytes slice_bytes(const struct message_assembler *assembler, guint index)
{
    const struct relay_client_slice *slice =
        &g_array_index(assembler->slices, struct relay_client_slice, index);

    return bytes_of(slice->data, slice->len);
}

static bool is_delta(const struct message_assembler *assembler, guint index)
{
    const GstMapInfo *map = &g_array_index(assembler->maps, GstMapInfo, index);

    return GST_BUFFER_FLAG_IS_SET((GstBuffer *)map->user_data[0], GST_BUFFER_FLAG_DELTA_UNIT);
}

/* Sends everything mapped as one message. */
static GstFlowReturn send_mapped(struct message_assembler *assembler)
{
    struct outgoing outgoing = {
        .slices = (const struct relay_client_slice *)(const void *)assembler->slices->data,
        .slices_count = assembler->slices->len,
    };

    for (guint i = 0; i < assembler->slices->len; i++) {
        outgoing.len += slice_bytes(assembler, i).len;
    }
    if (outgoing.len == 0) {
        return GST_FLOW_OK;
    }
    outgoing.random_access = assembler->kind == STREAM_MPEGTS
                                 ? packets_judge(assembler, outgoing.slices, outgoing.slices_count)
                                 : is_random_access(assembler, !is_delta(assembler, 0));
    return assembler->callbacks.send(&outgoing, true, assembler->callbacks.context);
}

static bool framer_ready(struct message_assembler *assembler)
{
    if (assembler->framer_buf == NULL) {
        assembler->framer_buf = g_try_malloc(FRAME_SIZE_MAX);
        if (assembler->framer_buf == NULL) {
            return false;
        }
        mpegts_framer_init(&assembler->framer, assembler->framer_buf, FRAME_SIZE_MAX);
    }
    return true;
}

/* Sends the messages that the flusher had to leave to the streaming thread. */
static GstFlowReturn overdue_send(struct message_assembler *assembler)
{
    GstFlowReturn flow = GST_FLOW_OK;
    struct mpegts_message message;

    if (assembler->overdue && mpegts_framer_flush(&assembler->framer, &message)) {
        flow = message_send(assembler, &message, true);
        deadline_set(assembler, mpegts_framer_pending(&assembler->framer));
    }
    return flow;
}

/* Feeds everything mapped through the framer. */
static GstFlowReturn frame_mapped(struct message_assembler *assembler)
{
    struct mpegts_message message;
    enum mpegts_pending pending;
    GstFlowReturn flow;
    bool sent = false;

    if (!framer_ready(assembler)) {
        return GST_FLOW_ERROR;
    }
    flow = overdue_send(assembler);
    if (flow != GST_FLOW_OK) {
        return flow;
    }
    for (guint i = 0; i < assembler->slices->len; i++) {
        struct bytes slice = slice_bytes(assembler, i);

        while (mpegts_framer_push(&assembler->framer, &slice, &message)) {
            sent = true;
            flow = message_send(assembler, &message, true);
            if (flow != GST_FLOW_OK) {
                return flow;
            }
        }
    }
    pending = mpegts_framer_pending(&assembler->framer);
    /* Packets held between frames wait from the first one on, or steady audio would never be
     * sent. */
    if (sent || pending != assembler->pending || pending != MPEGTS_PENDING_BETWEEN) {
        deadline_set(assembler, pending);
    }
    return flow;
}

/* Follows a list packet by packet. False when it cannot be one unit: it begins inside a unit, or a
 * second frame begins in it. Packets without payload (clock, stuffing) may come first. */
static bool unit_goes_on(struct bytes raw, bool *begun, bool *has_video)
{
    struct mpegts_packet packet;

    if (mpegts_packet_parse(raw, &packet) != 0 || packet.payload.len == 0) {
        return true;
    }
    if (!*begun && !packet.payload_unit_start) {
        return false;
    }
    *begun = true;
    if (!mpegts_packet_starts_video(&packet)) {
        return true;
    }
    if (*has_video) {
        return false;
    }
    *has_video = true;
    return true;
}

/* True when the mapped list is whole packets of one unit: a frame, or audio. */
static bool mapped_is_unit(const struct message_assembler *assembler)
{
    bool begun = false, has_video = false;

    for (guint i = 0; i < assembler->slices->len; i++) {
        struct bytes slice = slice_bytes(assembler, i);

        if (!mpegts_is_whole_packets(slice)) {
            return false;
        }
        for (; slice.len > 0; slice = bytes_skip(slice, MPEGTS_PACKET_SIZE)) {
            if (!unit_goes_on(bytes_of(slice.data, MPEGTS_PACKET_SIZE), &begun, &has_video)) {
                return false;
            }
        }
    }
    return true;
}

static GstFlowReturn list_mapped(struct message_assembler *assembler)
{
    if (assembler->kind != STREAM_MPEGTS || assembler->framing == SINK_FRAMING_LIST) {
        return send_mapped(assembler);
    }
    if (assembler->framing == SINK_FRAMING_FRAME || !assembler->lists_are_frames ||
        assembler->pending != MPEGTS_PENDING_NOTHING) {
        return frame_mapped(assembler);
    }
    if (mapped_is_unit(assembler)) {
        return send_mapped(assembler);
    }
    assembler->lists_are_frames = false;
    notice_give(assembler, STREAM_NOTICE_CUT_FRAMES);
    return frame_mapped(assembler);
}

/* Containers that viewers cannot read are reported, and sent unchanged. */
static void container_probe(struct message_assembler *assembler, struct bytes first)
{
    switch (mpegts_probe_other_size(first)) {
    case 192:
        notice_give(assembler, STREAM_NOTICE_PACKETS_192);
        break;
    case 204:
        notice_give(assembler, STREAM_NOTICE_PACKETS_204);
        break;
    default:
        if (multipart_probe(first)) {
            notice_give(assembler, STREAM_NOTICE_MULTIPART);
        }
    }
}

/* The first bytes of a stream say more than its caps, which may be missing. */
static void kind_probe(struct message_assembler *assembler)
{
    struct bytes first;
    bool is_mpegts;

    if (assembler->begun || assembler->slices->len == 0 || slice_bytes(assembler, 0).len == 0) {
        return;
    }
    assembler->begun = true;
    first = slice_bytes(assembler, 0);
    is_mpegts = mpegts_probe(first);
    if (assembler->kind == STREAM_UNKNOWN) {
        assembler->kind = is_mpegts ? STREAM_MPEGTS : STREAM_DATA;
    }
    if (!is_mpegts && assembler->kind != STREAM_IMAGE && assembler->kind != STREAM_TEXT) {
        container_probe(assembler, first);
    }
}

static GstFlowReturn push_buffer_locked(struct message_assembler *assembler, GstBuffer *buffer)
{
    GstFlowReturn flow = GST_FLOW_ERROR;

    if (map_one(assembler, buffer)) {
        kind_probe(assembler);
        flow = assembler->kind == STREAM_MPEGTS && assembler->framing != SINK_FRAMING_BUFFER &&
                       assembler->framing != SINK_FRAMING_LIST
                   ? frame_mapped(assembler)
                   : send_mapped(assembler);
    }
    unmap_all(assembler);
    return flow;
}

GstFlowReturn assembler_push_buffer(struct message_assembler *assembler, GstBuffer *buffer)
{
    GstFlowReturn flow;

    g_mutex_lock(&assembler->lock);
    flow = push_buffer_locked(assembler, buffer);
    g_mutex_unlock(&assembler->lock);
    return flow;
}

GstFlowReturn assembler_push_list(struct message_assembler *assembler, GstBufferList *list)
{
    GstFlowReturn flow = GST_FLOW_OK;

    g_mutex_lock(&assembler->lock);
    if (assembler->framing == SINK_FRAMING_BUFFER) {
        for (guint i = 0; flow == GST_FLOW_OK && i < gst_buffer_list_length(list); i++) {
            flow = push_buffer_locked(assembler, gst_buffer_list_get(list, i));
        }
    } else {
        flow = GST_FLOW_ERROR;
        if (map_list(assembler, list)) {
            kind_probe(assembler);
            flow = list_mapped(assembler);
        }
        unmap_all(assembler);
    }
    g_mutex_unlock(&assembler->lock);
    return flow;
}

GstFlowReturn assembler_finish(struct message_assembler *assembler)
{
    GstFlowReturn flow = GST_FLOW_OK;
    struct mpegts_message message;

    g_mutex_lock(&assembler->lock);
    while (flow == GST_FLOW_OK && assembler->framer_buf != NULL &&
           mpegts_framer_flush(&assembler->framer, &message)) {
        flow = message_send(assembler, &message, true);
    }
    deadline_set(assembler, MPEGTS_PENDING_NOTHING);
    g_mutex_unlock(&assembler->lock);
    return flow;
}

void assembler_reset(struct message_assembler *assembler)
{
    g_mutex_lock(&assembler->lock);
    held_forget(assembler);
    g_mutex_unlock(&assembler->lock);
}
