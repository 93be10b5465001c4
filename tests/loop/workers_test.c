/* Goal: messages, topics and codes stay whole while several threads use them at once.
 * Method: a plain program, because the thread sanitizer cannot run the unit test framework. Four
 * real workers publish to shared topics by real letters; viewers join and leave at random and check
 * every message they get: whole, once, in order for each publisher, none missing, none of their
 * own. Calls after a flush find that what was published before them has arrived. A worker ends only
 * when all of its memory came home, so a lost message hangs or aborts. usage: workers_test [seed]
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/bookings/code_store.h"
#include "server/hub/fanout.h"
#include "server/loop/worker.h"

enum {
    SKIPPED = 77,
    WORKERS = 4,
    TOPICS = 6,
    VIEWERS = 12, /* on each worker; the first SPEAKERS also publish, the last one is slow */
    SPEAKERS = 3,
    PUBLISHERS = WORKERS * SPEAKERS,
    STEPS = 4000,
    CALLS = 300,
    QUEUE_MESSAGES = 512,
    PAYLOAD_MAX = 3000,
    DEADLINE_S = 100, /* of each part: a lost letter would let it wait for ever */
};

static const struct send_queue_bounds bounds = {.messages_max = QUEUE_MESSAGES,
                                                .bytes_max = UINT64_C(1) << 30};

struct item {
    uint32_t publisher;
    uint32_t number; /* counts the messages of this publisher to this topic, from 1 */
    uint32_t topic;
    uint32_t payload_len;
};

/* Expectations of one viewer for one publisher. */
struct track {
    uint32_t base; /* published before the viewer had joined: may come or not */
    uint32_t last;
};

struct viewer {
    struct subscriber subscriber;
    struct topic *topic; /* NULL: away */
    unsigned topic_index;
    unsigned publisher; /* PUBLISHERS: only listens */
    bool is_slow;       /* sends one byte, and the rest at the end */
    struct part *part;
    struct track tracks[PUBLISHERS];
};

/* A call to another worker after the messages published so far. */
struct marker {
    struct call call;
    _Atomic bool in_flight;
    unsigned from;
    uint32_t published[SPEAKERS][TOPICS];
};

struct part {
    struct world *world;
    struct worker *worker;
    unsigned random;
    struct viewer viewers[VIEWERS];
    struct op step_op;
    unsigned steps;
    unsigned calls_run;
    unsigned marks_seen;
    struct marker markers[WORKERS]; /* to each other worker */
    uint64_t received;
    bool stepping, done, left;
};

struct call_from_outside {
    struct call call;
    unsigned number;
};

struct world {
    struct topic_registry registry;
    struct worker_group group;
    struct part parts[WORKERS];
    _Atomic uint32_t published[PUBLISHERS][TOPICS];
    _Atomic unsigned parts_publishing;
    struct call_from_outside calls[WORKERS][CALLS];
    struct call stops[WORKERS];
    sem_t busy;    /* a worker is in the midst of publishing */
    sem_t settled; /* a worker has done and checked everything */
    bool stop_early;
};

static unsigned below(struct part *part, unsigned bound)
{
    return (unsigned)rand_r(&part->random) % bound;
}

/* Messages */

static void check_item(struct viewer *viewer, const struct message *message)
{
    struct item item;

    CHECK(message->payload_len >= sizeof item);
    memcpy(&item, message->payload, sizeof item);
    CHECK(item.payload_len == message->payload_len);
    CHECK(item.topic == viewer->topic_index);
    CHECK(item.publisher != viewer->publisher);
    CHECK(item.publisher < PUBLISHERS);
    for (uint32_t i = sizeof item; i < item.payload_len; i++) {
        CHECK(message->payload[i] == (uint8_t)(item.number + i));
    }
    struct track *track = &viewer->tracks[item.publisher];

    CHECK(item.number > track->last); /* once, and in order */
    if (!viewer->is_slow && item.number > track->base) {
        uint32_t before = track->last > track->base ? track->last : track->base;

        CHECK(item.number == before + 1); /* none is missing */
    }
    track->last = item.number;
}

