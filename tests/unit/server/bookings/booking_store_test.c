/* Goal: what was reported as stored is there after a restart, a kill and a fault of the disk;
 * what could not be stored is reported as such.
 * Method: real files in a folder of each test; a child process that ends without any clean-up; a
 * second user of the database who locks it, so that writes wait or fail. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/bookings/booking_store.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { BOOKINGS_MAX = 3000, CODES_MAX = 16, DEADLINE_S = 30, LIFE_S = 3600 };

static char folder[] = "/tmp/relay-store-XXXXXX";
static char path[64];
static struct code_store *codes;
static struct bookings *bookings;
static struct booking_store *store;
static char error[STORE_ERROR_SIZE];

/* Jobs that are done. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned stored, failed;
} done = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void open_lists(uint32_t bookings_max)
{
    codes = code_store_create(CODES_MAX, 1000);
    cr_assert_not_null(codes);
    bookings = bookings_create(bookings_max, codes);
    cr_assert_not_null(bookings);
}

static void close_lists(void)
{
    bookings_destroy(bookings);
    code_store_destroy(codes);
}

static void open_store(void)
{
    open_lists(BOOKINGS_MAX);
    store = booking_store_open(path, bookings, error);
    cr_assert_not_null(store, "%s", error);
}

static void close_store(void)
{
    booking_store_close(store);
    close_lists();
}

static void setup(void)
{
    require_uring();
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/relay.db", folder);
    done.stored = done.failed = 0;
}

static void teardown(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        char file[80];

        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    rmdir(folder);
}

TestSuite(booking_store, .init = setup, .fini = teardown);

static void on_done(struct booking_job *job, int result, struct ring *ring)
{
    CHECK(ring != NULL);
    CHECK(result == 0 || result == -EIO);
    pthread_mutex_lock(&done.mutex);
    done.stored += result == 0;
    done.failed += result != 0;
    pthread_cond_signal(&done.changed);
    pthread_mutex_unlock(&done.mutex);
    free(job);
}

static void wait_for(unsigned jobs)
{
    struct timespec deadline;
    int failed = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&done.mutex);
    while (done.stored + done.failed < jobs && failed == 0) {
        failed = pthread_cond_timedwait(&done.changed, &done.mutex, &deadline);
    }
    pthread_mutex_unlock(&done.mutex);
    cr_assert_eq(failed, 0, "%u of %u jobs came back", done.stored + done.failed, jobs);
}

static struct booking_job *make_job(const char *id, int64_t exp_s)
{
    struct booking_job *job = calloc(1, sizeof *job);

    cr_assert_not_null(job);
    snprintf(job->booking_id, sizeof job->booking_id, "%s", id);
    job->exp_s = exp_s;
    job->on_done = on_done;
    return job;
}

static void submit(const char *id, int64_t exp_s)
{
    cr_assert(booking_store_submit(store, make_job(id, exp_s)));
}

static void deny(const char *id, int64_t exp_s)
{
    cr_assert_eq(bookings_deny(bookings, id, exp_s, clock_wall_s()), 0);
    submit(id, exp_s);
}

static void allow(const char *id, int64_t exp_s)
{
    bookings_allow(bookings, id, exp_s, clock_wall_s());
    submit(id, exp_s);
}

static void expect_at(const char *id, enum booking_list list, int64_t exp_s)
{
    enum booking_list found = BOOKING_LISTS;
    int64_t found_exp_s = 0;

    cr_assert(bookings_find(bookings, id, &found, &found_exp_s), "%s is not there", id);
    cr_assert_eq(found, list, "%s", id);
    cr_assert_eq(found_exp_s, exp_s);
}

static bool is_known(const char *id)
{
    enum booking_list list;
    int64_t exp_s;

    return bookings_find(bookings, id, &list, &exp_s);
}

Test(booking_store, keeps_both_lists_over_a_restart)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    deny("denied", exp_s);
    deny("odd \"'; DROP TABLE bookings; --\xc3\xa9", exp_s + 1);
    allow("allowed", exp_s + 2);
    deny("moved", exp_s);
    allow("moved", exp_s + 3);
    allow("back", exp_s);
    deny("back", exp_s + 4);
    wait_for(7);
    cr_assert_eq(done.failed, 0);
    close_store();
    open_store();
    expect_at("denied", BOOKINGS_DENIED, exp_s);
    expect_at("odd \"'; DROP TABLE bookings; --\xc3\xa9", BOOKINGS_DENIED, exp_s + 1);
    expect_at("allowed", BOOKINGS_ALLOWED, exp_s + 2);
    expect_at("moved", BOOKINGS_ALLOWED, exp_s + 3);
    expect_at("back", BOOKINGS_DENIED, exp_s + 4);
    close_store();
}

Test(booking_store, writes_what_waits_before_it_closes)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    for (unsigned i = 0; i < STORE_BATCH_MAX + 500; i++) {
        char id[16];

        snprintf(id, sizeof id, "b%u", i);
        deny(id, exp_s);
    }
    close_store();
    cr_assert_eq(done.stored, STORE_BATCH_MAX + 500);
    open_store();
    for (unsigned i = 0; i < STORE_BATCH_MAX + 500; i++) {
        char id[16];

        snprintf(id, sizeof id, "b%u", i);
        expect_at(id, BOOKINGS_DENIED, exp_s);
    }
    close_store();
}

/* A job that is written late says what holds by then, not what held when it was made. */
Test(booking_store, ends_like_the_memory_when_changes_come_in_another_order)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    bookings_allow(bookings, "x", exp_s, clock_wall_s());
    cr_assert_eq(bookings_deny(bookings, "x", exp_s + 1, clock_wall_s()), 0);
    submit("x", exp_s + 1); /* of the denial */
    wait_for(1);
    submit("x", exp_s); /* of the session that was granted before it */
    wait_for(2);
    close_store();
    open_store();
    expect_at("x", BOOKINGS_DENIED, exp_s + 1);
    close_store();
}

