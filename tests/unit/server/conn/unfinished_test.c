/* Goal: the connection that makes room is the oldest of the network that has most of them, never
 * one that waits for an answer; a network with few keeps its own. Turns are shared by networks, and
 * within one so that an honest client gets in beside a flood. Method: real sockets of several
 * loopback addresses, no phases; for floods invented connections and an invented clock. */
#include "server/conn/unfinished.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/conn/conn.h"

enum { CONNS = 24 };

static struct unfinished unfinished;
static struct conn conns[CONNS];
static int clients[CONNS];
static int listener;

static void open_listener(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};

    any.sin_addr.s_addr = htonl(INADDR_ANY);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    cr_assert_eq(listen(listener, CONNS), 0);
    unfinished_init(&unfinished);
}

static void close_all(void)
{
    for (unsigned i = 0; i < CONNS; i++) {
        if (clients[i] > 0) {
            close(clients[i]);
            close(conns[i].fd);
        }
    }
    close(listener);
}

TestSuite(unfinished, .init = open_listener, .fini = close_all);

/* A connection from 127.0.0.last. */
static struct conn *open_from(unsigned index, unsigned last)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    socklen_t size = sizeof to;

    cr_assert_eq(getsockname(listener, (struct sockaddr *)&to, &size), 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl((127u << 24) + last);
    clients[index] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(clients[index], (struct sockaddr *)&from, sizeof from), 0);
    cr_assert_eq(connect(clients[index], (struct sockaddr *)&to, sizeof to), 0);
    conns[index] = (struct conn){.fd = accept(listener, NULL, NULL)};
    cr_assert_geq(conns[index].fd, 0);
    unfinished_entry_init(&conns[index].unfinished);
    unfinished_add(&unfinished, &conns[index]);
    return &conns[index];
}

/* As when it is closed. */
static struct conn *evict(void)
{
    struct conn *conn = unfinished_oldest(&unfinished);

    if (conn != NULL) {
        unfinished_remove(&unfinished, conn);
    }
    return conn;
}

Test(unfinished, oldest_of_one_network_goes_first)
{
    for (unsigned i = 0; i < CONNS; i++) {
        open_from(i, 1);
    }
    for (unsigned i = 0; i < CONNS; i++) {
        cr_assert_eq(evict(), &conns[i]);
    }
    cr_assert_null(evict());
}

Test(unfinished, network_with_most_of_them_evicts_its_own)
{
    struct conn *honest = open_from(0, 1);

    do { /* until the two networks do not share a bucket: 255 times of 256 at once */
        close_all();
        memset(clients, 0, sizeof clients);
        open_listener();
        honest = open_from(0, 1);
        open_from(1, 2);
    } while (conns[0].unfinished.bucket == conns[1].unfinished.bucket);
    for (unsigned i = 2; i < CONNS; i++) {
        open_from(i, 2);
    }
    for (unsigned i = 1; i < CONNS - 1; i++) {
        cr_assert_eq(evict(), &conns[i]);
    }
    cr_assert_eq(unfinished.networks[honest->unfinished.bucket].count, 1);
}

Test(unfinished, one_that_waits_for_an_answer_stays)
{
    open_from(0, 1)->awaits_answer = true;
    open_from(1, 1);
    cr_assert_eq(evict(), &conns[1]);
    cr_assert_null(evict());
    conns[0].awaits_answer = false;
    cr_assert_eq(evict(), &conns[0]);
}

Test(unfinished, removing_twice_is_harmless)
{
    struct conn *conn = open_from(0, 1);

    unfinished_remove(&unfinished, conn);
    unfinished_remove(&unfinished, conn);
    cr_assert_eq(unfinished.networks[conn->unfinished.bucket].count, 0);
    cr_assert_null(evict());
}