/* Lets the kernel, played by us, take a random part of what waits. */
static void send_some(struct part *part, struct viewer *viewer)
{
    struct send_queue *queue = &viewer->subscriber.queue;
    struct iovec slices[SEND_SLICES_MAX];

    if (queue->sent_offset == 0) {
        check_item(viewer, send_queue_at(queue, 0));
    }
    unsigned count = send_queue_begin(queue, part->worker, slices, 1);

    CHECK(count == 1);
    size_t whole = slices[0].iov_len;
    size_t len = below(part, 8) == 0 ? 1 + below(part, (unsigned)whole) : whole;

    part->received += send_queue_end(queue, part->worker, len);
}

/* All queues but the slow one's are looked at in every turn. */
static void on_queued(struct subscriber *subscriber)
{
    struct viewer *viewer = container_of(subscriber, struct viewer, subscriber);
    struct send_queue *queue = &subscriber->queue;
    struct iovec slices[1];

    if (viewer->is_slow && queue->sent_offset == 0) {
        CHECK(send_queue_begin(queue, viewer->part->worker, slices, 1) == 1);
        CHECK(send_queue_end(queue, viewer->part->worker, 1) == 0);
    }
}

static void publish(struct part *part, struct viewer *viewer)
{
    struct world *world = part->world;
    uint32_t len = (uint32_t)sizeof(struct item) + below(part, PAYLOAD_MAX);
    struct message *message = message_create(part->worker, len);
    _Atomic uint32_t *published = &world->published[viewer->publisher][viewer->topic_index];

    CHECK(message != NULL);
    struct item item = {.publisher = viewer->publisher,
                        .number = atomic_load(published) + 1,
                        .topic = viewer->topic_index,
                        .payload_len = len};

    memcpy(message->payload, &item, sizeof item);
    for (uint32_t i = sizeof item; i < len; i++) {
        message->payload[i] = (uint8_t)(item.number + i);
    }
    message->payload_len = len;
    message->received_ms = part->worker->now_ms;
    message_frame(message, WS_OPCODE_BINARY);
    /* Counted before publishing looks for subscribers: a viewer that joins and then reads this
     * number must get all later ones. */
    atomic_store(published, item.number);
    fanout_publish(part->worker, viewer->topic, message, &viewer->subscriber, &bounds);
}

/* Viewers */

static void join(struct part *part, struct viewer *viewer, unsigned topic_index)
{
    char name[32];

    snprintf(name, sizeof name, "topic %u", topic_index);
    viewer->topic = topic_find_or_create(&part->world->registry, name);
    CHECK(viewer->topic != NULL);
    viewer->topic_index = topic_index;
    viewer->part = part;
    viewer->subscriber.on_queued = on_queued;
    list_init(&viewer->subscriber.node);
    send_queue_init(&viewer->subscriber.queue);
    topic_subscribe(viewer->topic, part->worker, &viewer->subscriber);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        viewer->tracks[i] =
            (struct track){.base = atomic_load(&part->world->published[i][topic_index])};
    }
}

static void leave(struct part *part, struct viewer *viewer)
{
    if (viewer->topic == NULL) {
        return;
    }
    topic_unsubscribe(viewer->topic, part->worker, &viewer->subscriber);
    send_queue_clear(&viewer->subscriber.queue, part->worker);
    topic_unref(viewer->topic);
    viewer->topic = NULL;
}

/* Slow viewers stay all the time: what they miss must be exactly what was dropped and counted. */
static void come_and_go(struct part *part)
{
    struct viewer *viewer = &part->viewers[below(part, VIEWERS - 1)];

    if (viewer->topic != NULL) {
        leave(part, viewer);
    } else {
        join(part, viewer, below(part, TOPICS));
    }
}

/* Workers wait for each other, or letters would use up all memory: the queues of this test are
 * meant to lose nothing. */
static bool others_keep_up(const struct part *part)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        if (atomic_load(&part->world->group.workers[i].letters_pending) > QUEUE_MESSAGES / 8) {
            return false;
        }
    }
    return true;
}

