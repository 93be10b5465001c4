#include "server/handover/handover_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

/* Fields of HANDOVER_STREAM. */
enum stream_field { STREAM_BYTES = 1, STREAM_FDS = 2 };

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

enum { GROW_BYTES = 256 * 1024 };

static int map(struct handover_stream *stream, size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, stream->fd, 0);

    if (memory == MAP_FAILED) {
        return -errno;
    }
    madvise(memory, size, MADV_DONTDUMP); /* keys, codes */
    stream->memory = memory;
    stream->size = size;
    return 0;
}

static int make_fds(struct handover_stream *stream, size_t count)
{
    stream->fds = calloc(count + 1, sizeof *stream->fds);
    return stream->fds == NULL ? -ENOMEM : 0;
}

int handover_stream_open(struct handover_stream *stream, size_t size, size_t fds_max)
{
    *stream = (struct handover_stream){.fd = -1};
    stream->fd = memfd_create("relay-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (stream->fd < 0) {
        return -errno;
    }
    stream->is_open = true;
    int failed = map(stream, size);

    failed = failed == 0 ? make_fds(stream, fds_max) : failed;
    if (failed != 0) {
        handover_stream_release(stream);
    }
    return failed;
}

/* Before they are used: a machine without memory answers a first access with SIGBUS. */
int handover_stream_grow(struct handover_stream *stream, size_t len)
{
    if (len > stream->size) {
        return -EMSGSIZE;
    }
    while (stream->backed < len) {
        size_t left = stream->size - stream->backed;
        size_t more = left < GROW_BYTES ? left : GROW_BYTES;

        if (fallocate(stream->fd, 0, (off_t)stream->backed, (off_t)more) == 0) {
            stream->backed += more;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static int grow_for(struct handover_writer *writer, size_t more)
{
    struct handover_stream *stream = writer->context;
    int failed = more <= stream->size - writer->len
                     ? handover_stream_grow(stream, writer->len + more)
                     : -EMSGSIZE;

    writer->size = stream->backed;
    return failed;
}

void handover_stream_begin(struct handover_stream *stream, struct handover_writer *ret_writer)
{
    handover_writer_init(ret_writer, stream->memory, stream->backed);
    ret_writer->grow = grow_for;
    ret_writer->context = stream;
}

int handover_stream_seal(struct handover_stream *stream, size_t len, size_t fds_count)
{
    CHECK(len > 0 && len <= stream->backed);
    munmap(stream->memory, stream->size);
    stream->memory = NULL;
    stream->size = stream->backed = len;
    stream->fds_count = fds_count;
    return ftruncate(stream->fd, (off_t)len) == 0 && fcntl(stream->fd, F_ADD_SEALS, SEALS) == 0
               ? 0
               : -errno;
}

static int send_fds(const struct handover_stream *stream, struct handover_channel *channel,
                    const struct handover_wait *wait)
{
    struct handover_message message;
    int failed = 0;

    for (size_t at = 0; failed == 0 && at < stream->fds_count; at += HANDOVER_FDS_MAX) {
        size_t left = stream->fds_count - at;

        handover_channel_begin(&message, HANDOVER_FDS, stream->fds + at,
                               left < HANDOVER_FDS_MAX ? (unsigned)left : HANDOVER_FDS_MAX);
        failed = handover_channel_send(channel, &message, wait);
    }
    return failed;
}

int handover_stream_send(const struct handover_stream *stream, struct handover_channel *channel,
                         const struct handover_wait *wait)
{
    struct handover_message message;

    handover_channel_begin(&message, HANDOVER_STREAM, &stream->fd, 1);
    handover_writer_number(&message.writer, STREAM_BYTES, stream->size);
    handover_writer_number(&message.writer, STREAM_FDS, stream->fds_count);
    int failed = handover_channel_send(channel, &message, wait);

    return failed == 0 ? send_fds(stream, channel, wait) : failed;
}

/* Its pages cannot go away under the reader, and there are as many as was said. */
static bool is_sealed(int fd, uint64_t len)
{
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &info) == 0 &&
           (uint64_t)info.st_size == len;
}

static int receive_fds(struct handover_stream *stream, struct handover_channel *channel,
                       size_t count, const struct handover_wait *wait)
{
    struct handover_message message;
    int failed = 0;

    while (failed == 0 && stream->fds_count < count) {
        failed = handover_channel_await(channel, &message, HANDOVER_FDS, wait);
        if (failed != 0) {
            break;
        }
        if (message.fds_count == 0 || message.fds_count > count - stream->fds_count) {
            handover_channel_drop(&message);
            return -EBADMSG;
        }
        memcpy(stream->fds + stream->fds_count, message.fds, message.fds_count * sizeof(int));
        stream->fds_count += message.fds_count;
    }
    return failed;
}

static int take_file(struct handover_stream *stream, struct handover_message *message,
                     uint64_t *ret_fds)
{
    uint64_t len;

    if (message->fds_count != 1 || !handover_reader_number(&message->record, STREAM_BYTES, &len) ||
        !handover_reader_number(&message->record, STREAM_FDS, ret_fds) || len == 0 ||
        len > HANDOVER_STREAM_BYTES_MAX || *ret_fds > HANDOVER_STREAM_FDS_MAX ||
        !is_sealed(message->fds[0], len)) {
        handover_channel_drop(message);
        return -EBADMSG;
    }
    stream->fd = message->fds[0];
    stream->is_open = true;
    int failed = map(stream, len);

    stream->backed = len; /* by its writer */
    return failed == 0 ? make_fds(stream, *ret_fds) : failed;
}

int handover_stream_receive(struct handover_stream *stream, struct handover_channel *channel,
                            const struct handover_wait *wait)
{
    struct handover_message message;
    uint64_t fds;

    *stream = (struct handover_stream){.fd = -1};
    int failed = handover_channel_await(channel, &message, HANDOVER_STREAM, wait);

    failed = failed == 0 ? take_file(stream, &message, &fds) : failed;
    failed = failed == 0 ? receive_fds(stream, channel, fds, wait) : failed;
    if (failed != 0) {
        handover_stream_consume(stream);
    }
    return failed;
}

struct bytes handover_stream_bytes(const struct handover_stream *stream)
{
    return bytes_of(stream->memory, stream->size);
}

const int *handover_stream_take_fds(struct handover_stream *stream, size_t count)
{
    const int *fds = stream->fds + stream->fds_taken;

    if (count > stream->fds_count - stream->fds_taken) {
        return NULL;
    }
    stream->fds_taken += count;
    return fds;
}

void handover_stream_release(struct handover_stream *stream)
{
    if (stream->memory != NULL) {
        munmap(stream->memory, stream->size);
    }
    free(stream->fds);
    if (stream->is_open) {
        close(stream->fd);
    }
    *stream = (struct handover_stream){.fd = -1};
}

void handover_stream_consume(struct handover_stream *stream)
{
    if (stream->memory != NULL) {
        bytes_wipe(stream->memory, stream->backed);
    }
    for (size_t i = stream->fds_taken; i < stream->fds_count; i++) {
        close(stream->fds[i]);
    }
    handover_stream_release(stream);
}
