/* Connections of one worker that have not become WebSockets: handshakes, requests, connections that
 * are kept alive between requests, and those of them that are being closed. They hold no place for
 * good: when places are scarce, the oldest of the network that has most of them makes room for the
 * next. So a network that opens thousands of silent connections evicts its own.
 *
 * Their work (a handshake, a request) waits for a turn, because WebSockets are served first.
 * Networks take turns. Within one, every other turn is for connections that had one before, so that
 * what was begun is finished. The rest is for those that have just come: in turns the newest, which
 * under overload has not given up yet, and the oldest, so that none waits for ever. Owner worker
 * only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum unfinished_limits { UNFINISHED_BUCKETS = 256 };

struct conn;

struct unfinished_network {
    struct list conns; /* oldest first */
    uint32_t count;
    struct list fresh;     /* of conns, waiting for their first turn: newest first */
    struct list begun;     /* waiting for another one: the longest wait first */
    struct list turn_node; /* among the networks that wait, while one of these is not empty */
    uint32_t turns;        /* that it had */
};

struct unfinished {
    struct unfinished_network networks[UNFINISHED_BUCKETS];
    struct list turns;  /* of networks, the next one first */
    struct list memory; /* connections that wait for memory, not for a turn */
    uint64_t hash_key;  /* random, so that networks cannot be chosen to share a bucket */
};

/* A connection's part. */
struct unfinished_entry {
    struct list node, waiting_node;
    uint16_t bucket;
    bool had_turn;
};

void unfinished_init(struct unfinished *unfinished);
void unfinished_entry_init(struct unfinished_entry *entry);

/* A connection that was just accepted. */
void unfinished_add(struct unfinished *unfinished, struct conn *conn);

/* It is one of them. */
bool unfinished_has(const struct conn *conn);

/* It became a WebSocket, or its close is on its way. Harmless for one that is not in it. */
void unfinished_remove(struct unfinished *unfinished, struct conn *conn);

/* The connection's phase has work: its on_turn is called when its turn comes. Harmless when it
 * waits already. */
void unfinished_await_turn(struct unfinished *unfinished, struct conn *conn);

/* The connection has no memory for its work: it has a turn when unfinished_retry is called.
 * Harmless when it waits already. */
void unfinished_await_memory(struct unfinished *unfinished, struct conn *conn);

/* Memory may have come back: all that wait for it have a turn. */
void unfinished_retry(struct unfinished *unfinished);

/* It needs no turn any more. Harmless when it does not wait. */
void unfinished_stop_waiting(struct unfinished *unfinished, struct conn *conn);

/* Whether one waits for its turn. */
bool unfinished_waits(const struct unfinished *unfinished);

/* Ends the wait of the one whose turn it is. NULL: none waits. */
struct conn *unfinished_next(struct unfinished *unfinished);

/* The one that is to make room, or NULL: there is none, but for those that wait for an answer. */
struct conn *unfinished_oldest(struct unfinished *unfinished);
