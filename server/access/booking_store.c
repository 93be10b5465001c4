#include "server/access/booking_store.h"

#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

struct booking_store {
    struct bookings *bookings;
    sqlite3 *database; /* of the thread, once it runs */
    sqlite3_stmt *put;
    sqlite3_stmt *tidy;
    pthread_t thread;
    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t changed;
    struct booking_job *first, **last;
    uint32_t waiting;
    bool closing;
    bool failing; /* the last write failed: said once, until one succeeds */
};

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000;"
    "CREATE TABLE IF NOT EXISTS bookings ("
    "  id TEXT PRIMARY KEY NOT NULL, list INTEGER NOT NULL, exp INTEGER NOT NULL) WITHOUT ROWID;";

static void make_folder(const char *path)
{
    char copy[4096];

    snprintf(copy, sizeof copy, "%s", path);
    mkdir(dirname(copy), 0750); /* what matters is said when the file cannot be opened */
}

static bool fail(struct booking_store *store, const char *path, char *error)
{
    snprintf(error, STORE_ERROR_SIZE, "cannot use RELAY_STORE=%.300s: %s", path,
             store->database == NULL ? "out of memory" : sqlite3_errmsg(store->database));
    return false;
}

static bool open_database(struct booking_store *store, const char *path, char *error)
{
    make_folder(path);
    if (sqlite3_open_v2(path, &store->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(store->database, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store->database,
                           "INSERT INTO bookings(id, list, exp) VALUES(?1, ?2, ?3) "
                           "ON CONFLICT(id) DO UPDATE SET list = ?2, exp = ?3",
                           -1, &store->put, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store->database, "DELETE FROM bookings WHERE exp < ?1", -1, &store->tidy,
                           NULL) != SQLITE_OK) {
        return fail(store, path, error);
    }
    return true;
}

static int load_row(struct bookings *bookings, sqlite3_stmt *rows, int64_t now_s)
{
    const char *id = (const char *)sqlite3_column_text(rows, 0);
    int64_t exp_s = sqlite3_column_int64(rows, 2);

    if (id == NULL || strlen(id) >= TOKEN_TEXT_SIZE) {
        return 0; /* not written by us */
    }
    if (sqlite3_column_int(rows, 1) == BOOKINGS_DENIED) {
        return bookings_deny(bookings, id, exp_s, now_s);
    }
    bookings_allow(bookings, id, exp_s, now_s);
    return 0;
}

/* A denial that does not fit into memory would be forgotten in silence: that is a failure to start.
 */
static bool load(struct booking_store *store, const char *path, struct bookings *bookings,
                 char *error)
{
    int64_t now_s = clock_wall_s();
    sqlite3_stmt *rows;
    int step;

    if (sqlite3_prepare_v2(store->database, "SELECT id, list, exp FROM bookings WHERE exp >= ?1",
                           -1, &rows, NULL) != SQLITE_OK) {
        return fail(store, path, error);
    }
    sqlite3_bind_int64(rows, 1, now_s);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        if (load_row(bookings, rows, now_s) != 0) {
            sqlite3_finalize(rows);
            snprintf(error, STORE_ERROR_SIZE,
                     "%.300s holds more denied bookings than RELAY_BOOKINGS_MAX", path);
            return false;
        }
    }
    sqlite3_finalize(rows);
    return step == SQLITE_DONE || fail(store, path, error);
}

static bool run(sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;

    sqlite3_reset(statement);
    return done;
}

/* What memory says now, not what the job says: two workers may submit their changes of one booking
 * in the other order than they made them, and the disk must end like the memory. Who changes the
 * booking after this look submits a job after it. */
