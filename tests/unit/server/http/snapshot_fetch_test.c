/* Goal: a request gets the newest picture of its topic from whatever worker keeps it, whole and
 * with its type, or the reason why not; and costs nothing when its client has gone. Method: workers
 * that the test turns one by one, messages published on one of them. */
#include "server/http/snapshot_fetch.h"

#include "server/hub/stream_cache.h"
#include "tests/unit/server/conn/conn_fixture.h"

enum { ANY = 7 };

static struct topic *topic;
static struct subscriber publisher;

static void open_lab(void)
{
    open_scene(WORKERS);
    scene.topics.cache_bounds =
        (struct stream_cache_bounds){.bytes_max = 1 << 20, .time_ms_max = 10000};
    topic = topic_find_or_create(&scene.topics, "cam");
}

static void close_lab(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        stream_cache_drop_all(&scene.workers[i], &scene.topics);
    }
    topic_unref(topic);
    close_scene();
}

TestSuite(snapshot_fetch, .init = open_lab, .fini = close_lab);

static void publish(unsigned index, enum message_class class, const char *text)
{
    struct worker *worker = &scene.workers[index];
    struct message *message = message_create(worker, strlen(text));

    memcpy(message->payload, text, strlen(text));
    message->payload_len = (uint32_t)strlen(text);
    message->class = class;
    message_charge(worker, message, topic);
    message_frame(message, WS_OPCODE_BINARY);
    if (class == MESSAGE_KEY) {
        cr_assert(message_part_start_at(worker, message, 2, bytes_of_text("tables "), (uint32_t)0));
    } else if (class == MESSAGE_STREAM) {
        cr_assert(message_part_stop_at(worker, message, 3));
    }
    fanout_publish(worker, topic, message, &publisher, &scene.shared.bounds);
}

static bool fetch(unsigned asker, unsigned pictures, struct access_reply *reply)
{
    *reply = (struct access_reply){.action = ACCESS_ACTION_SNAPSHOT, .pictures = pictures};
    snprintf(reply->topic, sizeof reply->topic, "cam");
    access_reply_empty(reply, 200);
    return snapshot_fetch_carry_out(&scene.askers[asker], reply, phase_http_answer_deferred);
}

/* What asker 0 on worker 0 is sent for a picture on another worker. */
static const char *answer(unsigned pictures)
{
    struct access_reply reply;

    cr_assert(!fetch(0, pictures, &reply));
    settle();
    cr_assert_eq(scene.tables[0].snapshots, 0);
    drain(&scene.askers[0].subscriber.queue, &scene.workers[0]);
    return scene.read;
}

Test(snapshot_fetch, brings_the_last_jpeg_from_another_worker)
{
    publish(1, MESSAGE_JPEG, "first");
    publish(1, MESSAGE_JPEG, "second");
    const char *text = answer(ANY);

    cr_assert_eq(strncmp(text, "HTTP/1.1 200 OK\r\n", 17), 0, "%s", text);
    cr_assert_not_null(strstr(text, "Content-Type: image/jpeg\r\n"), "%s", text);
    cr_assert_not_null(strstr(text, "\r\n\r\nsecond"), "%s", text);
}

Test(snapshot_fetch, brings_a_key_picture_as_far_as_it_goes)
{
    publish(1, MESSAGE_KEY, "..key");
    publish(1, MESSAGE_STREAM, "end|next picture");
    publish(1, MESSAGE_DEPENDENT, "not this");
    const char *text = answer(1u << ACCESS_PICTURE_STREAM);

    cr_assert_not_null(strstr(text, "Content-Type: video/mp2t\r\n"), "%s", text);
    cr_assert_not_null(strstr(text, "\r\n\r\ntables keyend"), "%s", text);
    cr_assert_null(strstr(text, "next"), "%s", text);
}

Test(snapshot_fetch, brings_the_last_message_where_only_that_is_of_use)
{
    publish(1, MESSAGE_LATEST, "state");
    cr_assert_not_null(strstr(answer(ANY), "Content-Type: application/octet-stream\r\n"));
}

