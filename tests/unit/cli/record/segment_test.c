/* Goal: files get their names when they are complete, end where they may, and replace none. Method:
 * a folder of its own; a full disk is a limit on the size of files. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/record/segment.h"

static char folder[] = "/tmp/relay-segment-test-XXXXXX";
static char pattern[128];
static struct segment segment;

static void start(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(pattern, sizeof pattern, "%s/lab.ts", folder);
    segment_init(&segment);
}

static void stop(void)
{
    char command[160];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_assert_eq(system(command), 0);
}

static bool exists(const char *name)
{
    char path[192];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void check_content(const char *name, const char *expected)
{
    char path[192], content[64] = "";
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", name);
    content[fread(content, 1, sizeof content - 1, file)] = 0;
    (void)fclose(file);
    cr_expect_str_eq(content, expected);
}

Test(segment, has_its_name_when_complete_and_ends_where_it_may, .init = start, .fini = stop)
{
    cr_expect_not(segment_is_open(&segment));
    cr_assert_eq(segment_open(&segment, pattern, 0), 0);
    cr_expect(segment_is_open(&segment));
    cr_assert_eq(segment_write(&segment, "one two", 7), 0);
    segment_mark_end(&segment, 3);
    cr_expect(exists("lab.ts.part"));
    cr_expect_not(exists("lab.ts"));
    segment_cut(&segment);
    cr_assert_eq(segment_write(&segment, "-more", 5), 0);
    segment_mark_end(&segment, 8);
    cr_assert_eq(segment_write(&segment, "rest", 4), 0);
    cr_assert_eq(segment_close(&segment), 0);
    cr_expect_not(exists("lab.ts.part"));
    check_content("lab.ts", "one-more");
    cr_expect_eq(segment_close(&segment), 0, "again");
}

Test(segment, replaces_nothing, .init = start, .fini = stop)
{
    static const char *const names[] = {"lab.ts", "lab-2.ts", "lab-3.ts"};

    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(segment_open(&segment, pattern, 0), 0);
        cr_assert_eq(segment_write(&segment, names[i], strlen(names[i])), 0);
        segment_mark_end(&segment, strlen(names[i]));
        cr_assert_eq(segment_close(&segment), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        check_content(names[i], names[i]);
    }
}

Test(segment, without_content_leaves_nothing, .init = start, .fini = stop)
{
    cr_assert_eq(segment_open(&segment, pattern, 0), 0);
    cr_assert_eq(segment_write(&segment, "half", 4), 0);
    cr_assert_eq(segment_close(&segment), 0);
    cr_expect_not(exists("lab.ts"));
    cr_expect_not(exists("lab.ts.part"));
}

Test(segment, names_have_the_local_time_and_must_be_names, .init = start, .fini = stop)
{
    char timed[160];

    setenv("TZ", "UTC", 1);
    snprintf(timed, sizeof timed, "%s/%%Y-%%m-%%d-%%H%%M%%S", folder);
    cr_assert_eq(segment_open(&segment, timed, 86399), 0);
    cr_expect(exists("1970-01-01-235959.part"));
    cr_assert_eq(segment_close(&segment), 0);
    snprintf(timed, sizeof timed, "%s/", folder);
    cr_expect_eq(segment_open(&segment, timed, 0), -EINVAL);
    cr_expect_eq(segment_open(&segment, "", 0), -EINVAL);
    cr_expect_eq(segment_open(&segment, "/nowhere/lab.ts", 0), -ENOENT);
    cr_expect_not(segment_is_open(&segment));
}

Test(segment, a_full_disk_leaves_what_was_complete, .init = start, .fini = stop)
{
    const struct rlimit limit = {.rlim_cur = 10, .rlim_max = 10};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(segment_open(&segment, pattern, 0), 0);
    cr_assert_eq(segment_write(&segment, "whole", 5), 0);
    segment_mark_end(&segment, 5);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(segment_write(&segment, "too long for it", 15), -EFBIG);
    cr_expect_eq(segment.len, 5);
    cr_assert_eq(segment_close(&segment), 0);
    check_content("lab.ts", "whole");
}
