/* Goal: one whole line per event whatever the fields hold, at the level that was asked for, in the
 * file that has the name now; and a limit on lines that outsiders can cause.
 * Method: a temporary folder; exact lines, less the time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { CONTENT_BYTES_MAX = 1 << 20 };

struct fixture {
    char folder[64];
    char path[128];
    char content[CONTENT_BYTES_MAX];
};

static struct fixture fixture;

static void set_up(void)
{
    snprintf(fixture.folder, sizeof fixture.folder, "/tmp/relay-log-test-XXXXXX");
    cr_assert_not_null(mkdtemp(fixture.folder));
    snprintf(fixture.path, sizeof fixture.path, "%s/relay.log", fixture.folder);
}

static void tear_down(void)
{
    log_close();
    unlink(fixture.path);
    rmdir(fixture.folder);
}

static const char *read_log(const char *path)
{
    FILE *file = fopen(path, "r");

    cr_assert_not_null(file, "%s", path);
    size_t len = fread(fixture.content, 1, sizeof fixture.content - 1, file);

    fixture.content[len] = '\0';
    fclose(file);
    return fixture.content;
}

/* line: with "@" in place of the time, which is checked for its form only. */
static void expect_line(const char *actual, const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    const char *time = strchr(line, '@');
    size_t before = (size_t)(time - line);

    cr_assert_eq(strncmp(actual, line, before), 0, "%s is not %s", actual, line);
    cr_assert_geq(strlen(actual), before + sizeof form - 1);
    for (size_t i = 0; form[i] != '\0'; i++) {
        char c = actual[before + i];

        cr_assert(form[i] == 'd' ? c >= '0' && c <= '9' : c == form[i], "%s", actual);
    }
    cr_assert_str_eq(actual + before + sizeof form - 1, time + 1);
}

TestSuite(log, .init = set_up, .fini = tear_down);

Test(log, writes_one_json_line_with_escaped_fields)
{
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
    log_info("new \"connection\"", LOG_TEXT("topic", "a\"b\n\x01\xff\xc3\xbc"), LOG_INT("n", -7),
             LOG_BOOL("can_read", true), LOG_JSON("scopes", "[\"read\"]"), LOG_TEXT("none", NULL));
    expect_line(read_log(fixture.path),
                "{\"topic\":\"a\\\"b\\n\\u0001\xef\xbf\xbd\xc3\xbc\",\"n\":-7,\"can_read\":true,"
                "\"scopes\":[\"read\"],\"none\":\"\",\"level\":\"info\","
                "\"msg\":\"new \\\"connection\\\"\",\"time\":\"@\"}\n");
}

Test(log, writes_one_text_line_with_escaped_fields)
{
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    log_warn("slow", LOG_TEXT("topic", "a\nb"), LOG_INT("n", 3));
    expect_line(read_log(fixture.path), "@ warning slow topic=\"a\\nb\" n=3\n");
}

/* A User-Agent may hold them (RFC 9110 §5.5 allows obs-text), and a terminal obeys them (ECMA-48).
 */
Test(log, lets_nothing_through_that_steers_a_terminal)
{
    static const char agent[] = "a\x7f\xc2\x9b"
                                "2J\xc2\x9d\xe2\x80\xae";

    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
    log_info("m\x7f", LOG_TEXT("agent", agent), LOG_JSON("scopes", "[\"\x7f\xc2\x85\"]"));
    expect_line(read_log(fixture.path),
                "{\"agent\":\"a\\u007f\\u009b2J\\u009d\\u202e\",\"scopes\":[\"\\u007f\\u0085\"],"
                "\"level\":\"info\",\"msg\":\"m\\u007f\",\"time\":\"@\"}\n");
    log_close();
    unlink(fixture.path);
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    log_info("m\n\x1b", LOG_TEXT("agent", agent), LOG_JSON("scopes", "[\"\x7f\xc2\x85\"]"));
    expect_line(read_log(fixture.path),
                "@ info m\\n\\u001b agent=\"a\\u007f\\u009b2J\\u009d\\u202e\" "
                "scopes=[\"\\u007f\\u0085\"]\n");
}

Test(log, appends_to_what_is_there)
{
    FILE *file = fopen(fixture.path, "w");

    fputs("before\n", file);
    fclose(file);
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    log_error("after", LOG_INT("n", 1));
    cr_assert_eq(strncmp(read_log(fixture.path), "before\n", 7), 0);
    expect_line(fixture.content + 7, "@ error after n=1\n");
}

Test(log, leaves_out_what_is_below_the_level)
{
    for (int level = LOG_LEVEL_PANIC; level < LOG_LEVEL_COUNT; level++) {
        cr_assert_eq(log_open(fixture.path, (enum log_level)level, LOG_FORMAT_TEXT), 0);
        for (int line = LOG_LEVEL_PANIC; line < LOG_LEVEL_COUNT; line++) {
            cr_assert_eq(log_enabled((enum log_level)line), line <= level);
        }
        log_close();
    }
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_WARN, LOG_FORMAT_TEXT), 0);
    log_info("not written", LOG_INT("n", 1));
    log_debug("not written", LOG_INT("n", 1));
    cr_assert_str_eq(read_log(fixture.path), "");
}

/* 512 bytes are kept for the end of the line; {"a":1,"long":"", and the terminator. */
enum { LONG_MAX_THAT_FITS = LOG_LINE_BYTES_MAX - 512 - 17 - 1 };

