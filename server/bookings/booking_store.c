#include "server/bookings/booking_store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

enum { PATH_SIZE = 4096 };

struct booking_store {
    struct bookings *bookings;
    char path[PATH_SIZE];
    char reason[STORE_ERROR_SIZE]; /* why the file cannot be used */
    int code;                      /* of SQLite, the same */
    sqlite3 *database;             /* of the thread, once it runs; NULL: to be opened again */
    sqlite3_stmt *put;
    sqlite3_stmt *tidy;
    bool is_loaded; /* what the file held is in memory */
    bool failing;   /* the last write failed: said once, until one succeeds */
    pthread_t thread;
    _Atomic bool is_behind; /* memory holds what the file does not */
    pthread_mutex_t mutex;  /* over what follows */
    pthread_cond_t changed;
    struct booking_job *first, **last;
    uint32_t waiting;
    bool closing;
    bool writes_all;        /* once, soon */
    bool pausing;           /* the file is to be closed, and stay so */
    _Atomic bool is_paused; /* it is; set by the thread, cleared by resume */
};

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000;"
    "CREATE TABLE IF NOT EXISTS bookings ("
    "  id TEXT PRIMARY KEY NOT NULL, list INTEGER NOT NULL, exp INTEGER NOT NULL) WITHOUT ROWID;";

static void make_folder(const char *path)
{
    char copy[PATH_SIZE];

    snprintf(copy, sizeof copy, "%s", path);
    mkdir(dirname(copy), 0750); /* what matters is said when the file cannot be opened */
}

/* Other users may neither read nor write which bookings are denied. SQLite makes the files beside
 * it with the mode of this one; what was made wider before loses what others have. */
static void make_private(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        char name[PATH_SIZE + 8];
        struct stat info;

        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        if (stat(name, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0077) != 0) {
            chmod(name, info.st_mode & 0700);
        }
    }
}

static void close_database(struct booking_store *store)
{
    sqlite3_finalize(store->put);
    sqlite3_finalize(store->tidy);
    sqlite3_close(store->database);
    store->put = store->tidy = NULL;
    store->database = NULL;
}

/* Keeps the reason; the database is closed. */
static bool fail(struct booking_store *store)
{
    store->code = store->database == NULL ? SQLITE_NOMEM : sqlite3_errcode(store->database);
    snprintf(store->reason, sizeof store->reason, "%s",
             store->database == NULL ? "out of memory" : sqlite3_errmsg(store->database));
    close_database(store);
    return false;
}

