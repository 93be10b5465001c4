/* Goal: members are told the counts of their topic and requests for key pictures, on every worker,
 * once per change and not too often, however much happens; letters never pile up.
 * Method: workers turned by hand, real letters and timers. */
#include "server/hub/v1/audience.h"

#include "server/hub/send_queue.h"
#include "server/hub/subscriber.h"
#include "server/hub/topic.h"
#include "tests/unit/server/hub/hub_fixture.h"

enum { WORKERS = 2, BEGIN_MS = 10000 };

struct guest {
    struct subscriber subscriber;
    struct member member;
    struct worker *worker;
};

static struct {
    struct cluster cluster;
    struct topic_registry registry;
    struct topic *topic;
    struct guest writer, reader; /* on different workers */
} scene;

static void on_queued(struct subscriber *subscriber)
{
}

static void enter(struct guest *guest, unsigned worker, bool can_read, bool can_write)
{
    *guest = (struct guest){.subscriber.on_queued = on_queued,
                            .member = {.subscriber = &guest->subscriber,
                                       .bounds = &scene.cluster.bounds,
                                       .can_read = can_read,
                                       .can_write = can_write},
                            .worker = &scene.cluster.workers[worker]};
    list_init(&guest->subscriber.node);
    send_queue_init(&guest->subscriber.queue);
    if (can_read) {
        audience_add_viewer(guest->worker, scene.topic);
    }
    audience_join(guest->worker, scene.topic, &guest->member);
}

static void leave(struct guest *guest)
{
    audience_leave(guest->worker, scene.topic, &guest->member);
    if (guest->member.can_read) {
        audience_remove_viewer(guest->worker, scene.topic);
    }
    send_queue_clear(&guest->subscriber.queue, guest->worker);
}

static void open_scene(void)
{
    cluster_init(&scene.cluster, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        scene.cluster.workers[i].now_ms = BEGIN_MS;
        timer_wheel_init(&scene.cluster.workers[i].timers, BEGIN_MS);
    }
    topic_registry_init(&scene.registry, WORKERS);
    scene.topic = topic_find_or_create(&scene.registry, "t");
    enter(&scene.writer, 0, false, true);
    enter(&scene.reader, 1, true, false);
}

static void close_scene(void)
{
    leave(&scene.reader);
    leave(&scene.writer);
    cluster_settle(&scene.cluster);
    topic_unref(scene.topic);
    topic_registry_deinit(&scene.registry);
    cluster_deinit(&scene.cluster);
}

TestSuite(audience, .init = open_scene, .fini = close_scene);

/* Letters are taken, then timers run. */
static void pass_ms(uint64_t ms)
{
    cluster_settle(&scene.cluster);
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker *worker = &scene.cluster.workers[i];

        worker->now_ms += ms;
        timer_wheel_advance(&worker->timers, worker->now_ms);
    }
}

/* "viewers 1|key 1|live 0 2": what a guest was told since the last time. */
static const char *told(struct guest *guest)
{
    static char text[1024];
    struct send_queue *queue = &guest->subscriber.queue;
    struct iovec slice;
    size_t used = 0;

    text[0] = '\0';
    while (!send_queue_empty(queue)) {
        struct relay_v1_control control;
        const char *lead = used == 0 ? "" : "|";

        cr_assert_eq(send_queue_begin(queue, guest->worker, &slice, 1), 1);
        struct bytes payload = bytes_skip(bytes_of(slice.iov_base, slice.iov_len), 2);

        cr_assert_eq(relay_v1_control_read(payload, &control), RELAY_V1_OK);
        if (control.kind == RELAY_V1_VIEWERS) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%sviewers %u", lead,
                                     control.viewers);
        } else if (control.kind == RELAY_V1_KEY_PICTURE) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%skey %d", lead,
                                     control.key_reason);
        } else {
            used += (size_t)snprintf(text + used, sizeof text - used, "%slive %d %u", lead,
                                     control.live.is_live, control.live.publishers);
        }
        send_queue_end(queue, guest->worker, slice.iov_len);
    }
    return text;
}

Test(audience, is_told_at_once_how_things_stand_then_of_changes)
{
    cr_assert_str_eq(told(&scene.writer), "viewers 0");
    cr_assert_str_eq(told(&scene.reader), "live 0 0");
    pass_ms(AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.writer), "viewers 1");
    audience_add_publisher(scene.writer.worker, scene.topic);
    pass_ms(AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.reader), "live 1 1");
    cr_assert_str_eq(told(&scene.writer), "", "nothing changed for it");
    audience_remove_publisher(scene.writer.worker, scene.topic);
    pass_ms(AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.reader), "live 0 0");
}