Test(snapshot_fetch, refuses_a_type_that_is_not_accepted)
{
    publish(1, MESSAGE_JPEG, "jpeg");
    cr_assert_eq(strncmp(answer(1u << ACCESS_PICTURE_STREAM), "HTTP/1.1 406 ", 13), 0);
}

Test(snapshot_fetch, is_done_at_once_on_the_worker_that_keeps_the_picture)
{
    struct access_reply reply;

    publish(0, MESSAGE_JPEG, "here");
    cr_assert(fetch(0, ANY, &reply));
    cr_assert_eq(reply.status, 200);
    cr_assert_eq(reply.body_len, 4);
    cr_assert_eq(memcmp(reply.long_body, "here", 4), 0);
    free(reply.long_body);
}

Test(snapshot_fetch, finds_nothing_where_nothing_is_kept)
{
    struct access_reply reply;

    cr_assert(fetch(0, ANY, &reply));
    cr_assert_eq(reply.status, 404);
    publish(1, MESSAGE_JPEG, "gone");
    cr_assert(stream_cache_give_way(&scene.workers[1], topic));
    cr_assert_eq(strncmp(answer(ANY), "HTTP/1.1 404 ", 13), 0);
}

Test(snapshot_fetch, copies_a_few_at_a_time)
{
    struct access_reply reply;

    publish(1, MESSAGE_JPEG, "jpeg");
    scene.tables[0].snapshots = SNAPSHOTS_MAX;
    cr_assert(fetch(0, ANY, &reply));
    cr_assert_eq(reply.status, 503);
    cr_assert_eq(scene.workers[0].counters.snapshots_refused, 1);
    scene.tables[0].snapshots = SNAPSHOTS_MAX - 1;
    cr_assert(!fetch(0, ANY, &reply));
    settle();
    cr_assert_eq(scene.tables[0].snapshots, SNAPSHOTS_MAX - 1);
    drain(&scene.askers[0].subscriber.queue, &scene.workers[0]);
}

/* The publishers and viewers of that worker have waited long enough. */
Test(snapshot_fetch, is_refused_by_a_worker_that_has_copied_much)
{
    struct access_reply reply;

    publish(0, MESSAGE_JPEG, "jpeg");
    scene.tables[0].snapshot_ms = scene.workers[0].now_ms;
    scene.tables[0].snapshot_bytes = SNAPSHOT_BYTES_MAX;
    cr_assert(fetch(0, ANY, &reply));
    cr_assert_eq(reply.status, 503);
    cr_assert_eq(scene.workers[0].counters.snapshots_refused, 1);
    scene.workers[0].now_ms += SNAPSHOT_MS;
    cr_assert(fetch(0, ANY, &reply));
    cr_assert_eq(reply.status, 200);
    cr_assert_eq(scene.tables[0].snapshot_bytes, 4);
    free(reply.long_body);
}

Test(snapshot_fetch, is_refused_by_another_worker_that_has_copied_much)
{
    publish(1, MESSAGE_JPEG, "jpeg");
    scene.tables[1].snapshot_ms = scene.workers[1].now_ms;
    scene.tables[1].snapshot_bytes = SNAPSHOT_BYTES_MAX;
    cr_assert_eq(strncmp(answer(ANY), "HTTP/1.1 503 ", 13), 0);
    cr_assert_eq(scene.workers[0].counters.snapshots_refused, 1);
}

Test(snapshot_fetch, is_thrown_away_when_its_client_has_gone)
{
    struct access_reply reply;

    publish(1, MESSAGE_JPEG, "jpeg");
    cr_assert(!fetch(0, ANY, &reply));
    scene.askers[0].awaits_answer = false;
    settle();
    cr_assert(send_queue_empty(&scene.askers[0].subscriber.queue));
    cr_assert_eq(scene.workers[0].requests.blocks_used, 0);
}
