/* Reaches ws_frame_parse, ws_frame_error_text, ws_mask_copy, utf8_stream_take and
 * ws_frame_close_parse, and compares them with wslay: for one stream both must give the same
 * frames, the same payload bytes and the same verdict, however the stream is cut. Input: one byte
 * that chooses the sender, one that cuts, then the stream.
 *
 * The verdicts may differ in exactly two cases, each of which is verified: - wslay reads a close
 * payload of one byte as no status; §5.5.1 requires two, and we refuse it. - wslay refuses the
 * close codes 1012 to 1014, which IANA registered after RFC 6455. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/attributes.h"
#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/split.h"
#include "wire/utf8_stream.h"
#include "wire/ws_frame.h"
#include "wire/ws_mask.h"

/* Stream and padding fit into wslay's buffer of 4096 bytes. */
enum { HEAD = 2, STREAM_BYTES_MAX = 3900, PADDING = 160, FRAME_RECORD = 10 };

enum verdict { VERDICT_OPEN, VERDICT_CLOSED, VERDICT_REFUSED };

/* Why wslay may see a stream differently. */
enum exception { EXCEPTION_NONE, EXCEPTION_CLOSE_SHORT, EXCEPTION_CLOSE_CODE };

/* A reader's log: a record for each frame, then its payload. A frame is recorded when its first
 * payload byte comes, because wslay does not show it before. */
struct transcript {
    enum verdict verdict;
    enum exception exception;
    size_t refused_header_len; /* of the header that we refused; 0: none */
    bool in_text;
    struct utf8_stream text;   /* of the current text message */
    struct utf8_stream reason; /* of the close frame */
    size_t len;
    uint8_t data[STREAM_BYTES_MAX * (1 + FRAME_RECORD)];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record(struct transcript *transcript, const void *data, size_t len)
{
    CHECK(len <= sizeof transcript->data - transcript->len);
    if (len > 0) {
        memcpy(transcript->data + transcript->len, data, len);
    }
    transcript->len += len;
}

static void record_frame(struct transcript *transcript, uint8_t opcode, bool fin, uint64_t len)
{
    uint8_t first[FRAME_RECORD - sizeof len] = {opcode, fin};

    record(transcript, first, sizeof first);
    record(transcript, &len, sizeof len);
}

/* False from the first byte on that cannot be of a text, as wslay judges it. */
static void judge_bytes(struct utf8_stream *text, struct bytes more)
{
    bool is_good UNUSED = utf8_stream_take(text, more);
}

static void judge_end(struct utf8_stream *text)
{
    text->is_bad = !utf8_stream_is_whole(text);
}

/* Our side. */

struct reader {
    struct ws_frame_parser parser;
    struct ws_frame frame;
    uint64_t done; /* payload bytes of frame */
    bool in_payload;
    bool is_recorded;
    uint8_t control[WS_CONTROL_PAYLOAD_MAX];
    struct transcript *transcript;
};

static void reader_end_close(struct reader *reader)
{
    struct transcript *transcript = reader->transcript;
    struct bytes payload = bytes_of(reader->control, (size_t)reader->frame.payload_len);
    uint16_t code;
    enum ws_close_result result = ws_frame_close_parse(payload, &code);
    bool is_good = result == WS_CLOSE_OK;
    char text[WS_CLOSE_REASON_MAX + 1];

    judge_end(&transcript->reason);
    CHECK(!is_good || !transcript->reason.is_bad);
    ws_frame_close_error_text(result, payload, text, sizeof text);
    CHECK(is_good == (text[0] == '\0') && utf8_is_valid(bytes_of_text(text)));
    transcript->verdict = is_good ? VERDICT_CLOSED : VERDICT_REFUSED;
    if (payload.len == 1) {
        transcript->exception = EXCEPTION_CLOSE_SHORT;
    } else if (is_good && code >= 1012 && code <= 1014) {
        transcript->exception = EXCEPTION_CLOSE_CODE;
    }
}

static void reader_end_frame(struct reader *reader)
{
    struct transcript *transcript = reader->transcript;

    reader->in_payload = false;
    if (reader->frame.opcode == WS_OPCODE_CLOSE) {
        reader_end_close(reader);
    } else if (reader->frame.opcode < WS_OPCODE_CLOSE && reader->frame.fin) {
        if (transcript->in_text) {
            judge_end(&transcript->text);
        }
        transcript->in_text = false;
    }
}

static void reader_start_frame(struct reader *reader)
{
    reader->done = 0;
    reader->in_payload = true;
    reader->is_recorded = false;
    if (reader->frame.opcode == WS_OPCODE_TEXT || reader->frame.opcode == WS_OPCODE_BINARY) {
        reader->transcript->in_text = reader->frame.opcode == WS_OPCODE_TEXT;
    }
}

static void reader_keep(struct reader *reader, const uint8_t *plain, size_t len)
{
    struct transcript *transcript = reader->transcript;

    record(transcript, plain, len);
    if (reader->frame.opcode >= WS_OPCODE_CLOSE) {
        CHECK(len <= sizeof reader->control - reader->done);
        memcpy(reader->control + reader->done, plain, len);
    }
    if (reader->frame.opcode == WS_OPCODE_CLOSE) {
        size_t code_left = reader->done < 2 ? 2 - (size_t)reader->done : 0;

        judge_bytes(&transcript->reason, bytes_skip(bytes_of(plain, len), code_left));
    } else if (reader->frame.opcode < WS_OPCODE_CLOSE && transcript->in_text) {
        judge_bytes(&transcript->text, bytes_of(plain, len));
    }
    reader->done += len;
}

static void reader_take_payload(struct reader *reader, struct bytes *input)
{
    uint8_t plain[STREAM_BYTES_MAX];
    uint64_t left = reader->frame.payload_len - reader->done;
    size_t len = left < input->len ? (size_t)left : input->len;

    if (!reader->is_recorded && (len > 0 || left == 0)) {
        record_frame(reader->transcript, reader->frame.opcode, reader->frame.fin,
                     reader->frame.payload_len);
        reader->is_recorded = true;
    }
    if (len > 0) {
        ws_mask_copy(plain, input->data, len, reader->frame.mask, reader->done);
        reader_keep(reader, plain, len);
        *input = bytes_skip(*input, len);
    }
    if (reader->done == reader->frame.payload_len) {
        reader_end_frame(reader);
    }
}

static void reader_take_header(struct reader *reader, struct bytes *input)
{
    enum ws_frame_result result = ws_frame_parse(&reader->parser, input, &reader->frame);
    char text[32];

    if (result == WS_FRAME_OK) {
        reader_start_frame(reader);
    } else if (result != WS_FRAME_MORE) {
        ws_frame_error_text(result, reader->parser.header, text, sizeof text);
        CHECK(text[0] != '\0');
        reader->transcript->verdict = VERDICT_REFUSED;
        reader->transcript->refused_header_len = reader->parser.header_len;
    } else {
        CHECK(input->len == 0);
    }
}

static void read_ours(struct bytes stream, enum ws_role sender, struct split split,
                      struct transcript *transcript)
{
    struct reader reader = {.transcript = transcript};