Test(audience, many_changes_are_one_notice_and_one_letter)
{
    pass_ms(AUDIENCE_NEWS_MS);
    told(&scene.writer);
    uint64_t letters = cluster_letters_sent(&scene.cluster);

    for (unsigned i = 0; i < 1000; i++) {
        audience_add_viewer(scene.reader.worker, scene.topic);
    }
    cr_assert_leq(cluster_letters_sent(&scene.cluster), letters + WORKERS);
    pass_ms(AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.writer), "viewers 1001");
    for (unsigned i = 0; i < 1000; i++) {
        audience_remove_viewer(scene.reader.worker, scene.topic);
        cluster_settle(&scene.cluster);
    }
    cr_assert_str_eq(told(&scene.writer), "viewers 1000", "the others not before their time");
    pass_ms(2 * TIMER_TICK_MS + AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.writer), "viewers 1");
}

Test(audience, of_itself_is_not_counted)
{
    struct guest both;

    enter(&both, 0, true, true);
    cr_assert_str_eq(told(&both), "viewers 1|live 0 0");
    pass_ms(AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.writer), "viewers 0|viewers 2");
    leave(&both);
}

Test(audience, publishers_are_asked_for_a_key_picture_now_and_then)
{
    pass_ms(AUDIENCE_NEWS_MS);
    told(&scene.writer);
    told(&scene.reader);
    for (unsigned i = 0; i < 50; i++) {
        audience_ask_key(scene.reader.worker, scene.topic, RELAY_V1_KEY_SKIPPED);
        cluster_settle(&scene.cluster);
    }
    cr_assert_str_eq(told(&scene.writer), "key 2");
    pass_ms(AUDIENCE_KEY_MS - 2 * TIMER_TICK_MS);
    cr_assert_str_eq(told(&scene.writer), "");
    pass_ms(4 * TIMER_TICK_MS);
    cr_assert_str_eq(told(&scene.writer), "key 2");
    pass_ms(4 * AUDIENCE_KEY_MS);
    cr_assert_str_eq(told(&scene.writer), "");
    cr_assert_str_eq(told(&scene.reader), "", "it cannot make one");
}

Test(audience, a_key_picture_that_came_meanwhile_is_enough)
{
    pass_ms(AUDIENCE_NEWS_MS);
    audience_ask_key(scene.reader.worker, scene.topic, RELAY_V1_KEY_JOINED);
    audience_ask_key(scene.reader.worker, scene.topic, RELAY_V1_KEY_ASKED);
    cluster_settle(&scene.cluster);
    told(&scene.writer);
    audience_ask_key(scene.reader.worker, scene.topic, RELAY_V1_KEY_ASKED);
    pass_ms(TIMER_TICK_MS);
    atomic_store(&scene.topic->audience.key_ms, scene.writer.worker->now_ms);
    pass_ms(2 * AUDIENCE_KEY_MS);
    cr_assert_str_eq(told(&scene.writer), "");
}

Test(audience, one_that_does_not_read_is_told_later)
{
    for (unsigned i = 0; i < 30; i++) {
        audience_add_viewer(scene.reader.worker, scene.topic);
        pass_ms(2 * AUDIENCE_NEWS_MS);
    }
    cr_assert_leq(scene.writer.subscriber.queue.count, AUDIENCE_NOTICES_QUEUED_MAX + 1);
    cr_assert_gt(counted(scene.writer.worker, v1_notices_skipped), 0);
    told(&scene.writer);
    pass_ms(4 * AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.writer), "viewers 31");
    for (unsigned i = 0; i < 30; i++) {
        audience_remove_viewer(scene.reader.worker, scene.topic);
    }
}

Test(audience, what_has_no_room_is_told_later)
{
    const struct relay_v1_control key = {.kind = RELAY_V1_KEY_PICTURE,
                                         .key_reason = RELAY_V1_KEY_ASKED};
    const struct relay_v1_control kept = {.kind = RELAY_V1_VIEWERS, .viewers = 77};

    pass_ms(AUDIENCE_NEWS_MS);
    told(&scene.writer);
    while (audience_say(scene.writer.worker, &scene.writer.member, &key)) {
    }
    audience_say_surely(scene.writer.worker, scene.topic, &scene.writer.member, &kept);
    cr_assert_null(strstr(told(&scene.writer), "viewers 77"));
    pass_ms(AUDIENCE_NEWS_MS);
    pass_ms(AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(&scene.writer), "viewers 77");
}

Test(audience, one_that_joins_without_room_is_told_later)
{
    struct guest *late = &scene.reader;
    const struct relay_v1_control key = {.kind = RELAY_V1_KEY_PICTURE,
                                         .key_reason = RELAY_V1_KEY_ASKED};

    pass_ms(AUDIENCE_NEWS_MS);
    told(late);
    audience_leave(late->worker, scene.topic, &late->member);
    while (audience_say(late->worker, &late->member, &key)) {
    }
    late->member.was_told = false;
    audience_join(late->worker, scene.topic, &late->member);
    told(late);
    pass_ms(AUDIENCE_NEWS_MS);
    pass_ms(AUDIENCE_NEWS_MS);
    cr_assert_str_eq(told(late), "live 0 0");
}
