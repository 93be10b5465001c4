/* Goal: a rule's file is written below one folder only, whatever its name. */
#include "host/destination/recording.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

Test(recording, opens_files_inside_its_folder_only)
{
    char folder[] = "/tmp/recording_XXXXXX", path[64], text[8] = "";

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/data", folder);
    cr_assert_eq(recording_open(NULL, path), -EPERM);
    cr_assert_eq(recording_open("", path), -EPERM);
    cr_assert_eq(recording_open(folder, "/etc/passwd"), -EPERM);
    cr_assert_eq(recording_open(folder, "../data"), -EPERM);
    cr_assert_eq(recording_open(folder, "a/../../data"), -ENOENT);
    cr_assert_eq(recording_open(folder, ""), -EPERM);

    int fd = recording_open(folder, path);

    cr_assert_geq(fd, 0);
    cr_assert(recording_add(fd, bytes_of_text("one")));
    cr_assert(recording_add(fd, bytes_of_text("two")));
    close(fd);
    fd = open(path, O_RDONLY);
    cr_assert_eq(read(fd, text, sizeof text), 6);
    cr_assert_str_eq(text, "onetwo");
    close(fd);
    fd = recording_open(folder, "data");
    cr_assert_eq(lseek(fd, 0, SEEK_END), 0, "cut when it is opened again");
    close(fd);
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_lt(recording_open(folder, "data"), 0);
    unlink(path);
    cr_assert_eq(symlink("/tmp/elsewhere", path), 0);
    cr_assert_eq(recording_open(folder, "data"), -ELOOP);
    unlink(path);
    rmdir(folder);
}

Test(recording, ends_with_the_first_write_that_fails)
{
    int fd = open("/dev/full", O_WRONLY);

    cr_assert_geq(fd, 0);
    cr_assert_not(recording_add(fd, bytes_of_text("x")));
    close(fd);
}
