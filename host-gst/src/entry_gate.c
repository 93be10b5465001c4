#include "host-gst/src/entry_gate.h"

void entry_gate_close(struct entry_gate *gate, uint64_t now_ms)
{
    if (!gate->closed) {
        gate->closed = true;
        gate->closed_ms = now_ms;
    }
}

void entry_gate_begin(struct entry_gate *gate, enum stream_kind kind, uint64_t now_ms)
{
    *gate = (struct entry_gate){
        .kind = kind,
        .kind_is_given = kind != STREAM_UNKNOWN,
        .recovers = true,
    };
    stream_probe_init(&gate->probe);
    entry_gate_close(gate, now_ms);
}

/* Only a message that shows what it is changes the kind; the first one decides about data. */
static enum stream_kind kind_of(const struct entry_gate *gate, enum media_kind media, bool is_text)
{
    switch (media) {
    case MEDIA_JPEG:
        return STREAM_IMAGE;
    case MEDIA_STREAM:
    case MEDIA_DISPOSABLE:
    case MEDIA_DEPENDENT:
    case MEDIA_KEY:
        return STREAM_MPEGTS;
    case MEDIA_DATA:
        break;
    }
    if (gate->kind != STREAM_UNKNOWN) {
        return gate->kind;
    }
    return is_text ? STREAM_TEXT : STREAM_DATA;
}

static void kind_follow(struct entry_gate *gate, enum stream_kind kind, uint64_t now_ms)
{
    if (gate->kind_is_given || gate->kind == kind) {
        return;
    }
    gate->kind = kind;
    gate->entry_seen = false;
    gate->closed = false;
    entry_gate_close(gate, now_ms);
}

/* True: the rest of the message, behind head, is an entry or needs none. */
static bool find_entry(struct entry_gate *gate, const struct stream_mark *mark,
                       struct bytes *message, uint64_t now_ms)
{
    if (mark->kind == MEDIA_KEY) {
        gate->entry_seen = true;
        gate->head_len = stream_probe_splice(&gate->probe, gate->head);
        *message = bytes_skip(*message, mark->key_offset);
        return true;
    }
    return gate->probe.program.video == MPEGTS_VIDEO_NONE ||
           (!gate->entry_seen && now_ms - gate->closed_ms >= ENTRY_GATE_OPENS_AFTER_MS);
}

bool entry_gate_take(struct entry_gate *gate, struct bytes *message, bool is_text, uint64_t now_ms)
{
    struct stream_mark mark = {.kind = MEDIA_DATA};

    if (!is_text) {
        mark = stream_probe_take(&gate->probe, *message);
    }
    gate->head_len = 0;
    kind_follow(gate, kind_of(gate, mark.kind, is_text), now_ms);
    if (gate->closed && gate->recovers && gate->kind == STREAM_MPEGTS &&
        !find_entry(gate, &mark, message, now_ms)) {
        return false;
    }
    gate->closed = false;
    return true;
}
