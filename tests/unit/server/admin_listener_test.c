/* Goal: the admin listener opens where it was told, takes the place of a dead relay's socket but of
 * nothing else, and says in one line why not. */
#include "server/admin_listener.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attributes.h"

static struct admin_listener listener;
static char error[512], folder[64], path[96];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/relay-admin-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/admin.sock", folder);
}

static void remove_folder(void)
{
    admin_listener_close(&listener);
    unlink(path);
    rmdir(folder);
}

TestSuite(admin_listener, .init = make_folder, .fini = remove_folder);

static int open_at(const char *where)
{
    error[0] = '\0';
    return admin_listener_open(&listener, where, error, sizeof error);
}

Test(admin_listener, off_is_no_socket)
{
    cr_assert_eq(open_at("off"), 0);
    cr_assert_eq(listener.fd, -1);
    cr_assert_str_eq(listener.text, "off");
}

Test(admin_listener, opens_an_address)
{
    cr_assert_eq(open_at("127.0.0.1:0"), 0, "%s", error);
    cr_assert_geq(listener.fd, 0);
    cr_assert_eq(strncmp(listener.text, "127.0.0.1:", 10), 0);
    cr_assert_str_neq(listener.text, "127.0.0.1:0");
}

Test(admin_listener, says_what_it_wants)
{
    static const char *const wrong[] = {
        "", "3002", ":3002", "127.0.0.1", "127.0.0.1:x", "a:65536", "relay.example:3002"};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        cr_assert_lt(open_at(wrong[i]), 0, "%s", wrong[i]);
        cr_assert_eq(strncmp(error, "RELAY_ADMIN_LISTEN=", 19), 0, "%s", error);
        cr_assert_eq(listener.fd, -1);
    }
}

Test(admin_listener, taken_address_is_a_fault)
{
    struct admin_listener other;

    cr_assert_eq(open_at("127.0.0.1:0"), 0);
    cr_assert_eq(admin_listener_open(&other, listener.text, error, sizeof error), -EADDRINUSE);
    cr_assert_not_null(strstr(error, "another program listens there"), "%s", error);
    cr_assert_eq(other.fd, -1);
}

Test(admin_listener, socket_is_for_its_group_and_goes_with_it)
{
    struct stat found;

    cr_assert_eq(open_at(path), 0, "%s", error);
    cr_assert_eq(stat(path, &found), 0);
    cr_assert(S_ISSOCK(found.st_mode));
    cr_assert_eq(found.st_mode & 0777, 0660);
    cr_assert_str_eq(listener.text, path);
    admin_listener_close(&listener);
    cr_assert_eq(stat(path, &found), -1);
}

Test(admin_listener, takes_the_place_of_a_dead_one_only)
{
    struct admin_listener other;

    cr_assert_eq(open_at(path), 0);
    cr_assert_eq(admin_listener_open(&other, path, error, sizeof error), -EADDRINUSE);
    close(listener.fd); /* as if it was killed: the path stays */
    cr_assert_eq(open_at(path), 0, "%s", error);
}

Test(admin_listener, file_at_its_path_stays)
{
    FILE *file = fopen(path, "we");

    cr_assert_not_null(file);
    fclose(file);
    cr_assert_eq(open_at(path), -EADDRINUSE);
    cr_assert_eq(access(path, F_OK), 0);
}

Test(admin_listener, long_path_is_refused)
{
    char deep[200];

    memset(deep, '/', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    cr_assert_eq(open_at(deep), -ENAMETOOLONG);
    cr_assert_not_null(strstr(error, "107 bytes"), "%s", error);
}
