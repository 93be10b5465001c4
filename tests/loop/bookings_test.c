/* Goal: denials, allowances, session requests and upgrades that race in any order never leave a
 * denied booking connected, and the disk ends like the memory.
 * Method: a plain program, because the thread sanitizer cannot run the unit test framework. Threads
 * play workers: they take letters ("cut this booking"), and at random deny, allow, ask for codes
 * and use them, in the order of calls that the server uses. In the end no connection of a denied
 * booking may be left and a store that is opened anew must hold the same lists. Many short rounds:
 * only the last changes of each can show a wrong order.
 * usage: bookings_test [seed] */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/bookings/booking_store.h"

enum {
    SKIPPED = 77,
    WORKERS = 4,
    BOOKINGS = 6,
    ROUNDS = 40,
    STEPS = 250,
    CODES_KEPT = 8,
    LETTERS_MAX = WORKERS * STEPS,
    CODES_MAX = 1024,
    LIFE_S = 3600,
    DEADLINE_S = 100,
};

struct office {
    struct code_store *codes;
    struct bookings *bookings;
    struct booking_store *store;
    int64_t now_s;
    unsigned admitted, cut; /* of all rounds */
    _Atomic unsigned jobs_done, jobs_failed;
    struct desk {
        struct office *office;
        pthread_t thread;
        unsigned index, random;
        pthread_mutex_t mutex; /* over the letters */
        unsigned letters[LETTERS_MAX];
        unsigned letters_count;
        unsigned letters_taken;
        unsigned connections[BOOKINGS];
        char codes[CODES_KEPT][CODE_SIZE];
        unsigned jobs_submitted, admitted, cut;
    } desks[WORKERS];
};

struct job {
    struct booking_job job;
    struct office *office;
};

static void on_done(struct booking_job *booking_job, int result, struct ring *ring)
{
    struct job *job = container_of(booking_job, struct job, job);

    atomic_fetch_add(&job->office->jobs_done, 1);
    atomic_fetch_add(&job->office->jobs_failed, result != 0);
    free(job);
}

static void name_of(unsigned booking, char id[static TOKEN_TEXT_SIZE])
{
    snprintf(id, TOKEN_TEXT_SIZE, "booking-%u", booking);
}

static void submit(struct desk *desk, const char *id, int64_t exp_s)
{
    struct job *job = calloc(1, sizeof *job);

    CHECK(job != NULL);
    job->office = desk->office;
    job->job.exp_s = exp_s;
    job->job.on_done = on_done;
    memcpy(job->job.booking_id, id, strlen(id) + 1);
    CHECK(booking_store_submit(desk->office->store, &job->job));
    desk->jobs_submitted++;
}

static void post_cut(struct desk *desk, unsigned booking)
{
    pthread_mutex_lock(&desk->mutex);
    CHECK(desk->letters_count < LETTERS_MAX);
    desk->letters[desk->letters_count++] = booking;
    pthread_mutex_unlock(&desk->mutex);
}

static void take_letters(struct desk *desk)
{
    pthread_mutex_lock(&desk->mutex);
    while (desk->letters_taken < desk->letters_count) {
        unsigned booking = desk->letters[desk->letters_taken++];

        desk->cut += desk->connections[booking];
        desk->connections[booking] = 0;
    }
    pthread_mutex_unlock(&desk->mutex);
}

/* Expiry times differ, so that each change is one for the disk. */
static int64_t some_expiry(struct desk *desk)
{
    return desk->office->now_s + LIFE_S + rand_r(&desk->random) % 100;
}

static void deny(struct desk *desk, unsigned booking)
{
    struct office *office = desk->office;
    int64_t exp_s = some_expiry(desk);
    char id[TOKEN_TEXT_SIZE];

    name_of(booking, id);
    CHECK(bookings_deny(office->bookings, id, exp_s, office->now_s) == 0);
    desk->cut += desk->connections[booking];
    desk->connections[booking] = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        if (i != desk->index) {
            post_cut(&office->desks[i], booking);
        }
    }
    submit(desk, id, exp_s);
}

static void allow(struct desk *desk, unsigned booking)
{
    int64_t exp_s = some_expiry(desk);
    char id[TOKEN_TEXT_SIZE];

    name_of(booking, id);
    bookings_allow(desk->office->bookings, id, exp_s, desk->office->now_s);
    submit(desk, id, exp_s);
}

static void request_session(struct desk *desk, unsigned booking)
{
    struct office *office = desk->office;
    struct permission permission = {.topic = "t", .can_read = true, .exp_s = some_expiry(desk)};
    struct grant grant;

    name_of(booking, permission.booking_id);
    int failed =
        bookings_grant(office->bookings, &permission, clock_monotonic_ms(), office->now_s, &grant);

    CHECK(failed == 0 || failed == -EACCES || failed == -ENOSPC);
    if (failed != 0) {
        return;
    }
    memcpy(desk->codes[(unsigned)rand_r(&desk->random) % CODES_KEPT], grant.code, CODE_SIZE);
    if (grant.is_new) {
        submit(desk, permission.booking_id, permission.exp_s);
    }
}