static bool write_job(struct booking_store *store, const struct booking_job *job)
{
    enum booking_list list;
    int64_t exp_s = job->exp_s;

    if (!bookings_find(store->bookings, job->booking_id, &list, &exp_s)) {
        list = BOOKINGS_ALLOWED; /* forgotten: expired, or it found no place among the allowed */
    }
    sqlite3_bind_text(store->put, 1, job->booking_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(store->put, 2, list);
    sqlite3_bind_int64(store->put, 3, exp_s);
    return run(store->put);
}

static bool write_batch(struct booking_store *store, const struct booking_job *job)
{
    bool written = sqlite3_exec(store->database, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;

    for (; written && job != NULL; job = job->next) {
        written = write_job(store, job);
    }
    if (written) {
        sqlite3_bind_int64(store->tidy, 1, clock_wall_s());
        written = run(store->tidy) &&
                  sqlite3_exec(store->database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    }
    if (!written) {
        const char *reason = sqlite3_errmsg(store->database);

        if (!store->failing) {
            log_error(
                "bookings cannot be stored: denials hold in memory only, a restart would forget "
                "them",
                LOG_TEXT("error", reason));
        }
        sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    } else if (store->failing) {
        log_warn("bookings can be stored again");
    }
    store->failing = !written;
    return written;
}

static struct booking_job *take_batch(struct booking_store *store)
{
    struct booking_job *batch = store->first;
    struct booking_job **end = &store->first;
    unsigned count = 0;

    while (*end != NULL && count < STORE_BATCH_MAX) {
        end = &(*end)->next;
        count++;
    }
    store->first = *end;
    *end = NULL;
    if (store->first == NULL) {
        store->last = &store->first;
    }
    store->waiting -= count;
    return count == 0 ? NULL : batch;
}

static void finish_batch(struct booking_job *job, int result, struct ring *ring)
{
    while (job != NULL) {
        struct booking_job *next = job->next; /* on_done may free the job */

        job->on_done(job, result, ring);
        job = next;
    }
}

/* What waits, or NULL when the store is closed and nothing does. */
static struct booking_job *wait_for_batch(struct booking_store *store)
{
    pthread_mutex_lock(&store->mutex);
    while (store->first == NULL && !store->closing) {
        pthread_cond_wait(&store->changed, &store->mutex);
    }
    struct booking_job *batch = take_batch(store);

    pthread_mutex_unlock(&store->mutex);
    return batch;
}

static void *thread_main(void *argument)
{
    struct booking_store *store = argument;
    struct booking_job *batch;
    struct ring ring;

    pthread_setname_np(pthread_self(), "store");
    int failed = ring_open(&ring, 64, 128);

    CHECK(failed == 0); /* the main thread made larger ones a moment ago */
    while ((batch = wait_for_batch(store)) != NULL) {
        finish_batch(batch, write_batch(store, batch) ? 0 : -EIO, &ring);
    }
    ring_close(&ring);
    return NULL;
}

static bool start_thread(struct booking_store *store, char *error)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&store->thread, NULL, thread_main, store);

    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        snprintf(error, STORE_ERROR_SIZE, "cannot start the thread of the store: %s",
                 strerror(failed));
    }
    return failed == 0;
}

static void close_database(struct booking_store *store)
{
    sqlite3_finalize(store->put);
    sqlite3_finalize(store->tidy);
    sqlite3_close(store->database);
    pthread_mutex_destroy(&store->mutex);
    pthread_cond_destroy(&store->changed);
    free(store);
}

struct booking_store *booking_store_open(const char *path, struct bookings *bookings,
                                         char error[static STORE_ERROR_SIZE])
{
    struct booking_store *store = calloc(1, sizeof *store);

    if (store == NULL) {
        snprintf(error, STORE_ERROR_SIZE, "out of memory");
        return NULL;
    }
    store->bookings = bookings;
    store->last = &store->first;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->changed, NULL);
    if (!open_database(store, path, error) || !load(store, path, bookings, error) ||
        !start_thread(store, error)) {
        close_database(store);
        return NULL;
    }
    return store;
}

void booking_store_close(struct booking_store *store)
{
    if (store == NULL) {
        return;
    }
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    pthread_cond_signal(&store->changed);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
    close_database(store);
}

bool booking_store_submit(struct booking_store *store, struct booking_job *job)
{
    pthread_mutex_lock(&store->mutex);
    bool taken = store->waiting < STORE_JOBS_MAX;

    if (taken) {
        job->next = NULL;
        *store->last = job;
        store->last = &job->next;
        store->waiting++;
        pthread_cond_signal(&store->changed);
    }
    pthread_mutex_unlock(&store->mutex);
    return taken;
}