    ws_frame_parser_init(&reader.parser, sender);
    while (stream.len > 0 && transcript->verdict == VERDICT_OPEN) {
        struct bytes piece = bytes_of(stream.data, split_next(&split, stream.len));

        stream = bytes_skip(stream, piece.len);
        /* Once more with nothing left: an empty payload is whole as soon as its header is. */
        do {
            if (reader.in_payload) {
                reader_take_payload(&reader, &piece);
            } else {
                reader_take_header(&reader, &piece);
            }
        } while (transcript->verdict == VERDICT_OPEN &&
                 (piece.len > 0 || (reader.in_payload && reader.frame.payload_len == 0)));
    }
}

/* wslay's side. It gets the stream in one piece: it skips two bytes of every piece of a close
 * payload when it looks for bad UTF-8, not of the first one only. */

struct oracle {
    struct bytes stream;
    struct transcript *transcript;
};

static ssize_t oracle_recv(wslay_event_context_ptr context, uint8_t *buf, size_t len, int flags,
                           void *user_data)
{
    struct oracle *oracle = user_data;
    size_t used = oracle->stream.len < len ? oracle->stream.len : len;

    if (used == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(buf, oracle->stream.data, used);
    oracle->stream = bytes_skip(oracle->stream, used);
    return (ssize_t)used;
}

static ssize_t oracle_send(wslay_event_context_ptr context, const uint8_t *data, size_t len,
                           int flags, void *user_data)
{
    return (ssize_t)len;
}

static int oracle_genmask(wslay_event_context_ptr context, uint8_t *buf, size_t len,
                          void *user_data)
{
    memset(buf, 0, len);
    return 0;
}

static void oracle_on_frame(wslay_event_context_ptr context,
                            const struct wslay_event_on_frame_recv_start_arg *frame,
                            void *user_data)
{
    struct oracle *oracle = user_data;

    record_frame(oracle->transcript, frame->opcode, frame->fin != 0, frame->payload_length);
}

static void oracle_on_chunk(wslay_event_context_ptr context,
                            const struct wslay_event_on_frame_recv_chunk_arg *chunk,
                            void *user_data)
{
    struct oracle *oracle = user_data;

    record(oracle->transcript, chunk->data, chunk->data_length);
}

static const struct wslay_event_callbacks oracle_callbacks = {
    .recv_callback = oracle_recv,
    .send_callback = oracle_send,
    .genmask_callback = oracle_genmask,
    .on_frame_recv_start_callback = oracle_on_frame,
    .on_frame_recv_chunk_callback = oracle_on_chunk,
};

static void read_wslay(struct bytes stream, enum ws_role sender, struct transcript *transcript)
{
    struct oracle oracle = {.stream = stream, .transcript = transcript};
    wslay_event_context_ptr context;
    int failed = sender == WS_ROLE_CLIENT
                     ? wslay_event_context_server_init(&context, &oracle_callbacks, &oracle)
                     : wslay_event_context_client_init(&context, &oracle_callbacks, &oracle);

    CHECK(failed == 0);
    wslay_event_config_set_no_buffering(context, 1);
    wslay_event_config_set_max_recv_msg_length(context, INT64_MAX);
    failed = wslay_event_recv(context);
    if (wslay_event_get_read_enabled(context) == 0) {
        bool is_closed = failed == 0 && wslay_event_get_close_received(context) != 0;

        transcript->verdict = is_closed ? VERDICT_CLOSED : VERDICT_REFUSED;
        CHECK(wslay_event_send(context) == 0);
        transcript->text.is_bad =
            !is_closed && /* or it is the peer's own 1007, sent back */
            wslay_event_get_status_code_sent(context) == WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
    }
    wslay_event_context_free(context);
}

static bool is_same(const struct transcript *a, const struct transcript *b)
{
    return a->verdict == b->verdict && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* wslay judges a header when two bytes, the whole length and one payload byte are there; we refuse
 * at the first byte that shows the fault. Completes what we refused, so that wslay must judge it.
 */
static struct bytes completed(struct bytes stream, const struct transcript *ours,
                              enum ws_role sender, uint8_t *padded)
{
    if (ours->refused_header_len == 0) {
        return stream;
    }
    memcpy(padded, stream.data, stream.len);
    memset(padded + stream.len, 0, PADDING);
    if (ours->refused_header_len == 1 && sender == WS_ROLE_CLIENT) {
        padded[stream.len] = 0x80; /* masked, or it would be refused for that */
    }
    return bytes_of(padded, stream.len + PADDING);
}

static void compare(const struct transcript *ours, const struct transcript *wslay)
{
    /* wslay closes with 1007 for a bad text and for a bad close reason, as soon as it is bad, and
     * does not show the bytes that it came with. */
    CHECK(wslay->text.is_bad == (ours->text.is_bad || ours->reason.is_bad));
    if (wslay->text.is_bad) {
        CHECK(ours->verdict != VERDICT_CLOSED || ours->text.is_bad);
        CHECK(wslay->len <= ours->len && memcmp(ours->data, wslay->data, wslay->len) == 0);
        return;
    }
    CHECK(ours->len == wslay->len && memcmp(ours->data, wslay->data, ours->len) == 0);
    switch (ours->exception) {
    case EXCEPTION_NONE:
        CHECK(ours->verdict == wslay->verdict);
        break;
    case EXCEPTION_CLOSE_SHORT:
        CHECK(ours->verdict == VERDICT_REFUSED && wslay->verdict == VERDICT_CLOSED);
        break;
    case EXCEPTION_CLOSE_CODE:
        CHECK(ours->verdict == VERDICT_CLOSED && wslay->verdict == VERDICT_REFUSED);
        break;
    }
}

static void reset(struct transcript *transcript)
{
    memset(transcript, 0, offsetof(struct transcript, data));
    utf8_stream_init(&transcript->text);
    utf8_stream_init(&transcript->reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Too large for the stack, and libFuzzer is one thread; cleared for each run. */
    static struct transcript whole, single, cut, wslay;
    static uint8_t padded[STREAM_BYTES_MAX + PADDING];

    if (size < HEAD || size - HEAD > STREAM_BYTES_MAX) {
        return 0;
    }
    enum ws_role sender = (data[0] & 1) == 0 ? WS_ROLE_CLIENT : WS_ROLE_SERVER;
    struct split split = {.state = data[1]};
    struct bytes stream = bytes_of(data + HEAD, size - HEAD);

    reset(&whole);
    reset(&single);
    reset(&cut);
    reset(&wslay);
    read_ours(stream, sender, (struct split){.state = SPLIT_WHOLE}, &whole);
    read_ours(stream, sender, (struct split){.state = SPLIT_SINGLE_BYTES}, &single);
    read_ours(stream, sender, split, &cut);
    CHECK(is_same(&whole, &single) && is_same(&whole, &cut));
    read_wslay(completed(stream, &whole, sender, padded), sender, &wslay);
    compare(&whole, &wslay);
    return 0;
}
