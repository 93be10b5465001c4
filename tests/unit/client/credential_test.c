/* Tokens from files: white space, bad content, files that are none. */
#include "client/credential.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/credential_test.XXXXXX";

static void file_make(const char *content, size_t len)
{
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, len), (ssize_t)len);
    close(fd);
}

Test(credential, knows_what_can_stand_in_a_header)
{
    static const struct {
        const char *token;
        bool valid;
    } cases[] = {
        {"eyJhbGciOiJIUzI1NiJ9.e30.sig-_", true},
        {"Bearer eyJ.a.b", true},
        {"x", true},
        {"", false},
        {" x", false},
        {"x ", false},
        {"a\nb", false},
        {"a\r\nInjected: 1", false},
        {"a\tb", false},
        {"t\xc3\xb6ken", false},
        {"a\x7f", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(credential_is_valid(cases[i].token), cases[i].valid, "case %zu", i);
    }
    char *long_token = malloc(CREDENTIAL_BYTES_MAX + 2);

    memset(long_token, 'x', CREDENTIAL_BYTES_MAX + 1);
    long_token[CREDENTIAL_BYTES_MAX] = '\0';
    cr_assert(credential_is_valid(long_token));
    long_token[CREDENTIAL_BYTES_MAX] = 'x';
    long_token[CREDENTIAL_BYTES_MAX + 1] = '\0';
    cr_assert_not(credential_is_valid(long_token));
    free(long_token);
}

Test(credential, reads_a_file_without_surrounding_space)
{
    static const char *const contents[] = {"eyJ.a.b", "eyJ.a.b\n", "\r\n  eyJ.a.b \t\n\n"};

    for (size_t i = 0; i < ARRAY_LENGTH(contents); i++) {
        char *token = NULL;
        int64_t mtime_s = 0;
        struct fault fault;

        file_make(contents[i], strlen(contents[i]));
        cr_assert_eq(credential_file_read(path, &token, &mtime_s, &fault), PROGRESS_DONE);
        cr_assert_str_eq(token, "eyJ.a.b");
        cr_assert_gt(mtime_s, 1600000000);
        credential_release(token);
        unlink(path);
    }
}

Test(credential, says_what_is_wrong_with_a_file)
{
    static char large[CREDENTIAL_BYTES_MAX + 300];
    const struct {
        const char *content;
        size_t len;
        const char *cause;
    } cases[] = {
        {"", 0, "empty"},
        {"  \n", 3, "does not hold a token"},
        {"a\0b", 3, "does not hold a token"},
        {"one\ntwo", 7, "does not hold a token"},
        {large, sizeof large, "does not hold a token"},
    };

    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *token = NULL;
        int64_t mtime_s = -7;
        struct fault fault;

        file_make(cases[i].content, cases[i].len);
        cr_assert_eq(credential_file_read(path, &token, &mtime_s, &fault), PROGRESS_FAILED);
        cr_assert_eq(fault.kind, RELAY_CLIENT_FAULT_TOKEN_FILE);
        cr_assert_not_null(strstr(fault.text, cases[i].cause), "%s", fault.text);
        cr_assert_null(token);
        cr_assert_eq(mtime_s, -7);
        unlink(path);
    }
}

Test(credential, refuses_what_is_not_a_file_without_waiting)
{
    static const struct {
        const char *path, *cause;
    } cases[] = {{"/nonexistent/token", "No such file"},
                 {"/tmp", "not a regular file"},
                 {"/dev/zero", "not a regular file"}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *token;
        int64_t mtime_s;
        struct fault fault;

        cr_assert_eq(credential_file_read(cases[i].path, &token, &mtime_s, &fault),
                     PROGRESS_FAILED);
        cr_assert_not_null(strstr(fault.text, cases[i].cause), "%s", fault.text);
    }
}
