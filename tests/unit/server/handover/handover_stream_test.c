/* Goal: a stream of any size arrives with all its descriptors, is wiped when it was read, and none
 * that could change under its reader is taken. Method: both ends in one process. */
#include "server/handover/handover_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/server/handover/channel_fixture.h"

enum { LARGE = 3 << 20, FDS = 3 * HANDOVER_FDS_MAX + 7 };

static struct handover_stream sent, received;

TestSuite(handover_stream, .init = open_channel, .fini = close_channel);

static void make(size_t size, size_t fds_count)
{
    cr_assert_eq(handover_stream_open(&sent, size, fds_count), 0);
    cr_assert_eq(handover_stream_grow(&sent, size), 0);
    for (size_t i = 0; i < size; i++) {
        sent.memory[i] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < fds_count; i++) {
        sent.fds[i] = (int)(i % 2);
    }
}

static void *send_it(void *failed)
{
    *(int *)failed = handover_stream_send(&sent, &pair.theirs, &pair.wait);
    return NULL;
}

Test(handover_stream, large_one_arrives_with_all_its_descriptors)
{
    pthread_t thread;
    int failed = 1;

    make(LARGE, FDS);
    cr_assert_eq(handover_stream_seal(&sent, LARGE - 5, FDS), 0);
    cr_assert_eq(pthread_create(&thread, NULL, send_it, &failed), 0);
    cr_assert_eq(handover_stream_receive(&received, &pair.ours, &pair.wait), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(failed, 0);
    struct bytes bytes = handover_stream_bytes(&received);

    cr_assert_eq(bytes.len, LARGE - 5);
    for (size_t i = 0; i < bytes.len; i++) {
        cr_assert(bytes.data[i] == (uint8_t)(i * 7));
    }
    cr_assert_eq(received.fds_count, FDS);
    const int *fds = handover_stream_take_fds(&received, 2);

    cr_assert_not_null(fds);
    cr_assert_neq(fds[0], fds[1]);
    cr_assert_null(handover_stream_take_fds(&received, FDS - 1));
    int first = fds[0], second = fds[1];

    handover_stream_consume(&received);
    handover_stream_release(&sent);
    cr_assert_eq(open_descriptors(), pair.descriptors + 2);
    close(first);
    close(second);
}

Test(handover_stream, reader_wipes_it_for_the_writer_too)
{
    make(100, 0);
    cr_assert_eq(handover_stream_seal(&sent, 100, 0), 0);
    cr_assert_eq(handover_stream_send(&sent, &pair.theirs, &pair.wait), 0);
    cr_assert_eq(handover_stream_receive(&received, &pair.ours, &pair.wait), 0);
    handover_stream_consume(&received);
    uint8_t *memory = mmap(NULL, 100, PROT_READ, MAP_SHARED, sent.fd, 0);

    cr_assert_neq(memory, MAP_FAILED);
    for (size_t i = 0; i < 100; i++) {
        cr_assert_eq(memory[i], 0);
    }
    munmap(memory, 100);
    handover_stream_release(&sent);
}

Test(handover_stream, sealed_one_keeps_its_length)
{
    make(100, 0);
    cr_assert_eq(handover_stream_seal(&sent, 60, 0), 0);
    cr_assert_neq(ftruncate(sent.fd, 10), 0);
    cr_assert_neq(ftruncate(sent.fd, 100), 0);
    handover_stream_release(&sent);
    handover_stream_release(&sent);
}

static void announce(int fd, uint64_t len, uint64_t fds)
{
    handover_channel_begin(&pair.message, HANDOVER_STREAM, &fd, fd < 0 ? 0 : 1);
    handover_writer_number(&pair.message.writer, 1, len);
    handover_writer_number(&pair.message.writer, 2, fds);
    cr_assert_eq(handover_channel_send(&pair.theirs, &pair.message, &pair.wait), 0);
}

Test(handover_stream, what_is_none_leaves_nothing_open)
{
    static const int one_too_many[] = {0, 1};
    int file = memfd_create("open", MFD_ALLOW_SEALING | MFD_CLOEXEC);

    cr_assert_eq(ftruncate(file, 100), 0);
    announce(file, 100, 0); /* not sealed: its writer could cut it */
    announce(0, 100, 0);
    announce(-1, 100, 0);
    close(file);
    make(100, 0);
    cr_assert_eq(handover_stream_seal(&sent, 100, 0), 0);
    announce(sent.fd, 101, 0);
    announce(sent.fd, 0, 0);
    announce(sent.fd, 100, UINT64_MAX);
    for (unsigned i = 0; i < 6; i++) {
        cr_assert_eq(handover_stream_receive(&received, &pair.ours, &pair.wait), -EBADMSG, "%u", i);
    }
    announce(sent.fd, 100, 1);
    handover_channel_begin(&pair.message, HANDOVER_FDS, one_too_many, 2);
    cr_assert_eq(handover_channel_send(&pair.theirs, &pair.message, &pair.wait), 0);
    cr_assert_eq(handover_stream_receive(&received, &pair.ours, &pair.wait), -EBADMSG);
    announce(sent.fd, 100, 1);
    handover_channel_begin(&pair.message, HANDOVER_FDS, NULL, 0);
    cr_assert_eq(handover_channel_send(&pair.theirs, &pair.message, &pair.wait), 0);
    cr_assert_eq(handover_stream_receive(&received, &pair.ours, &pair.wait), -EBADMSG);
    handover_stream_release(&sent);
    cr_assert_eq(open_descriptors(), pair.descriptors);
}

Test(handover_stream, too_large_a_one_is_refused)
{
    cr_assert_neq(handover_stream_open(&sent, SIZE_MAX / 2, 0), 0);
    cr_assert_eq(open_descriptors(), pair.descriptors);
}

static void write_record(struct handover_writer *writer, size_t len)
{
    static uint8_t bytes[LARGE];

    handover_writer_begin(writer, 1, 0);
    handover_writer_bytes(writer, 0, bytes_of(bytes, len));
}

static size_t bytes_taken(void)
{
    struct stat info;

    cr_assert_eq(fstat(sent.fd, &info), 0);
    return (size_t)info.st_blocks * 512;
}

Test(handover_stream, pages_are_taken_as_it_is_written)
{
    struct handover_writer writer;

    cr_assert_eq(handover_stream_open(&sent, (size_t)LARGE << 10, 0), 0);
    handover_stream_begin(&sent, &writer);
    cr_assert_eq(bytes_taken(), 0);
    for (size_t len = 0; len < LARGE; len += LARGE / 4) {
        write_record(&writer, LARGE / 4);
        cr_assert(handover_writer_end(&writer));
        cr_assert_geq(bytes_taken(), writer.len);
        cr_assert_leq(bytes_taken(), writer.len + (1 << 20));
    }
    cr_assert_eq(handover_stream_seal(&sent, writer.len, 0), 0);
    handover_stream_release(&sent);
}

Test(handover_stream, without_pages_or_room_its_records_so_far_stand)
{
    const struct rlimit limit = {.rlim_cur = LARGE, .rlim_max = RLIM_INFINITY};
    struct handover_writer writer;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(handover_stream_open(&sent, 2 * (size_t)LARGE, 0), 0);
    handover_stream_begin(&sent, &writer);
    write_record(&writer, LARGE / 2);
    cr_assert(handover_writer_end(&writer));
    size_t len = writer.len;

    write_record(&writer, LARGE);
    cr_assert_not(handover_writer_end(&writer));
    cr_assert_eq(writer.failed, -EFBIG);
    cr_assert_eq(writer.len, len);
    cr_assert_eq(handover_stream_grow(&sent, 2 * (size_t)LARGE + 1), -EMSGSIZE);
    handover_stream_consume(&sent); /* wipes what there is, and touches nothing behind it */
    cr_assert_eq(handover_stream_open(&sent, 100, 0), 0);
    handover_stream_begin(&sent, &writer);
    write_record(&writer, 100);
    cr_assert_not(handover_writer_end(&writer));
    cr_assert_eq(writer.failed, -EMSGSIZE);
    handover_stream_consume(&sent);
    cr_assert_eq(open_descriptors(), pair.descriptors);
}