static bool prepare(struct booking_store *store)
{
    return sqlite3_prepare_v2(store->database,
                              "INSERT INTO bookings(id, list, exp) VALUES(?1, ?2, ?3) "
                              "ON CONFLICT(id) DO UPDATE SET list = ?2, exp = ?3",
                              -1, &store->put, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(store->database, "DELETE FROM bookings WHERE exp < ?1", -1,
                              &store->tidy, NULL) == SQLITE_OK;
}

static bool open_writable(struct booking_store *store)
{
    make_folder(store->path);
    make_private(store->path);
    if (sqlite3_open_v2(store->path, &store->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(store->database, schema, NULL, NULL, NULL) != SQLITE_OK || !prepare(store)) {
        return fail(store);
    }
    if (sqlite3_db_readonly(store->database, "main") == 1) {
        snprintf(store->reason, sizeof store->reason, "the file is read-only");
        store->code = SQLITE_READONLY;
        close_database(store);
        return false;
    }
    return true;
}

static void write_uri(const char *path, char *uri, size_t size)
{
    size_t used = (size_t)snprintf(uri, size, "file:");

    for (; *path != '\0' && used + 32 < size; path++) {
        bool is_special = strchr("%?#", *path) != NULL;

        used += (size_t)(is_special ? snprintf(uri + used, size - used, "%%%02x", *path)
                                    : snprintf(uri + used, size - used, "%c", *path));
    }
    snprintf(uri + used, size - used, "?immutable=1");
}

static bool has_changes_aside(const char *path)
{
    char log_path[PATH_SIZE + 8];
    struct stat info;

    snprintf(log_path, sizeof log_path, "%s-wal", path);
    return stat(log_path, &info) == 0 && info.st_size > 0;
}

/* A file in a folder where nothing can be made. immutable: as it is, without the log of changes,
 * which must not be passed over. */
static bool open_readable(struct booking_store *store, bool immutable)
{
    char uri[PATH_SIZE * 3 + 32];

    if (immutable) {
        write_uri(store->path, uri, sizeof uri);
    } else {
        snprintf(uri, sizeof uri, "%s", store->path);
    }
    if (sqlite3_open_v2(uri, &store->database,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
                            (immutable ? SQLITE_OPEN_URI : 0),
                        NULL) != SQLITE_OK ||
        sqlite3_exec(store->database, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) !=
            SQLITE_OK) {
        return fail(store);
    }
    return true;
}

static bool is_damaged(const struct booking_store *store)
{
    return store->code == SQLITE_CORRUPT || store->code == SQLITE_NOTADB;
}

/* A change in memory since then is newer than the file. */
static int load_row(struct bookings *bookings, sqlite3_stmt *rows, int64_t now_s)
{
    const char *id = (const char *)sqlite3_column_text(rows, 0);
    int64_t exp_s = sqlite3_column_int64(rows, 2);
    enum booking_list list;
    int64_t known_exp_s;

    if (id == NULL || strlen(id) >= TOKEN_TEXT_SIZE ||
        bookings_find(bookings, id, &list, &known_exp_s)) {
        return 0; /* not written by us, or known */
    }
    if (sqlite3_column_int(rows, 1) == BOOKINGS_DENIED) {
        return bookings_deny(bookings, id, exp_s, now_s);
    }
    bookings_allow(bookings, id, exp_s, now_s);
    return 0;
}

static bool has_table(struct booking_store *store)
{
    return sqlite3_table_column_metadata(store->database, NULL, "bookings", NULL, NULL, NULL, NULL,
                                         NULL, NULL) == SQLITE_OK;
}

/* A denial that does not fit into memory would be forgotten in silence: that is a failure. */
static bool load(struct booking_store *store)
{
    int64_t now_s = clock_wall_s();
    sqlite3_stmt *rows;
    int step;

    if (!has_table(store)) {
        return true; /* a disk that was full when the file was made */
    }
    if (sqlite3_prepare_v2(store->database, "SELECT id, list, exp FROM bookings WHERE exp >= ?1",
                           -1, &rows, NULL) != SQLITE_OK) {
        return fail(store);
    }
    sqlite3_bind_int64(rows, 1, now_s);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        if (load_row(store->bookings, rows, now_s) != 0) {
            sqlite3_finalize(rows);
            snprintf(store->reason, sizeof store->reason,
                     "it holds more denied bookings than RELAY_BOOKINGS_MAX");
            close_database(store);
            return false;
        }
    }
    sqlite3_finalize(rows);
    store->is_loaded = step == SQLITE_DONE;
    return store->is_loaded || fail(store);
}

/* False: what is denied there would be let in, so the relay must not start. */
static bool load_unwritable(struct booking_store *store)
{
    struct stat info;

    if (is_damaged(store)) {
        return false;
    }
    if (stat(store->path, &info) != 0) {
        bool is_absent = errno == ENOENT || errno == ENOTDIR;

        if (!is_absent) {
            snprintf(store->reason, sizeof store->reason, "%s", strerror(errno));
        }
        return is_absent;
    }
    if (!S_ISREG(info.st_mode)) {
        return false;
    }
    bool is_read = open_readable(store, false) ||
                   (!has_changes_aside(store->path) && open_readable(store, true));

    is_read = is_read && load(store);
    close_database(store);
    return is_read;
}

static void say_that_it_fails(struct booking_store *store)
{
    if (!store->failing) {
        log_error("bookings cannot be stored: denials hold in memory only, a restart would forget "
                  "them",
                  LOG_TEXT("file", store->path), LOG_TEXT("error", store->reason));
    }
    store->failing = true;
    atomic_store(&store->is_behind, true);
}

/* False with the reason: the file is there and what it holds cannot be known. */
static bool open_and_load(struct booking_store *store)
{
    if (open_writable(store)) {
        return load(store);
    }
    char reason[STORE_ERROR_SIZE];

    snprintf(reason, sizeof reason, "%s", store->reason);
    if (!load_unwritable(store)) {
        return false;
    }
    snprintf(store->reason, sizeof store->reason, "%s", reason);
    say_that_it_fails(store);
    return true;
}

static bool run(sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;

    sqlite3_reset(statement);
    return done;
}

/* Writes the state in memory, not that of the job: two workers may submit their changes of one
 * booking in a different order from the one in which they made them, and the disk must end like the
 * memory. A change after this look is submitted as a job of its own. */
static bool write_booking(struct booking_store *store, const char *booking_id, int64_t exp_s)
{
    enum booking_list list;

    if (!bookings_find(store->bookings, booking_id, &list, &exp_s)) {
        list = BOOKINGS_ALLOWED; /* forgotten: expired, or it found no place among the allowed */
    }
    sqlite3_bind_text(store->put, 1, booking_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(store->put, 2, list);
    sqlite3_bind_int64(store->put, 3, exp_s);
    return run(store->put);
}

static void note_id(const char *booking_id, int64_t exp_s, void *context)
{
    fwrite(booking_id, 1, strlen(booking_id) + 1, context);
}

/* The ids of both lists, each with its terminator: no request may wait for the disk while they are
 * gone through. NULL when memory is out. */
static char *list_ids(struct bookings *bookings, size_t *ret_len)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, ret_len);

    if (stream == NULL) {
        return NULL;
    }
    for (unsigned list = 0; list < BOOKING_LISTS; list++) {
        bookings_for_each(bookings, (enum booking_list)list, clock_wall_s(), note_id, stream);
    }
    if (ferror(stream) + fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* After a failure: whatever was answered 503 meanwhile holds in memory, and the disk must end like
 * it. */
static bool write_everything(struct booking_store *store)
{
    size_t len = 0;
    char *ids = list_ids(store->bookings, &len);
    bool written = ids != NULL && sqlite3_exec(store->database, "DELETE FROM bookings", NULL, NULL,
                                               NULL) == SQLITE_OK;

    for (size_t at = 0; written && at < len; at += strlen(ids + at) + 1) {
        written = write_booking(store, ids + at, 0);
    }
    free(ids);
    return written;
}

static bool write_jobs(struct booking_store *store, const struct booking_job *job)
{
    bool written = true;

    for (; written && job != NULL; job = job->next) {
        written = write_booking(store, job->booking_id, job->exp_s);
    }
    sqlite3_bind_int64(store->tidy, 1, clock_wall_s());
    return written && run(store->tidy);
}

static bool write_transaction(struct booking_store *store, const struct booking_job *job)
{
    if (store->database == NULL && !open_writable(store)) {
        return false;
    }
    if (!store->is_loaded && !load(store)) {
        return false;
    }
    bool is_behind = atomic_exchange(&store->is_behind, false);

    return (sqlite3_exec(store->database, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
            (!is_behind || write_everything(store)) && write_jobs(store, job) &&
            sqlite3_exec(store->database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) ||
           fail(store); /* which takes it back, and the next try begins with the file anew */
}

static bool write_batch(struct booking_store *store, const struct booking_job *job)
{
    bool written = write_transaction(store, job);

    if (!written) {
        say_that_it_fails(store);
    } else if (store->failing) {
        log_warn("bookings can be stored again, and what could not be is");
        store->failing = false;
    }
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

static struct timespec seconds_from_now(time_t seconds)
{
    struct timespec due;

    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_sec += seconds;
    return due;
}

/* Nothing waits, and the mutex is held: no worker may wait for it while the disk works. */
static void pause_here(struct booking_store *store)
{
    pthread_mutex_unlock(&store->mutex);
    close_database(store);
    pthread_mutex_lock(&store->mutex);
    if (store->pausing) {
        atomic_store(&store->is_paused, true);
    }
    pthread_cond_broadcast(&store->changed);
}

/* False when the store is closed and nothing waits. *ret_batch is NULL when it is time to try what
 * failed again. */
static bool wait_for_batch(struct booking_store *store, struct booking_job **ret_batch)
{
    struct timespec due = seconds_from_now(STORE_RETRY_S);
    int timed_out = 0;

    pthread_mutex_lock(&store->mutex);
    while ((store->first == NULL || atomic_load(&store->is_paused)) && !store->closing &&
           !store->writes_all && timed_out == 0) {
        if (store->pausing && !atomic_load(&store->is_paused)) {
            pause_here(store);
        } else if (atomic_load(&store->is_behind) && !store->pausing) {
            timed_out = pthread_cond_timedwait(&store->changed, &store->mutex, &due);
        } else {
            pthread_cond_wait(&store->changed, &store->mutex);
            due = seconds_from_now(STORE_RETRY_S);
        }
    }
    bool is_over = store->first == NULL && store->closing;

    if (store->writes_all) {
        store->writes_all = false;
        atomic_store(&store->is_behind, true);
    }
    *ret_batch = take_batch(store);
    pthread_mutex_unlock(&store->mutex);
    return !is_over;
}

static void *thread_main(void *argument)
{
    struct booking_store *store = argument;
    struct booking_job *batch;
    struct ring ring;

    pthread_setname_np(pthread_self(), "store");
    int failed = ring_open(&ring, 64, 128);

    CHECK(failed == 0); /* the main thread made larger ones a moment ago */
    while (wait_for_batch(store, &batch)) {
        bool is_written = !atomic_load(&store->is_paused) && write_batch(store, batch);

        finish_batch(batch, is_written ? 0 : -EIO, &ring);
    }
    if (atomic_load(&store->is_behind) && !atomic_load(&store->is_paused)) {
        /* The last chance, without waiting for the process that locks the file: a stop has its
         * time. */
        if (store->database != NULL) {
            sqlite3_busy_timeout(store->database, 0);
        }
        write_batch(store, NULL);
    }
    ring_close(&ring);
    return NULL;
}

static bool start_thread(struct booking_store *store, char *error)
{
    int failed = thread_start(&store->thread, thread_main, store);

    if (failed != 0) {
        snprintf(error, STORE_ERROR_SIZE, "cannot start the thread of the store: %s",
                 strerror(-failed));
    }
    return failed == 0;
}

static void destroy(struct booking_store *store)
{
    close_database(store);
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
    snprintf(store->path, sizeof store->path, "%s", path);
    pthread_mutex_init(&store->mutex, NULL);
    thread_condition_init(&store->changed);
    if (!open_and_load(store)) {
        snprintf(error, STORE_ERROR_SIZE, "cannot use RELAY_STORE=%.300s: %.150s", path,
                 store->reason);
        destroy(store);
        return NULL;
    }
    if (!start_thread(store, error)) {
        destroy(store);
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
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
    destroy(store);
}

bool booking_store_pause(struct booking_store *store)
{
    struct timespec due = seconds_from_now(STORE_PAUSE_S);
    int timed_out = 0;

    pthread_mutex_lock(&store->mutex);
    store->pausing = true;
    pthread_cond_broadcast(&store->changed);
    while (!atomic_load(&store->is_paused) && timed_out == 0) {
        timed_out = pthread_cond_timedwait(&store->changed, &store->mutex, &due);
    }
    bool is_paused = atomic_load(&store->is_paused);

    store->pausing = is_paused;
    pthread_mutex_unlock(&store->mutex);
    return is_paused;
}

void booking_store_resume(struct booking_store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->pausing = false;
    atomic_store(&store->is_paused, false);
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->mutex);
}

void booking_store_write_all(struct booking_store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->writes_all = true;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->mutex);
}

bool booking_store_is_behind(const struct booking_store *store)
{
    return atomic_load(&store->is_behind);
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
        pthread_cond_broadcast(&store->changed);
    } else {
        atomic_store(&store->is_behind, true); /* it is in memory, and will be written with all */
    }
    pthread_mutex_unlock(&store->mutex);
    return taken;
}
