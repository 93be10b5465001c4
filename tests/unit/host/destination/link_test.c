/* Goal: a link that cannot be is refused with a reason, one without a relay waits and drops, and
 * all are gone when the host ends. */
#include "host/destination/link.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/client/relay_peer.h"

static const struct link_options refused_port = {.id = "0",
                                                 .destination = "ws://127.0.0.1:9/x",
                                                 .token = "",
                                                 .token_file = "",
                                                 .queue_age_max_ms = 1000};

Test(link, refuses_what_cannot_be_dialled)
{
    char error[RELAY_CLIENT_ERROR_SIZE];
    struct link_options options = refused_port;
    struct link_group links;

    cr_assert_eq(link_group_init(&links), 0);
    options.destination = "ws://user:secret@host/x";
    cr_assert_null(link_open(&links, &options, error));
    cr_assert_null(strstr(error, "secret"));
    options.destination = "";
    cr_assert_null(link_open(&links, &options, error));
    options.destination = "http://host/session/x"; /* no token */
    cr_assert_null(link_open(&links, &options, error));
    cr_assert(link_group_deinit(&links, 1000));
}

Test(link, takes_messages_while_it_waits_and_closes_in_the_background)
{
    char error[RELAY_CLIENT_ERROR_SIZE];
    struct relay_client_statistics statistics;
    struct link_group links;
    struct parcel *text = parcel_create(PARCEL_TEXT, bytes_of_text("\xff"), 0);

    cr_assert_eq(link_group_init(&links), 0);
    struct link *link = link_open(&links, &refused_port, error);

    cr_assert_not_null(link);
    cr_assert(link_send(link, text), "as a binary message");
    text->is_video = true;
    (void)link_send(link, text);
    link_statistics(link, &statistics);
    cr_assert_neq(statistics.state, RELAY_CLIENT_CONNECTED);
    cr_assert_null(link_receive(link, 0));
    cr_assert_eq(link_dropped(link), 0);
    link_group_wake_taken(&links);
    link_close(link, 1001);
    link_close(NULL, 1001);
    cr_assert(link_group_deinit(&links, 5000));
    parcel_unref(text);
}

/* docs/protocol.md: the number of viewers. */
static void send_viewers(struct relay_peer *peer, uint8_t viewers)
{
    const uint8_t message[] = {0x40, 0, 0, 0, 0, 0, 0, viewers};

    relay_peer_send(peer, WS_OPCODE_BINARY, message, sizeof message);
}

/* The next payload that the host sent in an envelope of 32 bytes; controls are left out. */
static void expect_payload(struct relay_peer *peer, const char *text)
{
    uint8_t taken[128] = {0x40};
    enum ws_opcode opcode;
    struct bytes message = {0};

    while (taken[0] >= 0x40) {
        message = relay_peer_take(peer, &opcode, taken, sizeof taken);
    }
    cr_expect_eq(opcode, WS_OPCODE_BINARY);
    cr_expect(bytes_equal_text(bytes_skip(message, 32), text), "%.*s",
              (int)bytes_skip(message, 32).len, (const char *)bytes_skip(message, 32).data);
}

static void send_video(struct link *link, const char *text, bool key)
{
    struct parcel *message = parcel_create(PARCEL_BINARY, bytes_of_text(text), 0);

    cr_assert_not_null(message);
    message->is_video = true;
    message->random_access = key;
    cr_expect(link_send(link, message));
    parcel_unref(message);
}

static void wait_viewers(struct link *link, int64_t wanted)
{
    struct relay_client_statistics statistics = {.viewers = -2};

    for (int i = 0; statistics.viewers != wanted; i++) {
        cr_assert_lt(i, LOOPBACK_PATIENCE_MS);
        poll(NULL, 0, 1);
        link_statistics(link, &statistics);
    }
}

static struct link *open_to(struct relay_peer *peer, struct link_group *links, bool on_demand,
                            const char *subprotocol)
{
    char location[64], error[RELAY_CLIENT_ERROR_SIZE];
    struct link_options options = refused_port;

    relay_peer_open(peer);
    cr_assert_eq(link_group_init(links), 0);
    options.destination = relay_peer_location(peer, "ws", location);
    options.on_demand = on_demand;
    options.queue_age_max_ms = LOOPBACK_PATIENCE_MS;
    struct link *link = link_open(links, &options, error);

    cr_assert_not_null(link, "%s", error);
    relay_peer_upgrade(peer, subprotocol);
    return link;
}

static void close_all(struct relay_peer *peer, struct link_group *links, struct link *link)
{
    link_close(link, 1000);
    relay_peer_close(peer);
    cr_assert(link_group_deinit(links, 5000));
}

Test(link, sends_no_video_while_nobody_watches)
{
    struct parcel *data = parcel_create(PARCEL_TEXT, bytes_of_text("data"), 0);
    struct relay_client_statistics statistics;
    struct link_group links;
    struct relay_peer peer;
    struct link *link = open_to(&peer, &links, true, "relay.v1");

    cr_expect_not_null(strstr(peer.head, "Sec-WebSocket-Protocol: relay.v1"));
    send_viewers(&peer, 0);
    wait_viewers(link, 0);
    send_video(link, "old", true);
    send_video(link, "key", true);
    send_video(link, "more", false);
    cr_expect(link_send(link, data), "data is always sent");
    expect_payload(&peer, "data");
    link_statistics(link, &statistics);
    cr_expect_eq(statistics.held_messages, 2);
    cr_expect_eq(statistics.drops_unwatched, 1);
    send_viewers(&peer, 1);
    expect_payload(&peer, "key");
    expect_payload(&peer, "more");
    send_video(link, "live", false);
    expect_payload(&peer, "live");
    parcel_unref(data);
    close_all(&peer, &links, link);
}

Test(link, sends_all_video_where_that_is_wanted)
{
    struct link_group links;
    struct relay_peer peer;
    struct link *link = open_to(&peer, &links, false, "relay.v1");

    send_viewers(&peer, 0);
    wait_viewers(link, 0);
    send_video(link, "key", true);
    expect_payload(&peer, "key");
    close_all(&peer, &links, link);
}

Test(link, sends_all_video_to_a_relay_that_tells_of_no_viewers)
{
    uint8_t taken[64];
    enum ws_opcode opcode;
    struct link_group links;
    struct relay_peer peer;
    struct link *link = open_to(&peer, &links, true, NULL);

    send_video(link, "key", true);
    cr_expect(bytes_equal_text(relay_peer_take(&peer, &opcode, taken, sizeof taken), "key"));
    close_all(&peer, &links, link);
}