/* Number of the newest message of that publisher that the viewer got, or that waits for it. */
static uint32_t newest_of(const struct viewer *viewer, unsigned publisher)
{
    const struct send_queue *queue = &viewer->subscriber.queue;
    uint32_t newest = viewer->tracks[publisher].last;

    for (unsigned i = 0; i < queue->count; i++) {
        struct item item;

        memcpy(&item, send_queue_at(queue, i)->payload, sizeof item);
        newest = item.publisher == publisher ? item.number : newest;
    }
    return newest;
}

static void run_mark(struct worker *worker, struct call *call)
{
    struct part *part = worker->context;
    struct marker *marker = container_of(call, struct marker, call);

    for (unsigned i = 0; i < VIEWERS; i++) {
        struct viewer *viewer = &part->viewers[i];

        for (unsigned speaker = 0; viewer->topic != NULL && speaker < SPEAKERS; speaker++) {
            unsigned publisher = marker->from * SPEAKERS + speaker;
            uint32_t published = marker->published[speaker][viewer->topic_index];

            CHECK(viewer->is_slow || published <= viewer->tracks[publisher].base ||
                  newest_of(viewer, publisher) >= published);
        }
    }
    part->marks_seen++;
    atomic_store(&marker->in_flight, false);
}

static void mark(struct part *part)
{
    unsigned target = below(part, WORKERS);
    struct marker *marker = &part->markers[target];

    if (target == part->worker->index || atomic_exchange(&marker->in_flight, true)) {
        return;
    }
    marker->call.run = run_mark;
    marker->from = part->worker->index;
    for (unsigned i = 0; i < SPEAKERS; i++) {
        for (unsigned topic = 0; topic < TOPICS; topic++) {
            unsigned publisher = part->worker->index * SPEAKERS + i;

            marker->published[i][topic] = atomic_load(&part->world->published[publisher][topic]);
        }
    }
    fanout_flush(part->worker);
    worker_call(part->worker, &part->world->group.workers[target], &marker->call);
}

static void step(struct part *part)
{
    if (!others_keep_up(part)) {
        sched_yield();
        return;
    }
    part->steps++;
    if (part->steps == STEPS / 4) {
        sem_post(&part->world->busy);
    }
    if (below(part, 3) == 0) {
        come_and_go(part);
    }
    for (unsigned i = 0; i < SPEAKERS; i++) {
        if (part->viewers[i].topic != NULL && below(part, 2) == 0) {
            publish(part, &part->viewers[i]);
        }
    }
    if (below(part, 8) == 0) {
        mark(part);
    }
    if (part->steps == STEPS) {
        fanout_flush(part->worker); /* others count on letters from here on */
        atomic_fetch_sub(&part->world->parts_publishing, 1);
    }
}

static void send_step(struct part *part)
{
    struct io_uring_sqe *sqe = ring_sqe(&part->worker->ring, &part->step_op);

    io_uring_prep_nop(sqe);
}

static void step_on_complete(struct op *op, int result, uint32_t flags)
{
    struct part *part = container_of(op, struct part, step_op);

    CHECK(result == 0 && flags == 0);
    if (part->left) {
        return;
    }
    if (part->steps < STEPS) {
        step(part);
    }
    if (!part->done) {
        send_step(part);
    }
}

/* The end */

static void check_complete(struct part *part, struct viewer *viewer)
{
    CHECK(send_queue_empty(&viewer->subscriber.queue));
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        uint32_t published = atomic_load(&part->world->published[i][viewer->topic_index]);

        if (i != viewer->publisher && published > viewer->tracks[i].base) {
            CHECK(viewer->tracks[i].last == published);
        }
    }
}

/* All that the slow one did not get was dropped, oldest first, and counted. */
static void check_slow(struct part *part, struct viewer *viewer, uint64_t kept)
{
    uint64_t published = 0;

    for (unsigned i = 0; i < PUBLISHERS; i++) {
        uint32_t number = atomic_load(&part->world->published[i][viewer->topic_index]);

        published += number;
        if (viewer->tracks[i].last > 0) {
            CHECK(viewer->tracks[i].last == number);
        }
    }
    CHECK(kept == (published < QUEUE_MESSAGES ? published : 1 + QUEUE_MESSAGES));
    CHECK(atomic_load(&part->worker->counters.messages_dropped_queue) == published - kept);
}