Test(booking_store, forgets_what_expired)
{
    int64_t now_s = clock_wall_s();
    sqlite3 *database;
    sqlite3_stmt *count;

    open_store();
    bookings_allow(bookings, "old", now_s - 5, now_s - 5);
    submit("old", now_s - 5);
    deny("new", now_s + LIFE_S);
    wait_for(2);
    close_store();
    open_store();
    cr_assert(!is_known("old"));
    expect_at("new", BOOKINGS_DENIED, now_s + LIFE_S);
    close_store();
    cr_assert_eq(sqlite3_open(path, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(database, "SELECT count(*) FROM bookings", -1, &count, NULL),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_step(count), SQLITE_ROW);
    cr_assert_eq(sqlite3_column_int(count, 0), 1, "it is gone from the disk too");
    sqlite3_finalize(count);
    sqlite3_close(database);
}

/* The child: each denial that was reported as stored goes through the pipe, then it vanishes. */
static void deny_until_the_end(int pipe_fd)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    for (unsigned i = 0; i < 200; i++) {
        char id[16];

        snprintf(id, sizeof id, "k%u", i);
        deny(id, exp_s);
        wait_for(i + 1);
        if (write(pipe_fd, &i, sizeof i) != sizeof i) {
            _exit(2);
        }
    }
    for (unsigned i = 0; i < 1000; i++) {
        deny("in the middle", exp_s + i);
    }
    _exit(0); /* no close, no clean-up, a thread in the middle of a write */
}

