/* A relay without network: cuts a transport stream into messages as publishers do, shows them to
 * stream_probe, and writes what viewers would receive who join, are cut off and resume, or lose
 * disposable pictures. tests/wire/test_streams.py has decoders look at the results.
 *
 *   stream_cut FILE pictures|SEED join N OUT     viewer that joins at the N-th key picture
 *   stream_cut FILE pictures|SEED skip SEED OUT  viewer that is cut off and resumes, again and
 * again, without leading pictures behind a key picture stream_cut FILE pictures|SEED thin 0 OUT
 * viewer that receives no disposable picture
 *
 * pictures: one picture in each message, as relaysink sends; SEED: pieces of random length. Prints
 * the number of messages of each kind, and where viewers could be cut off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/media/mpegts_framer.h"
#include "wire/media/stream_probe.h"

enum { FRAMER_SIZE = 4 << 20, PIECE_LEN_MAX = 8192, KINDS = MEDIA_KEY + 1 };

struct message {
    struct bytes bytes;
    struct stream_mark mark;
    size_t splice_len;
    uint8_t splice[STREAM_SPLICE_SIZE_MAX];
    size_t gap_len;
    uint8_t gap[SPLICE_GAP_SIZE_MAX];
};

static struct message *messages;
static size_t count;
static uint64_t random_state;

/* splitmix64: the same pieces for the same seed on each machine. */
static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void message_add(struct stream_probe *probe, struct bytes bytes)
{
    struct message *message;

    messages = realloc(messages, (count + 1) * sizeof *messages);
    CHECK(messages != NULL);
    message = &messages[count++];
    *message = (struct message){.bytes = bytes, .mark = stream_probe_take(probe, bytes)};
    if (message->mark.starts_at_boundary) {
        message->gap_len = stream_probe_gap(probe, message->gap);
    }
    if (message->mark.kind == MEDIA_KEY) {
        message->splice_len = stream_probe_splice(probe, message->splice);
    }
}

static void cut_pieces(struct stream_probe *probe, struct bytes stream)
{
    while (stream.len > 0) {
        size_t len = 1 + random_next() % PIECE_LEN_MAX;

        len = len < stream.len ? len : stream.len;
        message_add(probe, bytes_of(stream.data, len));
        stream = bytes_skip(stream, len);
    }
}

/* The framer moves packets: where they stand in the file follows from their lengths. */
static void cut_pictures(struct stream_probe *probe, struct bytes stream)
{
    struct mpegts_framer framer;
    struct mpegts_message message;
    uint8_t *buf = malloc(FRAMER_SIZE);
    const uint8_t *at = stream.data;

    CHECK(buf != NULL);
    mpegts_framer_init(&framer, buf, FRAMER_SIZE);
    while (mpegts_framer_push(&framer, &stream, &message)) {
        message_add(probe, bytes_of(at, message.packets.len));
        at += message.packets.len;
    }
    while (mpegts_framer_flush(&framer, &message)) {
        message_add(probe, bytes_of(at, message.packets.len));
        at += message.packets.len;
    }
    free(buf);
}

static void put(FILE *out, struct bytes bytes)
{
    CHECK(fwrite(bytes.data, 1, bytes.len, out) == bytes.len);
}

static void put_key(FILE *out, const struct message *message)
{
    put(out, bytes_of(message->splice, message->splice_len));
    put(out, bytes_skip(message->bytes, message->mark.key_offset));
}

static size_t join(FILE *out, size_t nth)
{
    for (size_t i = 0; i < count; i++) {
        if (messages[i].mark.kind == MEDIA_KEY && nth-- == 0) {
            put_key(out, &messages[i]);
            while (++i < count) {
                put(out, messages[i].bytes);
            }
            return 1;
        }
    }
    return 0;
}

