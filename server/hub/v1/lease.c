#include "server/hub/v1/lease.h"

#include <stdlib.h>

#include "base/check.h"

struct lease *lease_create(uint64_t idle_ms)
{
    struct lease *lease = calloc(1, sizeof *lease);

    if (lease != NULL) {
        pthread_mutex_init(&lease->mutex, NULL);
        lease->idle_ms = idle_ms;
        lease->generation = 1;
    }
    return lease;
}

void lease_destroy(struct lease *lease)
{
    if (lease != NULL) {
        pthread_mutex_destroy(&lease->mutex);
        free(lease);
    }
}

uint64_t lease_due_ms(const struct lease *lease)
{
    if (lease->idle_ms == 0 || atomic_load(&lease->holder) == 0) {
        return UINT64_MAX;
    }
    return atomic_load(&lease->used_ms) + lease->idle_ms;
}

/* The following with the mutex held. */

static void grant(struct lease *lease, uint64_t key, uint64_t now_ms)
{
    uint32_t generation = atomic_load(&lease->generation) + 1;

    atomic_store(&lease->generation, generation == 0 ? 1 : generation);
    atomic_store(&lease->used_ms, now_ms);
    atomic_store(&lease->holder, key);
    lease->connections = 0;
    lease->granted_wish = 0;
    if (atomic_load(&lease->wanted_by) == key) {
        atomic_store(&lease->wanted_by, 0);
    }
}

/* To the one that asked, if any did. */
static void hand_over(struct lease *lease, uint64_t now_ms)
{
    bool is_wanted = atomic_load(&lease->wanted_by) != 0;

    grant(lease, atomic_load(&lease->wanted_by), now_ms);
    lease->granted_wish = is_wanted ? lease->wishes : 0;
}

static bool expire(struct lease *lease, uint64_t now_ms)
{
    if (now_ms < lease_due_ms(lease)) {
        return false;
    }
    hand_over(lease, now_ms);
    return true;
}

static bool use_locked(struct lease *lease, struct lease_claim *claim, uint64_t now_ms)
{
    if (atomic_load(&lease->holder) == 0) {
        grant(lease, claim->key, now_ms);
    }
    if (atomic_load(&lease->holder) != claim->key) {
        return false;
    }
    if (claim->generation != atomic_load(&lease->generation)) {
        claim->generation = atomic_load(&lease->generation);
        lease->connections++;
    }
    return true;
}

bool lease_use(struct lease *lease, struct lease_claim *claim, uint64_t now_ms, bool *ret_changed)
{
    uint64_t holder = atomic_load(&lease->holder);

    CHECK(claim->key != 0);
    *ret_changed = false;
    if (holder != 0 && now_ms < lease_due_ms(lease)) {
        if (holder != claim->key) {
            claim->refused++;
            return false;
        }
        if (claim->generation == atomic_load(&lease->generation)) {
            atomic_store_explicit(&lease->used_ms, now_ms, memory_order_relaxed);
            return true;
        }
    }
    pthread_mutex_lock(&lease->mutex);
    uint32_t generation = atomic_load(&lease->generation);
    bool expired = atomic_load(&lease->holder) != claim->key && expire(lease, now_ms);
    bool may = use_locked(lease, claim, now_ms);

    if (may) {
        atomic_store(&lease->used_ms, now_ms);
    } else {
        claim->refused++;
    }
    *ret_changed = expired || generation != atomic_load(&lease->generation);
    pthread_mutex_unlock(&lease->mutex);
    return may;
}

static bool made_wish(const struct lease_claim *claim, uint32_t wish)
{
    return wish != 0 && claim->wish == wish;
}

/* Where none has sent yet, it is the last if it is the one that asked. */
static bool is_last(struct lease *lease, const struct lease_claim *claim)
{
    if (atomic_load(&lease->holder) != claim->key) {
        return false;
    }
    if (claim->generation == atomic_load(&lease->generation)) {
        CHECK(lease->connections > 0);
        lease->connections--;
        return lease->connections == 0;
    }
    return lease->connections == 0 && made_wish(claim, lease->granted_wish);
}