Test(booking_store, has_all_that_it_reported_when_the_process_is_killed)
{
    int fds[2];
    unsigned number = 0;
    unsigned reported = 0;
    int status = 0;

    cr_assert_eq(pipe(fds), 0);
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        deny_until_the_end(fds[1]);
    }
    close(fds[1]);
    while (read(fds[0], &number, sizeof number) == sizeof number) {
        cr_assert_eq(number, reported);
        reported++;
    }
    close(fds[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_assert_eq(reported, 200);
    open_store();
    for (unsigned i = 0; i < reported; i++) {
        char id[16];

        snprintf(id, sizeof id, "k%u", i);
        cr_assert(bookings_is_denied(bookings, id, clock_wall_s()), "%s", id);
    }
    close_store();
}

Test(booking_store, reports_what_it_could_not_write_and_recovers)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;
    sqlite3 *other;

    open_store();
    cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    deny("lost", exp_s);
    wait_for(1);
    cr_assert_eq(done.failed, 1, "the lock outlasts its patience");
    cr_assert(bookings_is_denied(bookings, "lost", clock_wall_s()), "in memory all the same");
    cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    deny("kept", exp_s);
    wait_for(2);
    cr_assert_eq(done.stored, 1);
    close_store();
    open_store();
    expect_at("lost", BOOKINGS_DENIED, exp_s);
    expect_at("kept", BOOKINGS_DENIED, exp_s);
    close_store();
}

/* Without being asked, the store tries again what failed, and the file ends like the memory: also
 * what was taken back, and what memory has forgotten. */
Test(booking_store, writes_what_it_could_not_when_it_can)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;
    sqlite3 *other;

    open_store();
    deny("taken back", exp_s);
    wait_for(1);
    cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "INSERT INTO bookings VALUES('of nobody', 0, 9999999999)",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    deny("lost", exp_s);
    wait_for(2);
    allow("taken back", exp_s);
    wait_for(3);
    cr_assert_eq(done.failed, 2);
    cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    close_store();
    open_store();
    expect_at("lost", BOOKINGS_DENIED, exp_s);
    expect_at("taken back", BOOKINGS_ALLOWED, exp_s);
    cr_assert(!is_known("of nobody"));
    close_store();
}

Test(booking_store, refuses_more_than_may_wait)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;
    unsigned taken = 0;
    sqlite3 *other;

    open_store();
    cr_assert_eq(bookings_deny(bookings, "x", exp_s, clock_wall_s()), 0);
    cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (;;) {
        struct booking_job *job = make_job("x", exp_s);

        if (!booking_store_submit(store, job)) {
            free(job); /* nothing was taken: it is still ours */
            break;
        }
        taken++;
        cr_assert_leq(taken, STORE_JOBS_MAX + STORE_BATCH_MAX, "no bound");
    }
    cr_assert_geq(taken, STORE_JOBS_MAX);
    cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    wait_for(taken);
    submit("x", exp_s);
    wait_for(taken + 1);
    close_store();
    cr_assert_eq(done.stored + done.failed, taken + 1);
}

Test(booking_store, does_not_start_with_more_denials_than_fit)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    for (unsigned i = 0; i < 5; i++) {
        char id[16];

        snprintf(id, sizeof id, "d%u", i);
        deny(id, exp_s);
        snprintf(id, sizeof id, "a%u", i);
        allow(id, exp_s);
    }
    close_store();
    open_lists(4);
    cr_assert_null(booking_store_open(path, bookings, error));
    cr_assert_not_null(strstr(error, "RELAY_BOOKINGS_MAX"), "%s", error);
    close_lists();
    open_lists(5);
    store = booking_store_open(path, bookings, error);
    cr_assert_not_null(store, "%s", error);
    close_store();
}

Test(booking_store, makes_its_folder)
{
    char nested[80];

    snprintf(nested, sizeof nested, "%s/sub", folder);
    snprintf(path, sizeof path, "%s/sub/relay.db", folder);
    open_store();
    deny("x", clock_wall_s() + LIFE_S);
    close_store();
    teardown();
    cr_assert_eq(rmdir(nested), 0, "nothing else is left there");
}

static void expect_refused(const char *reason)
{
    char expected[160];

    open_lists(BOOKINGS_MAX);
    cr_assert_null(booking_store_open(path, bookings, error));
    snprintf(expected, sizeof expected, "cannot use RELAY_STORE=%s: %s", path, reason);
    cr_assert_str_eq(error, expected);
    close_lists();
}