/* Text from outside may be longer than a line: it is omitted, the rest is not. */
Test(log, stays_whole_when_a_field_is_too_long)
{
    char *longest = calloc(1, 3 * LOG_LINE_BYTES_MAX);

    cr_assert_not_null(longest);
    for (size_t len = LONG_MAX_THAT_FITS - 100; len < LOG_LINE_BYTES_MAX + 10; len++) {
        memset(longest, 'x', len);
        cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
        log_info("m", LOG_INT("a", 1), LOG_TEXT("long", longest), LOG_INT("b", 2));
        log_close();

        const char *line = read_log(fixture.path);
        bool has_long = strstr(line, "\"long\"") != NULL;
        bool has_b = strstr(line, ",\"b\":2,") != NULL;

        cr_assert_eq(strncmp(line, "{\"a\":1,", 7), 0);
        cr_assert(has_long || has_b);
        cr_assert_eq(strstr(line, "\"fields_omitted\":1,") != NULL, !has_long || !has_b);
        cr_assert_not_null(strstr(line, "\"level\":\"info\",\"msg\":\"m\",\"time\":\""));
        cr_assert_str_eq(line + strlen(line) - 3, "\"}\n");
        cr_assert_leq(strlen(line), LOG_LINE_BYTES_MAX);
        cr_assert_eq(has_long, len <= LONG_MAX_THAT_FITS);
        unlink(fixture.path);
    }
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    log_info("m", LOG_TEXT("long", longest), LOG_INT("b", 2));
    expect_line(read_log(fixture.path), "@ info m b=2 fields_omitted=1\n");
    free(longest);
}

Test(log, goes_to_the_new_file_after_a_rotation)
{
    char rotated[160];

    snprintf(rotated, sizeof rotated, "%s.1", fixture.path);
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    log_info("one", LOG_INT("n", 1));
    cr_assert_eq(rename(fixture.path, rotated), 0);
    log_info("two", LOG_INT("n", 2));
    cr_assert_eq(log_reopen(), 0);
    log_info("three", LOG_INT("n", 3));
    expect_line(read_log(fixture.path), "@ info three n=3\n");
    cr_assert_not_null(strstr(read_log(rotated), "info two n=2\n"));
    unlink(rotated);
}

Test(log, keeps_the_old_file_when_the_new_one_cannot_be_opened)
{
    char moved[80];

    snprintf(moved, sizeof moved, "%s.moved", fixture.folder);
    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    cr_assert_eq(rename(fixture.folder, moved), 0);
    cr_assert_eq(log_reopen(), -ENOENT);
    log_info("kept", LOG_INT("n", 1));
    cr_assert_eq(rename(moved, fixture.folder), 0);
    expect_line(read_log(fixture.path), "@ info kept n=1\n");
}

Test(log, says_why_a_file_cannot_be_opened)
{
    cr_assert_eq(log_open("/nonexistent/folder/relay.log", LOG_LEVEL_INFO, LOG_FORMAT_TEXT),
                 -ENOENT);
    cr_assert_eq(log_open(fixture.folder, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), -EISDIR);
    cr_assert_eq(log_open("stdout", LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    cr_assert_eq(log_open("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
}

enum { THREADS = 4, LINES_EACH = 200 };

static void *write_lines(void *argument)
{
    for (int i = 0; i < LINES_EACH; i++) {
        log_info("line", LOG_TEXT("letters", argument));
    }
    return NULL;
}

static void run_threads(void)
{
    static const char *const letters[THREADS] = {"aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, write_lines, (void *)(uintptr_t)letters[i]),
                     0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

Test(log, does_not_mix_lines_of_different_threads)
{
    unsigned lines = 0;
    char *next = NULL;

    cr_assert_eq(log_open(fixture.path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
    run_threads();
    (void)read_log(fixture.path);
    for (char *line = fixture.content; *line != '\0'; line = next) {
        char *letters = strstr(line, " info line letters=\"");

        next = strchr(line, '\n') + 1;
        cr_assert_not_null(letters);
        letters += strlen(" info line letters=\"");
        cr_assert_eq(strspn(letters, (const char[]){letters[0], '\0'}), 8);
        cr_assert_eq(next, letters + 10);
        lines++;
    }
    cr_assert_eq(lines, THREADS * LINES_EACH);
}

Test(log, limits_lines_in_a_period_and_counts_the_others)
{
    struct log_limit limit = {0};
    uint64_t now_ms = 1000000;
    uint32_t suppressed = 4242;

    for (int i = 0; i < LOG_LIMIT_BURST; i++) {
        cr_assert(log_limit_allow(&limit, now_ms + (uint64_t)i, &suppressed));
        cr_assert_eq(suppressed, 0);
    }
    for (uint64_t i = 0; i < 100; i++) {
        cr_assert(!log_limit_allow(&limit, now_ms + i * LOG_LIMIT_PERIOD_MS / 100, &suppressed));
    }
    cr_assert(!log_limit_allow(&limit, now_ms + LOG_LIMIT_PERIOD_MS - 1, &suppressed));
    cr_assert(log_limit_allow(&limit, now_ms + LOG_LIMIT_PERIOD_MS, &suppressed));
    cr_assert_eq(suppressed, 101);
    cr_assert(log_limit_allow(&limit, now_ms + LOG_LIMIT_PERIOD_MS, &suppressed));
    cr_assert_eq(suppressed, 0);
}

Test(log, a_limit_may_be_wider)
{
    struct log_limit limit = {.lines_max = LOG_LIMIT_BURST + 1};
    uint32_t suppressed;

    for (int i = 0; i <= LOG_LIMIT_BURST; i++) {
        cr_assert(log_limit_allow(&limit, 1000000, &suppressed));
    }
    cr_assert(!log_limit_allow(&limit, 1000000, &suppressed));
}