bool lease_leave(struct lease *lease, struct lease_claim *claim, uint64_t now_ms)
{
    bool changed = false;

    pthread_mutex_lock(&lease->mutex);
    if (made_wish(claim, lease->wishes) && atomic_load(&lease->wanted_by) == claim->key) {
        atomic_store(&lease->wanted_by, 0);
        changed = true;
    }
    if (is_last(lease, claim)) {
        hand_over(lease, now_ms);
        changed = true;
    }
    claim->generation = 0;
    pthread_mutex_unlock(&lease->mutex);
    return changed;
}

static uint32_t note_wish(struct lease *lease, struct lease_claim *claim)
{
    lease->wishes = lease->wishes == UINT32_MAX ? 1 : lease->wishes + 1;
    claim->wish = lease->wishes;
    return claim->wish;
}

bool lease_request(struct lease *lease, struct lease_claim *claim, uint64_t now_ms)
{
    bool changed = true;

    pthread_mutex_lock(&lease->mutex);
    expire(lease, now_ms);
    uint64_t holder = atomic_load(&lease->holder);

    if (holder == 0) {
        grant(lease, claim->key, now_ms);
        lease->granted_wish = note_wish(lease, claim);
    } else if (holder != claim->key && atomic_load(&lease->wanted_by) == 0) {
        atomic_store(&lease->wanted_by, claim->key);
        note_wish(lease, claim);
    } else {
        changed = false;
    }
    pthread_mutex_unlock(&lease->mutex);
    return changed;
}

struct lease_standing lease_standing(struct lease *lease, const struct lease_claim *claim)
{
    pthread_mutex_lock(&lease->mutex);
    bool is_holder = atomic_load(&lease->holder) == claim->key;
    bool has_sent = is_holder && claim->generation == atomic_load(&lease->generation);
    struct lease_standing standing = {
        .holds = has_sent || (is_holder && made_wish(claim, lease->granted_wish)),
        .has_sent = has_sent,
        .wants = made_wish(claim, lease->wishes) && atomic_load(&lease->wanted_by) == claim->key,
        .used_ms = atomic_load(&lease->used_ms),
    };

    pthread_mutex_unlock(&lease->mutex);
    return standing;
}

static void return_locked(struct lease *lease, struct lease_claim *claim,
                          const struct lease_standing *standing)
{
    if (standing->holds && use_locked(lease, claim, standing->used_ms) && !standing->has_sent) {
        lease->connections--;
        claim->generation = 0;
        lease->granted_wish = note_wish(lease, claim);
    }
    if (standing->wants && atomic_load(&lease->wanted_by) == 0) {
        atomic_store(&lease->wanted_by, claim->key);
        note_wish(lease, claim);
    }
}

void lease_return(struct lease *lease, struct lease_claim *claim,
                  const struct lease_standing *standing)
{
    pthread_mutex_lock(&lease->mutex);
    return_locked(lease, claim, standing);
    pthread_mutex_unlock(&lease->mutex);
}

bool lease_give(struct lease *lease, const struct lease_claim *claim, uint64_t now_ms)
{
    pthread_mutex_lock(&lease->mutex);
    bool is_holder = atomic_load(&lease->holder) == claim->key;

    if (is_holder) {
        hand_over(lease, now_ms);
    }
    pthread_mutex_unlock(&lease->mutex);
    return is_holder;
}

bool lease_look(struct lease *lease, uint64_t now_ms)
{
    if (now_ms < lease_due_ms(lease)) {
        return false;
    }
    pthread_mutex_lock(&lease->mutex);
    bool changed = expire(lease, now_ms);

    pthread_mutex_unlock(&lease->mutex);
    return changed;
}

enum relay_v1_lease_state lease_state(const struct lease *lease, const struct lease_claim *claim)
{
    uint64_t holder = atomic_load(&lease->holder);

    if (holder == 0) {
        return RELAY_V1_LEASE_FREE;
    }
    if (holder != claim->key) {
        return RELAY_V1_LEASE_TAKEN;
    }
    return atomic_load(&lease->wanted_by) != 0 ? RELAY_V1_LEASE_WANTED : RELAY_V1_LEASE_YOURS;
}