/* True when the viewer can be cut off in this message; it is, and has then what lies before. */
static bool stop(FILE *out, const struct message *message)
{
    if (message->mark.starts_at_boundary && random_next() % 2 == 0) {
        return true;
    }
    if (message->mark.end_offset > 0) {
        put(out, bytes_of(message->bytes.data, message->mark.end_offset));
        return true;
    }
    return false;
}

/* Leading pictures of the key picture at which the viewer resumed are left out. */
static bool leave_out(FILE *out, size_t i, bool *gap)
{
    if (messages[i].mark.is_leading || (*gap && !messages[i].mark.starts_at_boundary)) {
        *gap = true;
        return true;
    }
    if (*gap) {
        put(out, bytes_of(messages[i].gap, messages[i].gap_len));
        *gap = false;
    }
    return false;
}

static size_t skip(FILE *out)
{
    size_t cuts = 0, patience = 9;
    bool live = true, gap = false;

    for (size_t i = 0; i < count; i++) {
        if (!live) {
            if (messages[i].mark.kind != MEDIA_KEY || random_next() % 3 == 0) {
                continue;
            }
            put_key(out, &messages[i]);
            live = true;
            patience = random_next() % 40;
        } else if (cuts > 0 && leave_out(out, i, &gap)) {
            continue;
        } else if (patience > 0 || !stop(out, &messages[i])) {
            put(out, messages[i].bytes);
            patience -= patience > 0 ? 1 : 0;
        } else {
            live = false;
            cuts++;
        }
    }
    return cuts;
}

static size_t thin(FILE *out)
{
    size_t dropped = 0;

    for (size_t i = 0; i < count; i++) {
        if (messages[i].mark.kind == MEDIA_DISPOSABLE) {
            dropped++;
            continue;
        }
        if (i > 0 && messages[i - 1].mark.kind == MEDIA_DISPOSABLE) {
            put(out, bytes_of(messages[i].gap, messages[i].gap_len));
        }
        put(out, messages[i].bytes);
    }
    return dropped;
}

static struct bytes file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long len;

    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    len = ftell(file);
    CHECK(len > 0 && fseek(file, 0, SEEK_SET) == 0);
    data = malloc((size_t)len);
    CHECK(data != NULL && fread(data, 1, (size_t)len, file) == (size_t)len);
    (void)fclose(file);
    return bytes_of(data, (size_t)len);
}

static void report(size_t done)
{
    size_t kinds[KINDS] = {0}, boundaries = 0;

    for (size_t i = 0; i < count; i++) {
        kinds[messages[i].mark.kind]++;
        boundaries += messages[i].mark.end_offset > 0 || messages[i].mark.starts_at_boundary;
    }
    printf("messages %zu data %zu jpeg %zu stream %zu disposable %zu dependent %zu key %zu "
           "boundaries %zu done %zu\n",
           count, kinds[MEDIA_DATA], kinds[MEDIA_JPEG], kinds[MEDIA_STREAM],
           kinds[MEDIA_DISPOSABLE], kinds[MEDIA_DEPENDENT], kinds[MEDIA_KEY], boundaries, done);
}

static size_t write_viewer(FILE *out, const char *what, uint64_t number)
{
    if (strcmp(what, "join") == 0) {
        return join(out, number);
    }
    random_state = number;
    return strcmp(what, "skip") == 0 ? skip(out) : thin(out);
}

int main(int argc, char **argv)
{
    struct stream_probe probe;
    struct bytes stream;
    FILE *out;

    CHECK(argc == 6);
    stream = file_read(argv[1]);
    stream_probe_init(&probe);
    if (strcmp(argv[2], "pictures") == 0) {
        cut_pictures(&probe, stream);
    } else {
        random_state = strtoull(argv[2], NULL, 10);
        cut_pieces(&probe, stream);
    }
    out = fopen(argv[5], "wb");
    CHECK(out != NULL);
    report(write_viewer(out, argv[3], strtoull(argv[4], NULL, 10)));
    CHECK(fclose(out) == 0);
    free(messages);
    free((void *)(uintptr_t)stream.data);
    return 0;
}