static void leave_all(struct part *part)
{
    for (unsigned i = 0; i < VIEWERS; i++) {
        leave(part, &part->viewers[i]);
    }
    part->left = true;
}

/* Publishing has ended and every letter to this worker was taken. */
static void check_and_leave(struct part *part)
{
    struct viewer *slow = &part->viewers[VIEWERS - 1];
    uint64_t kept = slow->subscriber.queue.count;

    while (!send_queue_empty(&slow->subscriber.queue)) {
        send_some(part, slow);
    }
    check_slow(part, slow, kept);
    for (unsigned i = 0; i < VIEWERS; i++) {
        if (part->viewers[i].topic != NULL && !part->viewers[i].is_slow) {
            check_complete(part, &part->viewers[i]);
        }
    }
    CHECK(atomic_load(&part->worker->counters.messages_dropped_mailbox) == 0);
    CHECK(atomic_load(&part->worker->counters.messages_dropped_memory) == 0);
    leave_all(part);
    part->done = true;
    sem_post(&part->world->settled);
}

/* Callbacks of the loop */

static int on_start(struct worker *worker)
{
    struct part *part = &((struct world *)worker->group->context)->parts[worker->index];

    worker->context = part;
    part->worker = worker;
    op_init(&part->step_op, step_on_complete);
    for (unsigned i = 0; i < VIEWERS; i++) {
        part->viewers[i].publisher =
            i < SPEAKERS ? worker->index * SPEAKERS + i : (unsigned)PUBLISHERS;
    }
    part->viewers[VIEWERS - 1].is_slow = true;
    join(part, &part->viewers[VIEWERS - 1], worker->index % TOPICS);
    return 0;
}

static void on_stop(struct worker *worker)
{
    CHECK(worker->blocks.blocks_used == 0);
    CHECK(atomic_load(&worker->letters_pending) == 0);
}

static void on_parcel(struct worker *worker, void *parcel)
{
    fanout_receive(worker, parcel, &bounds);
}

static void on_undelivered(struct worker *worker, void *parcel)
{
    fprintf(stderr, "worker %u: parcel %p came back\n", worker->index, parcel);
    abort();
}

static void on_turn_end(struct worker *worker)
{
    struct part *part = worker->context;

    fanout_flush(worker);

    for (unsigned i = 0; i < VIEWERS; i++) {
        struct viewer *viewer = &part->viewers[i];

        /* Down to a few, which now and then stay over a turn. */
        while (viewer->topic != NULL && !viewer->is_slow &&
               viewer->subscriber.queue.count > (part->steps < STEPS ? below(part, 6) : 0)) {
            send_some(part, viewer);
        }
    }
    bool is_quiet = atomic_load(&part->world->parts_publishing) == 0 &&
                    atomic_load(&worker->letters_pending) == 0;
    if (is_quiet && !part->done && !part->left && part->calls_run == CALLS) {
        check_and_leave(part);
    }
}

static bool is_drained(struct worker *worker)
{
    const struct part *part = worker->context;

    return part->left && !part->step_op.in_flight;
}

static const struct worker_ops ops = {
    .on_start = on_start,
    .on_stop = on_stop,
    .on_parcel = on_parcel,
    .on_undelivered = on_undelivered,
    .on_turn_end = on_turn_end,
    .is_drained = is_drained,
};

/* Calls come in the order in which they were posted; the first one starts the work. */
static void run_call(struct worker *worker, struct call *call)
{
    struct part *part = worker->context;
    struct call_from_outside *outside = container_of(call, struct call_from_outside, call);

    CHECK(outside->number == part->calls_run);
    part->calls_run++;
    if (!part->stepping) {
        part->stepping = true;
        send_step(part);
    }
}

static void run_stop(struct worker *worker, struct call *call)
{
    struct part *part = worker->context;

    (void)call;
    worker->stopping = true;
    if (part->world->stop_early) {
        leave_all(part);
    }
    CHECK(part->left);
}