Test(booking_store, says_why_it_cannot_use_a_path)
{
    FILE *file;

    snprintf(path, sizeof path, "%s", folder);
    expect_refused("unable to open database file");
    snprintf(path, sizeof path, "%s/relay.db", folder);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    for (unsigned i = 0; i < 1000; i++) {
        fputs("this is no database", file);
    }
    cr_assert_eq(fclose(file), 0);
    expect_refused("file is not a database");
}

/* Denied, reported as failed, and in the file as soon as that can be made. */
static void expect_failing(void)
{
    unsigned before = done.failed;

    open_store();
    deny("x", clock_wall_s() + LIFE_S);
    wait_for(done.stored + before + 1);
    cr_assert_eq(done.failed, before + 1);
    cr_assert(bookings_is_denied(bookings, "x", clock_wall_s()));
}

Test(booking_store, fails_until_its_folder_can_be_made)
{
    char nested[80];

    snprintf(nested, sizeof nested, "%s/no", folder);
    snprintf(path, sizeof path, "%s/no/such/relay.db", folder);
    expect_failing();
    cr_assert_eq(mkdir(nested, 0755), 0);
    deny("y", clock_wall_s() + LIFE_S);
    wait_for(2);
    cr_assert_eq(done.stored, 1);
    close_store();
    open_store();
    cr_assert(is_known("x") && is_known("y"));
    close_store();
    teardown();
    snprintf(nested, sizeof nested, "%s/no/such", folder);
    cr_assert_eq(rmdir(nested), 0);
    snprintf(nested, sizeof nested, "%s/no", folder);
    cr_assert_eq(rmdir(nested), 0);
}

static void expect_modes(mode_t mode)
{
    static const char *const endings[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        char file[80];
        struct stat info;

        snprintf(file, sizeof file, "%s%s", path, endings[i]);
        cr_assert_eq(stat(file, &info), 0, "%s", file);
        cr_assert_eq(info.st_mode & 07777, mode, "%s: %o", file, info.st_mode);
    }
}

Test(booking_store, keeps_its_files_from_other_users_whatever_the_umask)
{
    mode_t before = umask(0);

    open_store();
    deny("denied", clock_wall_s() + LIFE_S);
    wait_for(1);
    expect_modes(0600);
    close_store();
    umask(before);
}

Test(booking_store, takes_files_of_older_versions_away_from_other_users)
{
    open_store();
    close_store();
    cr_assert_eq(chmod(path, 0664), 0);
    open_store();
    deny("denied", clock_wall_s() + LIFE_S);
    wait_for(1);
    expect_modes(0600);
    close_store();
}

/* Root may write everywhere, so another user has to try. */
static void as_somebody_else(void (*run)(void))
{
    int status = 0;

    cr_assert_eq(chmod(folder, 0555), 0);
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(1);
        }
        run();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(chmod(folder, 0755), 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
}

static void expect_old_denial(void)
{
    expect_failing();
    cr_assert(bookings_is_denied(bookings, "old", clock_wall_s()), "it was on the disk");
    close_store();
}

/* The store keeps its files private, and another user has to find what a disk that became
 * read-only would leave readable. */
static void let_others_read(void)
{
    static const char *const endings[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        char file[80];

        snprintf(file, sizeof file, "%s%s", path, endings[i]);
        if (access(file, F_OK) == 0) {
            cr_assert_eq(chmod(file, 0644), 0);
        }
    }
}

