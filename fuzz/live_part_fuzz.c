/* live_part_read, live_part_size and live_part_write (server/handover/live/): the first byte of the
 * input is how many descriptors come with it, the rest a part. A part that is refused leaves
 * nothing behind. One that is read makes a part again, no longer than was said, which is read as
 * well. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/engine.h"
#include "server/handover/live/live_part.h"
#include "server/http/phase_http.h"
#include "server/hub/stream_cache.h"
#include "server/hub/v1/lease.h"
#include "server/websocket/phase_websocket.h"

enum { FDS_MAX = 4, NOW_MS = 1000000, MEMORY = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct phase_ops *const phases[PHASE_COUNT] = {
    [PHASE_HTTP] = &phase_http_ops,
    [PHASE_WEBSOCKET] = &phase_websocket_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

/* Every topic that ends with x has exclusive control. */
static struct topic_policies policies;
static struct server_config config = {.write_timeout_ms = 10000, .ping_interval_ms = 25000};
static struct conn_shared shared;
static struct topic_registry topics;
static struct worker_group group;
static struct worker worker;
static struct conn_table table;

static void open_program(void)
{
    CHECK(topic_policy_parse("*x=auto+exclusive", &policies) == 0);
    topic_registry_init(&topics, 1);
    topics.policies = &policies;
    topics.cache_bounds = (struct stream_cache_bounds){.bytes_max = 1 << 20, .time_ms_max = 1000};
    group = (struct worker_group){.workers = &worker, .workers_count = 1};
    shared = (struct conn_shared){.phases = phases,
                                  .connections_max = 2 * FDS_MAX,
                                  .config = &config,
                                  .topics = &topics,
                                  .bounds = {.messages_max = 64, .bytes_max = 1 << 24}};
    shared.access.codes = code_store_create(4, 30000);
    CHECK(shared.access.codes != NULL);
    shared.access.bookings = bookings_create(4, shared.access.codes);
    shared.access.places = places_create(64);
    CHECK(shared.access.bookings != NULL && shared.access.places != NULL);
    worker =
        (struct worker){.group = &group, .context = &table, .now_ms = NOW_MS, .looked_ms = NOW_MS};
    CHECK(ring_open(&worker.ring, 64, 256) == 0);
    atomic_store(&worker.ring_fd, worker.ring.uring.ring_fd);
    block_pool_init(&worker.blocks, MEMORY);
    block_pool_reserve(&worker.blocks, MEMORY / 16);
    block_pool_init(&worker.requests, MEMORY);
    atomic_store(&worker.blocks_left, MEMORY);
    timer_wheel_init(&worker.timers, NOW_MS);
    CHECK(engine_init(&table, &worker, &shared, NULL, 0, false) == 0);
}

/* News of audiences, which the worker sends itself. */
static void take_letters(void)
{
    struct io_uring_cqe *cqe;

    ring_submit_and_wait(&worker.ring, 0);
    while (io_uring_peek_cqe(&worker.ring.uring, &cqe) == 0) {
        uint64_t letter = io_uring_cqe_get_data64(cqe);
        struct call *call = letter_pointer(letter);

        io_uring_cqe_seen(&worker.ring.uring, cqe);
        CHECK(letter_is(letter) && letter_kind(letter) == LETTER_CALL);
        atomic_fetch_sub(&worker.letters_pending, 1);
        call->run(&worker, call);
        ring_submit_and_wait(&worker.ring, 0);
    }
}

static bool read_part(struct bytes part, size_t fds_count)
{
    int fds[FDS_MAX];
    char error[128] = "";

    for (size_t i = 0; i < fds_count; i++) {
        fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        CHECK(fds[i] >= 0);
    }
    bool is_read =
        live_part_read(&table, part, (struct live_fds){fds, fds_count}, error, sizeof error);

    CHECK(is_read == (error[0] == '\0'));
    return is_read;
}

static void drop(void)
{
    live_part_drop(&table);
    stream_cache_drop_all(&worker, &topics);
    take_letters();
    CHECK(table.open_count == 0 && worker.blocks.blocks_used == 0);
    CHECK(worker.requests.blocks_used == 0 && topics.topics_count == 0);
    CHECK(places_count(shared.access.places) == 0);
}

/* As if the kernel held nothing of them. */
static void write_again(void)
{
    table.hold.state = HOLD_DONE;
    size_t size = live_part_size(&table), fds_count = live_part_fds(&table);
    uint8_t *memory = malloc(size);
    struct handover_writer writer;
    int fds[FDS_MAX];

    CHECK(memory != NULL && fds_count <= FDS_MAX);
    handover_writer_init(&writer, memory, size);
    CHECK(live_part_write(&table, &writer, fds));
    table.hold.state = HOLD_NONE;
    drop();
    CHECK(read_part(bytes_of(memory, writer.len), fds_count));
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_open;

    if (!is_open) {
        open_program();
        is_open = true;
    }
    if (size == 0) {
        return 0;
    }
    uint8_t *part = malloc(size); /* its end is the block's */

    CHECK(part != NULL);
    memcpy(part, data + 1, size - 1);
    if (read_part(bytes_of(part, size - 1), data[0] % (FDS_MAX + 1))) {
        write_again();
    }
    drop();
    free(part);
    return 0;
}