static void post(struct ring *from, struct worker *worker, struct call *call)
{
    int failed = mailbox_post_from_outside(from, atomic_load(&worker->ring_fd), call);

    CHECK(failed == 0);
}

static void post_calls(struct world *world, struct ring *from, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned target = 0; target < WORKERS; target++) {
            post(from, &world->group.workers[target], &world->calls[target][i].call);
        }
    }
}

static struct world *create_world(unsigned seed, bool stop_early)
{
    struct world *world = calloc(1, sizeof *world);

    CHECK(world != NULL);
    topic_registry_init(&world->registry, WORKERS);
    sem_init(&world->busy, 0, 0);
    sem_init(&world->settled, 0, 0);
    world->stop_early = stop_early;
    world->parts_publishing = WORKERS;
    world->group = (struct worker_group){
        .ops = &ops, .context = world, .message_bytes_max = (size_t)256 << 20};
    for (unsigned i = 0; i < WORKERS; i++) {
        world->parts[i].world = world;
        world->parts[i].random = seed * WORKERS + i;
        for (unsigned j = 0; j < CALLS; j++) {
            world->calls[i][j] = (struct call_from_outside){.call.run = run_call, .number = j};
        }
    }
    return world;
}

/* stop_early: stops while letters fly and viewers wait; everything must come home all the same. */
static void run_world(unsigned seed, bool stop_early)
{
    struct world *world = create_world(seed, stop_early);
    struct ring outside;
    uint64_t received = 0, published = 0, letters = 0;
    int failed = ring_open(&outside, 4, 8);

    CHECK(failed == 0);
    failed = worker_group_start(&world->group, WORKERS);
    CHECK(failed == 0);
    post_calls(world, &outside, stop_early ? CALLS / 2 : CALLS);
    for (unsigned i = 0; i < WORKERS; i++) {
        while (sem_wait(stop_early ? &world->busy : &world->settled) != 0) {
        }
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        world->stops[i].run = run_stop;
        post(&outside, &world->group.workers[i], &world->stops[i]);
    }
    worker_group_join(&world->group);
    for (unsigned i = 0; i < WORKERS; i++) {
        received += world->parts[i].received;
        letters += atomic_load(&world->group.workers[i].counters.letters_sent);
        CHECK(stop_early || world->parts[i].received >= 100); /* it was in the game */
        CHECK(stop_early || world->parts[i].marks_seen >= 10);
    }
    CHECK(stop_early || received > STEPS);
    for (unsigned i = 0; i < PUBLISHERS * TOPICS; i++) {
        published += atomic_load(&world->published[i / TOPICS][i % TOPICS]);
    }
    worker_group_destroy(&world->group);
    topic_registry_deinit(&world->registry);
    ring_close(&outside);
    sem_destroy(&world->busy);
    sem_destroy(&world->settled);
    free(world);
    printf("%s: %lu messages published, %lu received, %lu letters\n",
           stop_early ? "stopped early" : "whole run", (unsigned long)published,
           (unsigned long)received, (unsigned long)letters);
}

/* Topics found, held and given up by several threads; workers have no part in this. */
struct finder {
    struct topic_registry *registry;
    unsigned random;
    pthread_t thread;
};

static void *find_topics(void *argument)
{
    struct finder *finder = argument;
    struct topic *held[8] = {0};

    for (unsigned i = 0; i < 20000; i++) {
        unsigned slot = (unsigned)rand_r(&finder->random) % ARRAY_LENGTH(held);
        char name[16];

        snprintf(name, sizeof name, "%u", slot);
        if (held[slot] == NULL) {
            held[slot] = topic_find_or_create(finder->registry, name);
            CHECK(held[slot] != NULL && strcmp(held[slot]->name, name) == 0);
            continue;
        }
        struct topic *same = topic_find_or_create(finder->registry, name);

        CHECK(same == held[slot]); /* a topic that is referenced is the one that is found */
        topic_ref(same);
        topic_unref(held[slot]);
        topic_unref(same);
        topic_unref(same);
        held[slot] = NULL;
    }
    for (unsigned slot = 0; slot < ARRAY_LENGTH(held); slot++) {
        if (held[slot] != NULL) {
            topic_unref(held[slot]);
        }
    }
    return NULL;
}

