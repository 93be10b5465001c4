/* Goal: files and folders of rules are read in order, faults are named with their file, and a file
 * is replaced as a whole. */
#include "host/rules/rule_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
    char names[256];
};

static void note(struct found *found, const char *name)
{
    size_t len = strlen(found->names);

    snprintf(found->names + len, sizeof found->names - len, "%s,", name);
}

static void on_rule(void *context, struct rule *rule)
{
    note(context, rule->id);
    rule_release(rule);
}

static void on_stream(void *context, struct stream_rule *rule)
{
    note(context, rule->stream);
    stream_rule_release(rule);
}

static bool read_path(const char *path, struct found *found, char *error)
{
    struct rule_file_reader reader = {.on_rule = on_rule, .on_stream = on_stream, .context = found};

    *found = (struct found){0};
    return rule_file_read(path, &reader, error);
}

Test(rule_file, reads_files_and_folders)
{
    char folder[] = "/tmp/rule_file_XXXXXX", path[64], second[64], error[RULE_FILE_ERROR_SIZE];
    struct found found;
    struct stat status;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/b.json", folder);
    snprintf(second, sizeof second, "%s/a.json", folder);
    cr_assert_eq(rule_file_write(path, "[{\"id\":\"1\"},{\"stream\":\"s\",\"feeds\":null}]"), 0);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    cr_assert(read_path(path, &found, error));
    cr_assert_str_eq(found.names, "1,s,");
    cr_assert_eq(rule_file_write(second, "[{\"id\":\"0\"}]"), 0);
    cr_assert(read_path(folder, &found, error));
    cr_assert_str_eq(found.names, "0,1,s,");
    cr_assert_eq(rule_file_write(second, "{}"), 0);
    cr_assert_not(read_path(folder, &found, error));
    cr_assert_not_null(strstr(error, "a.json: not a JSON list of rules"));
    cr_assert_eq(rule_file_write(second, "[{\"id\":1}]"), 0);
    cr_assert_not(read_path(second, &found, error));
    cr_assert_not_null(strstr(error, "cannot unmarshal number"));
    cr_assert_eq(rule_file_write(second, "[1,]"), 0);
    cr_assert_not(read_path(second, &found, error));
    cr_assert_not_null(strstr(error, "invalid character ']'"));
    unlink(second);
    cr_assert_not(read_path(second, &found, error));
    unlink(path);
    rmdir(folder);
    cr_assert_eq(rule_file_write(path, "[]"), -ENOENT);
}