Test(unfinished, networks_take_turns_and_newest_and_oldest_of_one_do)
{
    do {
        close_all();
        memset(clients, 0, sizeof clients);
        open_listener();
        for (unsigned i = 0; i < 4; i++) {
            open_from(i, 1);
        }
        open_from(4, 2);
    } while (conns[0].unfinished.bucket == conns[4].unfinished.bucket);
    cr_assert(!unfinished_waits(&unfinished));
    for (unsigned i = 0; i < 5; i++) {
        unfinished_await_turn(&unfinished, &conns[i]);
        unfinished_await_turn(&unfinished, &conns[i]); /* harmless */
    }
    unfinished_stop_waiting(&unfinished, &conns[2]);
    static const unsigned order[] = {3, 4, 0, 1};

    for (unsigned i = 0; i < 4; i++) {
        cr_assert(unfinished_waits(&unfinished));
        cr_assert_eq(unfinished_next(&unfinished), &conns[order[i]], "%u", i);
    }
    cr_assert(!unfinished_waits(&unfinished));
    cr_assert_null(unfinished_next(&unfinished));
}

Test(unfinished, one_that_is_gone_has_no_turn)
{
    unfinished_await_turn(&unfinished, open_from(0, 1));
    unfinished_remove(&unfinished, &conns[0]);
    cr_assert(!unfinished_waits(&unfinished));
    cr_assert(!unfinished_has(&conns[0]));
}

static void expect_order(const unsigned *order, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(unfinished_next(&unfinished), &conns[order[i]], "%u", i);
    }
}

Test(unfinished, every_other_turn_is_for_what_was_begun)
{
    static const unsigned order[] = {0, 5, 1, 2, 4, 3};

    for (unsigned i = 0; i < 6; i++) {
        open_from(i, 1)->unfinished.had_turn = i < 2;
    }
    for (unsigned i = 0; i < 6; i++) {
        unfinished_await_turn(&unfinished, &conns[i]);
    }
    expect_order(order, 6);
    cr_assert(!unfinished_waits(&unfinished));
    for (unsigned i = 0; i < 6; i++) {
        unfinished_await_turn(&unfinished, &conns[i]); /* all were begun now */
    }
    expect_order((const unsigned[]){0, 1, 2, 3, 4, 5}, 6);
}

Test(unfinished, one_that_waits_for_memory_has_no_turn_before_it_is_called)
{
    open_from(0, 1);
    open_from(1, 1);
    unfinished_await_memory(&unfinished, &conns[0]);
    unfinished_await_memory(&unfinished, &conns[0]); /* harmless */
    unfinished_await_turn(&unfinished, &conns[0]);
    unfinished_await_memory(&unfinished, &conns[1]);
    cr_assert(!unfinished_waits(&unfinished));
    unfinished_remove(&unfinished, &conns[1]);
    unfinished_retry(&unfinished);
    cr_assert_eq(unfinished_next(&unfinished), &conns[0]);
    cr_assert_null(unfinished_next(&unfinished));
    unfinished_retry(&unfinished);
    cr_assert(!unfinished_waits(&unfinished));
}

/* A flood, with a clock of its own: clients of one network begin handshakes and leave them, beside
 * one that joins again and again. */
enum {
    FLOOD_CONNS = 20000,
    FLOOD_OPEN = 4096, /* of the attacker at a time: then it leaves its oldest for a new one */
    FLOOD_US = 20 * 1000 * 1000,
    TURN_US = 1250, /* of which the turns of this file have 1 ms */
    HELLO_US = 250,
    LATER_US = 60,
    GONE_US = 5,
    JOIN_STAGES = 6, /* hello, finished, request; and again for the WebSocket */
    JOIN_PAUSE_US = 20 * 1000,
};

struct flood {
    struct conn conns[FLOOD_CONNS];
    bool is_gone[FLOOD_CONNS];
    unsigned free[FLOOD_CONNS], free_count;
    unsigned open[FLOOD_OPEN], opened; /* by the attacker; the last FLOOD_OPEN are open */
    uint64_t now_us, begun_us, next_us, worst_us;
    struct conn *joining;
    unsigned stage, joins;
};

static struct flood flood;

static struct conn *flood_open(void)
{
    cr_assert_gt(flood.free_count, 0);
    struct conn *conn = &flood.conns[flood.free[--flood.free_count]];

    conn->fd = -1; /* of no network: all are of the same */
    unfinished_entry_init(&conn->unfinished);
    unfinished_add(&unfinished, conn);
    unfinished_await_turn(&unfinished, conn);
    flood.is_gone[conn - flood.conns] = false;
    return conn;
}

