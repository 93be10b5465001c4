/* Goal: a plain name means a credential of systemd where there is one, else the file of that name.
 * Method: a folder in place of systemd's. */
#include "base/systemd/credential.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[256], wanted[128];

static void open_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/relay-credential-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(wanted, sizeof wanted, "%s/secret", folder);
    int fd = open(wanted, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    close(fd);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
}

static void close_folder(void)
{
    unlink(wanted);
    rmdir(folder);
}

TestSuite(credential, .init = open_folder, .fini = close_folder);

Test(credential, of_that_name_is_found)
{
    cr_assert(credential_path("secret", 6, path, sizeof path));
    cr_assert_str_eq(path, wanted);
    cr_assert(credential_path("secret,other", 6, path, sizeof path), "an item of a list");
    cr_assert_str_eq(path, wanted);
}

Test(credential, is_no_path_and_no_missing_file)
{
    static const char *const names[] = {"other", "./secret", "/secret", "", "../secret"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_assert_not(credential_path(names[i], strlen(names[i]), path, sizeof path));
        cr_assert_str_eq(path, names[i]);
    }
}

Test(credential, needs_systemd)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    cr_assert_not(credential_path("secret", 6, path, sizeof path));
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    cr_assert_not(credential_path("secret", 6, path, sizeof path));
    cr_assert_str_eq(path, "secret");
}

Test(credential, whose_path_does_not_fit_is_none)
{
    char small[16];

    cr_assert_not(credential_path("secret", 6, small, sizeof small));
    cr_assert_str_eq(small, "secret");
}
