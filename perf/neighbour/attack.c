#include "perf/neighbour/attack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

enum {
    OPCODE_BINARY = 2,
    OPCODE_PING = 9,
    KIB = 1024,
};

static int unread_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_text("GET /swagger.json HTTP/1.1\r\nHost: relay\r\n\r\n", 100, ret_payload);
}

static int requests_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_text("GET /none HTTP/1.1\r\nHost: relay\r\n\r\n", 100, ret_payload);
}

static int silent_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_text("G", 1, ret_payload);
}

static int hello_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_hello(session->tls, ret_payload);
}

/* The short ones fill the memory that is left beside the long ones. */
static int announced_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_announcements((size_t)256 * KIB, (size_t)16 * KIB, ret_payload);
}

static int tiny_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_frames(OPCODE_BINARY, 1, 8 * KIB, ret_payload);
}

static int ping_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_frames(OPCODE_PING, 4, 4 * KIB, ret_payload);
}

static int upload_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_frames(OPCODE_BINARY, (size_t)10 * KIB * KIB, 1, ret_payload);
}

static int topic_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_frames(OPCODE_BINARY, KIB, 1, ret_payload);
}

static int status_payload(const struct load_session *session, struct payload *ret_payload)
{
    static const char head[] = "GET /status HTTP/1.1\r\nHost: relay\r\nAuthorization: ";
    char *token = load_session_token_create(session, "stats", "relay:stats");
    size_t size = sizeof head + (token != NULL ? strlen(token) : 0) + 4;
    char *request = token != NULL ? malloc(size) : NULL;
    int failed = -ENOMEM;

    if (request != NULL) {
        snprintf(request, size, "%s%s\r\n\r\n", head, token);
        failed = payload_of_text(request, 1, ret_payload);
    }
    free(request);
    free(token);
    return failed;
}

static int denial_payload(const struct load_session *session, struct payload *ret_payload)
{
    char *token = load_session_token_create(session, "deny", "relay:admin");
    int64_t exp_s = clock_wall_s() + session->token_life_s;
    int failed = token != NULL ? payload_of_denials(token, exp_s, 4096, ret_payload) : -ENOMEM;

    free(token);
    return failed;
}