static void flood_close(struct conn *conn)
{
    unfinished_remove(&unfinished, conn);
    flood.free[flood.free_count++] = (unsigned)(conn - flood.conns);
}

/* An answered one leaves at once; its number may be in use again. */
static void flood_attack(void)
{
    unsigned *place = &flood.open[flood.opened++ % FLOOD_OPEN];

    if (*place < FLOOD_CONNS) {
        flood.is_gone[*place] = true;
    }
    *place = (unsigned)(flood_open() - flood.conns);
}

static void flood_answer(const struct conn *conn)
{
    for (unsigned i = 0; i < FLOOD_OPEN; i++) {
        if (flood.open[i] == (unsigned)(conn - flood.conns)) {
            flood.open[i] = FLOOD_CONNS;
        }
    }
}

/* It had a turn: the next one is asked for when its answer has gone to and fro. */
static void flood_join(struct conn *conn)
{
    flood.stage++;
    flood.next_us = flood.now_us + TURN_US;
    if (flood.stage % (JOIN_STAGES / 2) == 0) {
        flood_close(conn);
        flood.joining = NULL;
    }
    if (flood.stage == JOIN_STAGES) {
        uint64_t us = flood.now_us - flood.begun_us;

        flood.worst_us = us > flood.worst_us ? us : flood.worst_us;
        flood.joins++;
        flood.stage = 0;
        flood.next_us = flood.begun_us = flood.now_us + JOIN_PAUSE_US;
    }
}

static void flood_go_on(void)
{
    if (flood.now_us < flood.next_us) {
        return;
    }
    if (flood.joining == NULL) {
        flood.joining = flood_open();
    } else {
        unfinished_await_turn(&unfinished, flood.joining); /* harmless while it waits */
    }
}

/* Serves the next one; returns how long that takes. */
static unsigned flood_serve(void)
{
    struct conn *conn = unfinished_next(&unfinished);
    bool is_first = flood.stage % (JOIN_STAGES / 2) == 0;

    if (conn == NULL) {
        return TURN_US;
    }
    if (conn == flood.joining) {
        flood_join(conn);
        return is_first ? HELLO_US : LATER_US;
    }
    bool is_gone = flood.is_gone[conn - flood.conns];

    if (!is_gone) {
        flood_answer(conn);
    }
    flood_close(conn);
    return is_gone ? GONE_US : HELLO_US;
}

static void flood_run(unsigned hellos_per_s)
{
    unsigned due = 0, seed = 1;

    for (unsigned i = 0; i < FLOOD_CONNS; i++) {
        flood.free[flood.free_count++] = i;
    }
    for (unsigned i = 0; i < FLOOD_OPEN; i++) {
        flood.open[i] = FLOOD_CONNS;
    }
    for (; flood.now_us < FLOOD_US; flood.now_us += TURN_US) {
        for (due += hellos_per_s; due >= 1000000 / TURN_US; due -= 1000000 / TURN_US) {
            flood_attack();
            if (rand_r(&seed) % 8 == 0) {
                flood_go_on(); /* others come after it in the same turn */
            }
        }
        for (unsigned us = 0; us < 1000;) {
            us += flood_serve();
        }
    }
}

/* None of its two handshakes waits longer than the flood's own do: served newest first only, as
 * long as it lasts. */
Test(unfinished, honest_client_of_a_flooding_network_waits_no_longer_than_the_flood_does)
{
    enum { HELLOS_PER_S = 5000, PATIENCE_US = FLOOD_OPEN * (1000000 / HELLOS_PER_S) };

    flood_run(HELLOS_PER_S);
    cr_log_info("%u joins, the longest %u ms", flood.joins, (unsigned)(flood.worst_us / 1000));
    cr_assert_leq(flood.worst_us, 2 * PATIENCE_US + 100 * 1000);
    cr_assert_geq(flood.joins, FLOOD_US / (2 * PATIENCE_US));
}

Test(unfinished, flood_that_can_be_served_delays_no_client)
{
    flood_run(2500);
    cr_assert_leq(flood.worst_us, 100 * 1000);
}