/* As admission_check and phase_websocket_open: on one worker, without a letter in between. */
static void upgrade(struct desk *desk)
{
    struct office *office = desk->office;
    const char *code = desk->codes[(unsigned)rand_r(&desk->random) % CODES_KEPT];
    struct permission permission;
    unsigned booking;

    if (code_store_take(office->codes, bytes_of_text(code), clock_monotonic_ms(), &permission) !=
            0 ||
        bookings_is_denied(office->bookings, permission.booking_id, office->now_s)) {
        return;
    }
    CHECK(sscanf(permission.booking_id, "booking-%u", &booking) == 1 && booking < BOOKINGS);
    desk->connections[booking]++;
    desk->admitted++;
}

static void *work(void *argument)
{
    struct desk *desk = argument;

    for (unsigned step = 0; step < STEPS; step++) {
        unsigned booking = (unsigned)rand_r(&desk->random) % BOOKINGS;

        take_letters(desk);
        switch (rand_r(&desk->random) % 8) {
        case 0:
            deny(desk, booking);
            break;
        case 1:
            allow(desk, booking);
            break;
        case 2:
        case 3:
        case 4:
            request_session(desk, booking);
            break;
        default:
            upgrade(desk);
        }
    }
    return NULL;
}

static void check_connections(struct office *office)
{
    unsigned admitted = 0, cut = 0;

    for (unsigned i = 0; i < WORKERS; i++) {
        struct desk *desk = &office->desks[i];

        take_letters(desk);
        for (unsigned booking = 0; booking < BOOKINGS; booking++) {
            char id[TOKEN_TEXT_SIZE];

            name_of(booking, id);
            CHECK(desk->connections[booking] == 0 ||
                  !bookings_is_denied(office->bookings, id, office->now_s));
        }
        admitted += desk->admitted;
        cut += desk->cut;
    }
    office->admitted += admitted;
    office->cut += cut;
}

/* Denied bookings have no code: what was handed out before is dead. */
static void check_codes(struct office *office)
{
    for (unsigned i = 0; i < WORKERS * CODES_KEPT; i++) {
        struct permission permission;
        const char *code = office->desks[i / CODES_KEPT].codes[i % CODES_KEPT];

        if (code_store_take(office->codes, bytes_of_text(code), clock_monotonic_ms(),
                            &permission) == 0) {
            CHECK(!bookings_is_denied(office->bookings, permission.booking_id, office->now_s));
        }
    }
}

static void check_disk(struct office *office, const char *path)
{
    struct bookings *read = bookings_create(BOOKINGS, office->codes);
    char error[STORE_ERROR_SIZE];

    CHECK(read != NULL);
    struct booking_store *store = booking_store_open(path, read, error);

    CHECK(store != NULL);
    for (unsigned booking = 0; booking < BOOKINGS; booking++) {
        enum booking_list list = BOOKING_LISTS, list_read = BOOKING_LISTS;
        int64_t exp_s = 0, exp_read_s = 0;
        char id[TOKEN_TEXT_SIZE];

        name_of(booking, id);
        CHECK(bookings_find(office->bookings, id, &list, &exp_s));
        CHECK(bookings_find(read, id, &list_read, &exp_read_s));
        CHECK(list == list_read);
        CHECK(exp_s == exp_read_s);
    }
    booking_store_close(store);
    bookings_destroy(read);
}

static void run_desks(struct office *office, unsigned seed)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        office->desks[i] = (struct desk){.office = office, .index = i, .random = seed + i};
        pthread_mutex_init(&office->desks[i].mutex, NULL);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        CHECK(pthread_create(&office->desks[i].thread, NULL, work, &office->desks[i]) == 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(office->desks[i].thread, NULL);
    }
}

static void run(struct office *office, const char *path, unsigned seed)
{
    char error[STORE_ERROR_SIZE];
    unsigned submitted = 0;

    office->now_s = clock_wall_s();
    office->codes = code_store_create(CODES_MAX, 60000);
    CHECK(office->codes != NULL);
    office->bookings = bookings_create(BOOKINGS, office->codes);
    CHECK(office->bookings != NULL);
    office->store = booking_store_open(path, office->bookings, error);
    CHECK(office->store != NULL);
    run_desks(office, seed);
    booking_store_close(office->store);
    for (unsigned i = 0; i < WORKERS; i++) {
        submitted += office->desks[i].jobs_submitted;
    }
    CHECK(atomic_exchange(&office->jobs_done, 0) == submitted);
    CHECK(atomic_load(&office->jobs_failed) == 0);
    check_connections(office);
    check_codes(office);
    check_disk(office, path);
    bookings_destroy(office->bookings);
    code_store_destroy(office->codes);
}

static void remove_files(const char *folder)
{
    static const char *const names[] = {"relay.db", "relay.db-wal", "relay.db-shm"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char path[96];

        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    char folder[] = "/tmp/relay-bookings-XXXXXX";
    char path[64], error[256];

    if (ring_probe(error, sizeof error) != 0) {
        printf("skipped: %s\n", error);
        return SKIPPED;
    }
    struct office *office = calloc(1, sizeof *office);

    CHECK(office != NULL);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/relay.db", folder);
    for (unsigned round = 0; round < ROUNDS; round++) {
        alarm(DEADLINE_S);
        run(office, path, seed + round * WORKERS);
    }
    remove_files(folder);
    printf("%u admitted, %u cut\n", office->admitted, office->cut);
    CHECK(office->admitted > 0 && office->cut > 0); /* or nothing was tried */
    free(office);
    return 0;
}