static const struct attack attacks[] = {
    {.name = "unread",
     .help = "600 connections without a token pipeline GET /swagger.json and read no answer.",
     .entry = ATTACK_HTTP,
     .connections = 600,
     .opens_per_s = 5000,
     .payload = unread_payload,
     .interval_ms = 5000},
    {.name = "announced",
     .help = "2300 publishers announce 256 KiB each, the last 16 KiB, and send 14 bytes.",
     .entry = ATTACK_MEMBERS,
     .connections = 2300,
     .comes_first = true,
     .topics = 1,
     .payload = announced_payload,
     .slice_bytes = PAYLOAD_ANNOUNCEMENT_BYTES,
     .tail = 10,
     .slices = 1},
    {.name = "hellos",
     .help = "2500 TLS handshakes a second are begun and left.",
     .needs_tls = true,
     .entry = ATTACK_TCP,
     .connections = 4096,
     .opens_per_s = 2500,
     .is_recycled = true,
     .ends_at_answer = true,
     .reads = true,
     .payload = hello_payload,
     .slices = 1},
    {.name = "hellos5000",
     .help = "5000 of them.",
     .needs_tls = true,
     .entry = ATTACK_TCP,
     .connections = 4096,
     .opens_per_s = 5000,
     .is_recycled = true,
     .ends_at_answer = true,
     .reads = true,
     .payload = hello_payload,
     .slices = 1},
    {.name = "tiny",
     .help = "One publisher sends messages of 1 byte as fast as it can to one viewer.",
     .entry = ATTACK_MEMBERS,
     .connections = 1,
     .viewers = 1,
     .reads = true,
     .payload = tiny_payload},
    {.name = "tiny3",
     .help = "Three publishers do, on topics of their own.",
     .entry = ATTACK_MEMBERS,
     .connections = 3,
     .viewers = 1,
     .reads = true,
     .payload = tiny_payload},
    {.name = "requests",
     .help = "64 connections without a token pipeline small requests, and read the answers.",
     .entry = ATTACK_HTTP,
     .connections = 64,
     .opens_per_s = 2000,
     .reads = true,
     .payload = requests_payload},
    {.name = "silent",
     .help = "8200 connections send one byte each.",
     .entry = ATTACK_TCP,
     .connections = 8200,
     .opens_per_s = 5000,
     .reads = true,
     .payload = silent_payload,
     .slices = 1},
    {.name = "mute",
     .help = "8200 connections send nothing.",
     .entry = ATTACK_TCP,
     .connections = 8200,
     .opens_per_s = 5000,
     .reads = true},
    {.name = "places",
     .help = "One read token takes all 2000 places of a server.",
     .entry = ATTACK_JOINERS,
     .connections = 16,
     .stays = true,
     .places = 2000},
    {.name = "joins",
     .help = "A storm of joins: 32 at a time, each leaves again at once.",
     .entry = ATTACK_JOINERS,
     .connections = 32},
    {.name = "pings",
     .help = "64 publishers send pings as fast as they can, and read the pongs.",
     .entry = ATTACK_MEMBERS,
     .connections = 64,
     .reads = true,
     .payload = ping_payload},
    {.name = "denies",
     .help = "16 connections with an administrator's token pipeline denials of 4096 bookings.",
     .entry = ATTACK_HTTP,
     .connections = 16,
     .opens_per_s = 1000,
     .reads = true,
     .payload = denial_payload},
    {.name = "status",
     .help = "64 connections with a token for statistics ask for them without end.",
     .entry = ATTACK_HTTP,
     .connections = 64,
     .opens_per_s = 1000,
     .reads = true,
     .payload = status_payload,
     .interval_ms = 10},
    {.name = "uploads",
     .help = "100 publishers send messages of 10 MiB, each at half a MiB a second.",
     .entry = ATTACK_MEMBERS,
     .connections = 100,
     .reads = true,
     .payload = upload_payload,
     .slice_bytes = (size_t)16 * KIB,
     .interval_ms = 31},
    {.name = "topics",
     .help = "4000 publishers on topics of their own send 1 KiB a second each.",
     .entry = ATTACK_MEMBERS,
     .connections = 4000,
     .reads = true,
     .payload = topic_payload,
     .interval_ms = 1000},
};

_Static_assert(ARRAY_LENGTH(attacks) <= ATTACK_LIST_MAX, "all of them fit into a list");

const struct attack *attack_at(unsigned index)
{
    return index < ARRAY_LENGTH(attacks) ? &attacks[index] : NULL;
}

static const struct attack *attack_find(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(attacks); i++) {
        if (bytes_equal_text(name, attacks[i].name)) {
            return &attacks[i];
        }
    }
    return NULL;
}

static struct attack_list list_of_all(void)
{
    struct attack_list list = {.is_all = true};

    for (size_t i = 0; i < ARRAY_LENGTH(attacks); i++) {
        list.items[list.count++] = &attacks[i];
    }
    return list;
}

int attack_list_parse(const char *text, struct attack_list *ret_list)
{
    struct attack_list list = {.count = 0};
    struct bytes rest = bytes_of_text(text);

    if (strcmp(text, "all") == 0) {
        *ret_list = list_of_all();
        return 0;
    }
    for (;;) {
        size_t comma = bytes_find(rest, ',');
        const struct attack *attack = attack_find(bytes_of(rest.data, comma));

        if (attack == NULL) {
            return -EINVAL;
        }
        if (list.count == ATTACK_LIST_MAX) {
            return -E2BIG;
        }
        list.items[list.count++] = attack;
        if (comma == rest.len) {
            break;
        }
        rest = bytes_skip(rest, comma + 1);
    }
    *ret_list = list;
    return 0;
}

static unsigned scaled(unsigned value, unsigned percent)
{
    uint64_t part = (uint64_t)value * percent / 100;

    return value > 0 && part == 0 ? 1 : (unsigned)part;
}

struct attack attack_scaled(const struct attack *attack, unsigned percent)
{
    struct attack part = *attack;

    part.connections = scaled(attack->connections, percent);
    part.opens_per_s = scaled(attack->opens_per_s, percent);
    return part;
}