static void leave_denial(bool is_killed)
{
    pid_t child = fork();
    int status = 0;

    cr_assert_geq(child, 0);
    if (child == 0) {
        open_store();
        deny("old", clock_wall_s() + LIFE_S);
        wait_for(1);
        if (!is_killed) {
            close_store();
        }
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    let_others_read();
}

static bool has_log_of_changes(void)
{
    char file[80];
    struct stat info;

    snprintf(file, sizeof file, "%s-wal", path);
    return stat(file, &info) == 0 && info.st_size > 0;
}

Test(booking_store, reads_a_file_that_it_cannot_write)
{
    leave_denial(false);
    cr_assert(!has_log_of_changes());
    as_somebody_else(expect_old_denial);
}

Test(booking_store, reads_what_a_killed_process_left_where_it_cannot_write)
{
    leave_denial(true);
    cr_assert(has_log_of_changes());
    as_somebody_else(expect_old_denial);
}

static void expect_unreadable(void)
{
    expect_refused("unable to open database file");
}

Test(booking_store, does_not_pass_over_changes_that_it_cannot_read)
{
    char file[80];

    leave_denial(true);
    snprintf(file, sizeof file, "%s-shm", path);
    cr_assert_eq(unlink(file), 0);
    as_somebody_else(expect_unreadable);
}

Test(booking_store, does_not_pass_over_a_file_that_it_cannot_read)
{
    leave_denial(false);
    cr_assert_eq(chmod(path, 0), 0);
    as_somebody_else(expect_unreadable);
}

Test(booking_store, fails_where_nothing_can_be_made)
{
    as_somebody_else(expect_failing);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void fill_and_free_the_disk(void)
{
    signal(SIGXFSZ, SIG_IGN);
    limit_files(0);
    expect_failing();
    cr_assert(bookings_is_denied(bookings, "old", clock_wall_s()), "it was on the disk");
    limit_files(RLIM_INFINITY);
    close_store();
    open_store();
    cr_assert(bookings_is_denied(bookings, "old", clock_wall_s()));
    cr_assert(bookings_is_denied(bookings, "x", clock_wall_s()), "written at the end");
    close_store();
}

Test(booking_store, starts_on_a_full_disk)
{
    pid_t child;
    int status = 0;

    leave_denial(false);
    child = fork(); /* Criterion's own files are under the limit too */
    cr_assert_geq(child, 0);
    if (child == 0) {
        fill_and_free_the_disk();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
}

Test(booking_store, of_nobody_is_closed_without_harm)
{
    booking_store_close(NULL);
}

/* Another program, which finds the file unlocked. */
static void write_elsewhere(const char *id, int64_t exp_s)
{
    struct bookings *own = bookings, *others = bookings_create(BOOKINGS_MAX, codes);
    struct booking_store *other = booking_store_open(path, others, error);

    cr_assert_not_null(other, "%s", error);
    bookings = others;
    cr_assert_eq(bookings_deny(others, id, exp_s, clock_wall_s()), 0);
    cr_assert(booking_store_submit(other, make_job(id, exp_s)));
    booking_store_close(other);
    bookings = own;
    bookings_destroy(others);
}

Test(booking_store, paused_one_leaves_the_file_to_another_program_and_goes_on)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    deny("before", exp_s);
    cr_assert(booking_store_pause(store));
    wait_for(1);
    deny("meanwhile", exp_s);
    write_elsewhere("other", exp_s);
    cr_assert_eq(done.stored, 2, "the one that was submitted while it was paused waits");
    booking_store_resume(store);
    wait_for(3);
    cr_assert_eq(done.stored, 3);
    close_store();
    open_store();
    expect_at("before", BOOKINGS_DENIED, exp_s);
    expect_at("meanwhile", BOOKINGS_DENIED, exp_s);
    expect_at("other", BOOKINGS_DENIED, exp_s);
    close_store();
}

Test(booking_store, paused_one_writes_nothing_at_its_end)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    deny("before", exp_s);
    cr_assert(booking_store_pause(store));
    deny("after", exp_s);
    close_store();
    cr_assert_eq(done.stored, 1);
    cr_assert_eq(done.failed, 1);
    open_store();
    expect_at("before", BOOKINGS_DENIED, exp_s);
    cr_assert_not(is_known("after"));
    close_store();
}

Test(booking_store, all_of_memory_is_written_when_it_comes_from_elsewhere)
{
    int64_t exp_s = clock_wall_s() + LIFE_S;

    open_store();
    cr_assert_eq(bookings_deny(bookings, "from elsewhere", exp_s, clock_wall_s()), 0);
    booking_store_write_all(store);
    close_store();
    open_store();
    expect_at("from elsewhere", BOOKINGS_DENIED, exp_s);
    close_store();
}