static void run_topics(unsigned seed)
{
    static struct topic_registry registry;
    struct finder finders[4];

    topic_registry_init(&registry, 1);
    for (unsigned i = 0; i < ARRAY_LENGTH(finders); i++) {
        finders[i] = (struct finder){.registry = &registry, .random = seed + i};
        CHECK(pthread_create(&finders[i].thread, NULL, find_topics, &finders[i]) == 0);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(finders); i++) {
        pthread_join(finders[i].thread, NULL);
    }
    CHECK(registry.topics_count == 0);
    topic_registry_deinit(&registry);
    printf("topics: found and given up by 4 threads\n");
}

/* Codes made by one half of the threads; all threads try to use all of them. */
enum { CODE_MAKERS = 2, CODE_TAKERS = 4, CODES_EACH = 1000, CODES = CODE_MAKERS * CODES_EACH };

struct code_game {
    struct code_store *store;
    struct {
        char text[CODE_SIZE];
        _Atomic bool is_made;
        _Atomic unsigned uses;
    } codes[CODES];
};

struct player {
    struct code_game *game;
    unsigned index;
    pthread_t thread;
};

static void *make_codes(void *argument)
{
    struct player *player = argument;

    for (unsigned i = player->index; i < CODES; i += CODE_MAKERS) {
        struct permission permission = {.exp_s = i, .can_read = true};

        snprintf(permission.booking_id, sizeof permission.booking_id, "%u", i);
        int failed = code_store_put(player->game->store, &permission, 1000 + i / CODE_MAKERS,
                                    player->game->codes[i].text);

        CHECK(failed == 0);
        atomic_store(&player->game->codes[i].is_made, true);
    }
    return NULL;
}

static void *take_codes(void *argument)
{
    struct player *player = argument;

    for (unsigned i = 0; i < CODES; i++) {
        struct permission permission;

        while (!atomic_load(&player->game->codes[i].is_made)) {
            sched_yield();
        }
        if (code_store_take(player->game->store, bytes_of_text(player->game->codes[i].text), 2000,
                            &permission) == 0) {
            CHECK(permission.exp_s == i && permission.can_read);
            atomic_fetch_add(&player->game->codes[i].uses, 1);
        }
    }
    return NULL;
}

static void run_codes(void)
{
    static struct code_game game;
    struct player players[CODE_MAKERS + CODE_TAKERS];

    game.store = code_store_create(CODES, 1000000);
    CHECK(game.store != NULL);
    for (unsigned i = 0; i < ARRAY_LENGTH(players); i++) {
        players[i] = (struct player){.game = &game, .index = i};
        CHECK(pthread_create(&players[i].thread, NULL, i < CODE_MAKERS ? make_codes : take_codes,
                             &players[i]) == 0);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(players); i++) {
        pthread_join(players[i].thread, NULL);
    }
    for (unsigned i = 0; i < CODES; i++) {
        CHECK(atomic_load(&game.codes[i].uses) == 1);
    }
    CHECK(code_store_count(game.store) == 0);
    code_store_destroy(game.store);
    printf("codes: %d made, each used exactly once by one of %d threads\n", (int)CODES,
           (int)CODE_TAKERS);
}

int main(int argc, char **argv)
{
    char error[256];
    unsigned seed =
        argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : (unsigned)clock_monotonic_ns() % 1000000;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %u\n", seed);
    alarm(DEADLINE_S);
    run_topics(seed);
    alarm(DEADLINE_S);
    run_codes();
    int failed = ring_probe(error, sizeof error);

    if (failed == -EPERM || failed == -EACCES || failed == -ENOSYS) {
        printf("SKIP: %s\n", error);
        return SKIPPED;
    }
    CHECK(failed == 0);
    alarm(DEADLINE_S);
    run_world(seed, false);
    alarm(DEADLINE_S);
    run_world(seed + 1, true);
    return 0;
}
