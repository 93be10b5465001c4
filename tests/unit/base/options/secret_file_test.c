/* Goal: a secret is what the file shows, and what no editor shows is refused.
 * Method: files in /tmp with given bytes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options/secret_file.h"

enum { SECRET_BYTES_MAX = 64 * 1024 };

static void write_file(char *path, const void *data, size_t len)
{
    static const char template[] = "/tmp/relay-secret-test-XXXXXX";

    memcpy(path, template, sizeof template);
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

Test(secret_file, is_read_without_its_line_end)
{
    static const struct {
        const char *data;
        size_t len;
        int result;
        const char *text;
    } cases[] = {
        {"secret", 6, 0, "secret"},
        {"secret\n", 7, 0, "secret"},
        {"secret\r\n\n", 9, 0, "secret"},
        {" a\nb \n", 6, 0, " a\nb "},
        {"", 0, 0, ""},
        {"\n", 1, 0, ""},
        {"a\0b", 3, -EINVAL, NULL},
        {"a\0", 2, -EINVAL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        char *text = NULL;

        write_file(path, cases[i].data, cases[i].len);
        cr_assert_eq(secret_file_read(path, &text), cases[i].result, "case %zu", i);
        cr_assert(cases[i].result == 0 ? strcmp(text, cases[i].text) == 0 : text == NULL,
                  "case %zu", i);
        free(text);
        unlink(path);
    }
}

/* An editor or a shell may add unseen what no token is signed with. */
Test(secret_file, of_one_secret_holds_nothing_that_is_not_seen)
{
    static const struct {
        const char *data;
        size_t len;
        int result;
        const char *text;
    } cases[] = {
        {"secret\r\n", 8, 0, "secret"},
        {"two words\n", 10, 0, "two words"},
        {"", 0, -ENODATA, NULL},
        {"\n", 1, -ENODATA, NULL},
        {"\xef\xbb\xbfsecret\n", 10, -EILSEQ, NULL},
        {"\xff\xfesecret", 8, -EILSEQ, NULL},
        {"\xfe\xffsecret", 8, -EILSEQ, NULL},
        {"\xff\xfes\0", 4, -EINVAL, NULL},
        {"secret \n", 8, -EBADMSG, NULL},
        {"secret\t", 7, -EBADMSG, NULL},
        {"secret\n \n", 9, -EBADMSG, NULL},
        {" secret", 7, -EBADMSG, NULL},
        {"\nsecret", 7, -EBADMSG, NULL},
        {" ", 1, -EBADMSG, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        char *text = NULL;

        write_file(path, cases[i].data, cases[i].len);
        cr_assert_eq(secret_file_read_one(path, &text), cases[i].result, "case %zu", i);
        cr_assert(cases[i].result == 0 ? strcmp(text, cases[i].text) == 0 : text == NULL,
                  "case %zu", i);
        free(text);
        unlink(path);
    }
    cr_assert_str_eq(secret_file_reason(-ENOENT), "No such file or directory");
    cr_assert_str_eq(secret_file_reason(-ENODATA), "is empty");
    cr_assert_str_eq(secret_file_reason(-EBADMSG), "begins or ends with a blank: remove it");
}

Test(secret_file, is_read_up_to_its_limit)
{
    char *data = malloc(SECRET_BYTES_MAX + 1);
    char path[64];
    char *text = NULL;

    memset(data, 's', SECRET_BYTES_MAX + 1);
    write_file(path, data, SECRET_BYTES_MAX);
    cr_assert_eq(secret_file_read(path, &text), 0);
    cr_assert_eq(strlen(text), SECRET_BYTES_MAX);
    free(text);
    unlink(path);
    text = NULL;
    write_file(path, data, SECRET_BYTES_MAX + 1);
    cr_assert_eq(secret_file_read(path, &text), -EFBIG);
    cr_assert_null(text);
    unlink(path);
    free(data);
}

Test(secret_file, must_be_a_readable_file)
{
    char *text = NULL;

    cr_assert_eq(secret_file_read("/nonexistent", &text), -ENOENT);
    cr_assert_lt(secret_file_read("/tmp", &text), 0);
    cr_assert_null(text);
}
