/* Goal: the output of the client tools is whole or not at all, even on a full disk, to a reader
 * that stalls, or while the file is exchanged. Method: real files and pipes. */
#include "cli/client_output.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/relay-client-output-test-XXXXXX";
static char path[64], old_path[64];
static struct client_output output;

static void start(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(old_path, sizeof old_path, "%s/file.1", folder);
}

static void stop(void)
{
    unlink(path);
    unlink(old_path);
    rmdir(folder);
}

TestSuite(client_output, .init = start, .fini = stop);

static void expect_content(const char *file_path, const char *expected)
{
    char text[256];
    FILE *file = fopen(file_path, "r");

    cr_assert_not_null(file, "%s", file_path);
    size_t len = fread(text, 1, sizeof text - 1, file);

    fclose(file);
    text[len] = '\0';
    cr_expect_str_eq(text, expected);
}

static void output_say(const char *text)
{
    cr_expect_eq(client_output_write(&output, text, strlen(text)), 0);
}

Test(client_output, appends_to_a_file)
{
    cr_assert_eq(client_output_open(&output, path), 0);
    output_say("one\n");
    client_output_close(&output);
    cr_assert_eq(client_output_open(&output, path), 0);
    output_say("two\n");
    client_output_close(&output);
    expect_content(path, "one\ntwo\n");
}

Test(client_output, says_why_a_file_cannot_be_opened)
{
    cr_expect_eq(client_output_open(&output, "/nowhere/file"), -ENOENT);
    cr_expect_eq(client_output_open(&output, folder), -EISDIR);
}

Test(client_output, writes_to_standard_output_without_a_file)
{
    static const char *const names[] = {NULL, "", "-"};

    cr_redirect_stdout();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        cr_assert_eq(client_output_open(&output, names[i]), 0);
        output_say("said\n");
        cr_expect_eq(client_output_reopen(&output), 0, "there is nothing to reopen");
        client_output_close(&output);
    }
    cr_expect_stdout_eq_str("said\nsaid\nsaid\n");
}

Test(client_output, continues_in_a_new_file_when_told)
{
    cr_assert_eq(client_output_open(&output, path), 0);
    output_say("one\n");
    cr_assert_eq(rename(path, old_path), 0);
    output_say("two\n");
    cr_expect_eq(client_output_reopen(&output), 0);
    output_say("three\n");
    client_output_close(&output);
    expect_content(old_path, "one\ntwo\n");
    expect_content(path, "three\n");
}

Test(client_output, stays_in_the_old_file_when_the_new_one_cannot_be_made)
{
    cr_assert_eq(client_output_open(&output, path), 0);
    cr_assert_eq(rename(path, old_path), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(client_output_reopen(&output), -EISDIR);
    output_say("one\n");
    client_output_close(&output);
    expect_content(old_path, "one\n");
    rmdir(path);
}

Test(client_output, reopens_at_the_end_of_a_write_that_is_going_on)
{
    cr_assert_eq(client_output_open(&output, path), 0);
    pthread_mutex_lock(&output.mutex); /* as a write holds it */
    cr_assert_eq(rename(path, old_path), 0);
    cr_expect_eq(client_output_reopen(&output), 0);
    pthread_mutex_unlock(&output.mutex);
    output_say("one\n");
    client_output_close(&output);
    expect_content(old_path, "");
    expect_content(path, "one\n");
}

Test(client_output, leaves_no_torn_message_on_a_full_disk)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(client_output_open(&output, path), 0);
    output_say("one\n");
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit before = limit;

    limit.rlim_cur = 8;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(client_output_write(&output, "longer\n", 7), -EFBIG);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    output_say("two\n");
    client_output_close(&output);
    expect_content(path, "one\ntwo\n");
}

Test(client_output, ends_a_write_to_a_stalled_reader_when_cancelled)
{
    static char much[4 * 65536];
    int fds[2], out = dup(STDOUT_FILENO);

    cr_assert_eq(pipe(fds), 0);
    cr_assert_geq(dup2(fds[1], STDOUT_FILENO), 0);
    int failed = client_output_open(&output, NULL);

    cr_assert_geq(dup2(out, STDOUT_FILENO), 0);
    cr_assert_eq(failed, 0);
    client_output_cancel(&output);
    cr_expect_eq(client_output_write(&output, much, sizeof much), -ECANCELED);
    client_output_close(&output);
    close(fds[0]);
    close(fds[1]);
}

static void *cancel_later(void *context)
{
    const int *fd = context;
    char byte;

    /* The writer has begun, and this byte is all that is ever read. */
    cr_expect_eq(read(*fd, &byte, 1), 1);
    client_output_cancel(&output);
    return NULL;
}

Test(client_output, ends_a_write_that_is_waiting_when_cancelled)
{
    static char much[4 * 1024 * 1024];
    int fds[2], out = dup(STDOUT_FILENO);
    pthread_t thread;

    cr_assert_eq(pipe(fds), 0);
    cr_assert_geq(dup2(fds[1], STDOUT_FILENO), 0);
    int failed = client_output_open(&output, NULL);

    cr_assert_geq(dup2(out, STDOUT_FILENO), 0);
    cr_assert_eq(failed, 0);
    cr_assert_eq(pthread_create(&thread, NULL, cancel_later, &fds[0]), 0);
    cr_expect_eq(client_output_write(&output, much, sizeof much), -ECANCELED);
    pthread_join(thread, NULL);
    client_output_close(&output);
    close(fds[0]);
    close(fds[1]);
}
