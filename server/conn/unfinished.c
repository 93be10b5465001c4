#include "server/conn/unfinished.h"

#include <netinet/in.h>
#include <string.h>

#include "base/check.h"
#include "base/random.h"
#include "server/conn/address.h"
#include "server/conn/conn.h"

void unfinished_init(struct unfinished *unfinished)
{
    for (unsigned i = 0; i < UNFINISHED_BUCKETS; i++) {
        struct unfinished_network *network = &unfinished->networks[i];

        list_init(&network->conns);
        list_init(&network->fresh);
        list_init(&network->begun);
        list_init(&network->turn_node);
        network->count = 0;
        network->turns = 0;
    }
    list_init(&unfinished->turns);
    list_init(&unfinished->memory);
    random_bytes(&unfinished->hash_key, sizeof unfinished->hash_key);
}

void unfinished_entry_init(struct unfinished_entry *entry)
{
    list_init(&entry->node);
    list_init(&entry->waiting_node);
    entry->had_turn = false;
}

/* An IPv4 address, or the /64 that one customer of IPv6 has. */
static uint64_t network_of(int fd)
{
    struct sockaddr_storage address;
    uint64_t network = 0;

    address_of_peer(fd, &address);
    if (address.ss_family == AF_INET) {
        memcpy(&network, &((const struct sockaddr_in *)&address)->sin_addr, 4);
    } else if (address.ss_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&address)->sin6_addr;

        memcpy(&network, &in6->s6_addr[IN6_IS_ADDR_V4MAPPED(in6) ? 8 : 0], sizeof network);
    }
    return network;
}

/* The finaliser of MurmurHash3 (public domain) mixes the key into all bits. */
static uint16_t bucket_of(const struct unfinished *unfinished, uint64_t network)
{
    uint64_t hash = network ^ unfinished->hash_key;

    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint16_t)((hash ^ (hash >> 33)) % UNFINISHED_BUCKETS);
}

void unfinished_add(struct unfinished *unfinished, struct conn *conn)
{
    struct unfinished_entry *entry = &conn->unfinished;

    CHECK(list_empty(&entry->node));
    entry->bucket = bucket_of(unfinished, network_of(conn->fd));
    list_append(&unfinished->networks[entry->bucket].conns, &entry->node);
    unfinished->networks[entry->bucket].count++;
}

bool unfinished_has(const struct conn *conn)
{
    return !list_empty(&conn->unfinished.node);
}

static bool waits(const struct unfinished_network *network)
{
    return !list_empty(&network->fresh) || !list_empty(&network->begun);
}

void unfinished_stop_waiting(struct unfinished *unfinished, struct conn *conn)
{
    struct unfinished_network *network = &unfinished->networks[conn->unfinished.bucket];

    list_remove(&conn->unfinished.waiting_node);
    if (!waits(network)) {
        list_remove(&network->turn_node);
    }
}

void unfinished_remove(struct unfinished *unfinished, struct conn *conn)
{
    struct unfinished_entry *entry = &conn->unfinished;
    struct unfinished_network *network = &unfinished->networks[entry->bucket];

    if (!list_empty(&entry->node)) {
        CHECK(network->count > 0);
        unfinished_stop_waiting(unfinished, conn);
        list_remove(&entry->node);
        network->count--;
    }
}

void unfinished_await_turn(struct unfinished *unfinished, struct conn *conn)
{
    struct unfinished_entry *entry = &conn->unfinished;
    struct unfinished_network *network = &unfinished->networks[entry->bucket];

    CHECK(!list_empty(&entry->node));
    if (!list_empty(&entry->waiting_node)) {
        return;
    }
    if (entry->had_turn) {
        list_append(&network->begun, &entry->waiting_node);
    } else {
        list_prepend(&network->fresh, &entry->waiting_node);
    }
    if (list_empty(&network->turn_node)) {
        list_append(&unfinished->turns, &network->turn_node);
    }
}

void unfinished_await_memory(struct unfinished *unfinished, struct conn *conn)
{
    CHECK(unfinished_has(conn));
    if (list_empty(&conn->unfinished.waiting_node)) {
        list_append(&unfinished->memory, &conn->unfinished.waiting_node);
    }
}

void unfinished_retry(struct unfinished *unfinished)
{
    while (!list_empty(&unfinished->memory)) {
        struct list *node = list_take_first(&unfinished->memory);

        unfinished_await_turn(unfinished, container_of(node, struct conn, unfinished.waiting_node));
    }
}

bool unfinished_waits(const struct unfinished *unfinished)
{
    return !list_empty(&unfinished->turns);
}

/* In turns one that was begun, the newest, one that was begun, the oldest. */
static struct conn *choose(struct unfinished_network *network)
{
    struct list *node;

    if (network->turns % 2 == 0 && list_empty(&network->begun)) {
        network->turns++;
    }
    if (network->turns % 2 == 0 || list_empty(&network->fresh)) {
        node = network->begun.next;
    } else {
        node = network->turns % 4 == 1 ? network->fresh.next : network->fresh.prev;
    }
    network->turns++;
    return container_of(node, struct conn, unfinished.waiting_node);
}

struct conn *unfinished_next(struct unfinished *unfinished)
{
    if (list_empty(&unfinished->turns)) {
        return NULL;
    }
    struct unfinished_network *network =
        container_of(unfinished->turns.next, struct unfinished_network, turn_node);
    struct conn *conn = choose(network);

    list_remove(&network->turn_node);
    unfinished_stop_waiting(unfinished, conn);
    conn->unfinished.had_turn = true;
    if (waits(network)) {
        list_append(&unfinished->turns, &network->turn_node); /* behind the other networks */
    }
    return conn;
}

/* The oldest that does not wait for an answer of ours: an administrator's denial has been taken,
 * and is answered. */
static struct conn *oldest_of(struct list *conns)
{
    list_for_each(node, conns)
    {
        struct conn *conn = container_of(node, struct conn, unfinished.node);

        if (!conn->awaits_answer) {
            return conn;
        }
    }
    return NULL;
}

static unsigned largest(const struct unfinished *unfinished)
{
    unsigned largest = 0;

    for (unsigned i = 1; i < UNFINISHED_BUCKETS; i++) {
        if (unfinished->networks[i].count > unfinished->networks[largest].count) {
            largest = i;
        }
    }
    return largest;
}

struct conn *unfinished_oldest(struct unfinished *unfinished)
{
    struct conn *conn = oldest_of(&unfinished->networks[largest(unfinished)].conns);

    for (unsigned i = 0; conn == NULL && i < UNFINISHED_BUCKETS; i++) {
        conn = oldest_of(&unfinished->networks[i].conns);
    }
    return conn;
}
