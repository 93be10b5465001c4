/* Goal: a file of settings means what it means to systemd, and a fault is one line that names its
 * place. Method: texts with one rule each; a file on disk for what can go wrong there. */
#include "base/options/option_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char error[OPTIONS_ERROR_SIZE];

static void expect_value(const char *text, const char *expected)
{
    struct option_file file = {0};

    cr_assert_eq(option_file_parse(bytes_of_text(text), &file, error), 0, "%s: %s", text, error);
    cr_assert_eq(file.count, 1, "%s: %zu settings", text, file.count);
    cr_assert_str_eq(file.entries[0].name, "A");
    cr_assert_str_eq(file.entries[0].value, expected, "%s: %s", text, file.entries[0].value);
    option_file_release(&file);
}

static void expect_fault(const char *text, const char *expected)
{
    struct option_file file = {0};

    cr_assert_eq(option_file_parse(bytes_of_text(text), &file, error), -EINVAL, "%s", text);
    cr_assert_str_eq(error, expected);
    cr_assert_null(file.entries);
}

Test(option_file, values)
{
    static const char *const cases[][2] = {
        {"A=1", "1"},
        {"A=1\n", "1"},
        {"A=1\r\n", "1"},
        {"  A =  b c  \n", "b c"},
        {"A=", ""},
        {"A=\"b  c \"", "b  c "},
        {"A='b \\ c'", "b \\ c"},
        {"A=\"say \\\"x\\\" \\\\ \\$ \\n\"", "say \"x\" \\ $ \\n"},
        {"A=\"two\nlines\"", "two\nlines"},
        {"A=b\\\nc", "bc"},
        {"A=\"b\\\nc\"", "bc"},
        {"A=b\\ \n", "b "},
        {"A=it's", "it's"},
        {"A=b # c", "b # c"},
        {"A='b' 'c'", "bc"},
        {"# comment\n; comment\n\nA=1", "1"},
        {"# comment goes on \\\nB=2\nA=1", "1"},
        {"A=x=y", "x=y"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_value(cases[i][0], cases[i][1]);
    }
}

Test(option_file, faults_name_their_line)
{
    expect_fault("A=1\nwhat is this\n", "2: expected NAME=value");
    expect_fault("\n\n=1", "3: expected NAME=value");
    expect_fault("export A=1", "1: expected NAME=value");
    expect_fault("B=1\nA=\"open\n\n", "2: a quote is not closed");
    expect_fault("A", "1: expected NAME=value");
}

Test(option_file, nul_and_long_names_are_refused)
{
    struct option_file file = {0};
    char name[OPTION_FILE_NAME_SIZE + 3];

    cr_assert_eq(option_file_parse(bytes_of("A\0=1", 4), &file, error), -EINVAL);
    cr_assert_not_null(strstr(error, "NUL"));
    memset(name, 'A', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    expect_fault(name, "1: the name is too long");
}

Test(option_file, number_of_settings_is_bounded)
{
    char text[4 * (OPTION_FILE_ENTRIES_MAX + 1) + 1] = "";
    struct option_file file = {0};

    for (unsigned i = 0; i <= OPTION_FILE_ENTRIES_MAX; i++) {
        memcpy(text + 4 * i, "A=1\n", 5);
    }
    expect_fault(text, "513: too many settings");
    text[4 * OPTION_FILE_ENTRIES_MAX] = '\0';
    cr_assert_eq(option_file_parse(bytes_of_text(text), &file, error), 0);
    option_file_release(&file);
}

Test(option_file, last_value_of_a_name_counts)
{
    struct option_file file = {0};

    cr_assert_eq(option_file_parse(bytes_of_text("A=1\nB=2\nA=3\n"), &file, error), 0);
    cr_assert_str_eq(option_file_value(&file, "A"), "3");
    cr_assert_str_eq(option_file_value(&file, "B"), "2");
    cr_assert_null(option_file_value(&file, "C"));
    cr_assert_eq(file.entries[2].line, 3);
    option_file_release(&file);
    cr_assert_eq(file.count, 0);
}

Test(option_file, is_read_from_disk_or_says_why_not)
{
    char path[] = "/tmp/option-file-XXXXXX";
    int fd = mkstemp(path);
    struct option_file file = {0};
    char expected[128];

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "A=1\nbad\n", 8), 8);
    snprintf(expected, sizeof expected, "%s:2: expected NAME=value", path);
    cr_assert_eq(option_file_read(path, &file, error), -EINVAL);
    cr_assert_str_eq(error, expected);
    cr_assert_eq(ftruncate(fd, 4), 0);
    cr_assert_eq(option_file_read(path, &file, error), 0, "%s", error);
    cr_assert_str_eq(option_file_value(&file, "A"), "1");
    option_file_release(&file);
    cr_assert_eq(ftruncate(fd, OPTION_FILE_BYTES_MAX + 1), 0);
    cr_assert_eq(option_file_read(path, &file, error), -EFBIG);
    close(fd);
    unlink(path);
    cr_assert_eq(option_file_read(path, &file, error), -ENOENT);
    cr_assert_not_null(strstr(error, "cannot read"));
}
