/* Goal: the file is known by its path, its word about its options is heard in time, and it is
 * started with what it is to inherit. Method: scripts at the place of the program. */
#include "server/handover/handover_program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

static char folder[] = "/tmp/relay-program-XXXXXX";
static char said[HANDOVER_SAID_SIZE];
static struct handover_program program;
static struct handover_wait wait_long;
static char first[] = "serve", second[] = "--flag=1";
static char *arguments[] = {first, second, NULL};

static void write_script(const char *text)
{
    FILE *file = fopen(program.path, "w");

    CHECK(file != NULL);
    fprintf(file, "#!/bin/sh\n%s\n", text);
    CHECK(fclose(file) == 0 && chmod(program.path, 0700) == 0);
}

static void open_folder(void)
{
    handover_program_init(&program, 2, arguments);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(program.path, sizeof program.path, "%s/program", folder);
    wait_long = (struct handover_wait){.deadline_ms = clock_monotonic_ms() + 30000};
    said[0] = '\0';
}

static void close_folder(void)
{
    unlink(program.path);
    rmdir(folder);
}

TestSuite(handover_program, .init = open_folder, .fini = close_folder);

Test(handover_program, knows_its_own_file)
{
    struct handover_program own;

    handover_program_init(&own, 2, arguments);
    cr_assert_eq(access(own.path, X_OK), 0);
    cr_assert_not(handover_program_is_changed(&own));
    own.inode++;
    cr_assert(handover_program_is_changed(&own));
    snprintf(own.path, sizeof own.path, "/nowhere/at/all");
    cr_assert_not(handover_program_is_changed(&own)); /* removed, not replaced */
}

Test(handover_program, options_are_valid_when_it_says_so)
{
    write_script("echo \"$*\"");
    cr_assert_eq(handover_program_check(&program, &wait_long, said), 0);
    cr_assert_str_eq(said, "serve --flag=1 --check-config");
}

Test(handover_program, refusal_is_heard_as_one_line)
{
    write_script("echo \"You must set this\"; echo and that >&2; exit 1");
    cr_assert_eq(handover_program_check(&program, &wait_long, said), -EINVAL);
    cr_assert_str_eq(said, "You must set this and that");
}

Test(handover_program, talkative_one_is_heard_to_its_end)
{
    write_script("yes line | head -c 1000000; exit 1");
    cr_assert_eq(handover_program_check(&program, &wait_long, said), -EINVAL);
    cr_assert_lt(strlen(said), HANDOVER_SAID_SIZE);
}

Test(handover_program, one_that_hangs_or_crashes_has_not_checked)
{
    const struct handover_wait soon = {.deadline_ms = clock_monotonic_ms() + 100};

    write_script("exec sleep 60");
    cr_assert_eq(handover_program_check(&program, &soon, said), -ETIMEDOUT);
    write_script("kill -9 $$");
    cr_assert_eq(handover_program_check(&program, &wait_long, said), -EINVAL);
}

Test(handover_program, one_that_closes_its_output_or_never_ends_it_is_ended)
{
    struct handover_wait soon = {.deadline_ms = clock_monotonic_ms() + 100};

    write_script("exec >&- 2>&-; exec sleep 60");
    cr_assert_eq(handover_program_check(&program, &soon, said), -ETIMEDOUT);
    write_script("exec yes");
    soon.deadline_ms = clock_monotonic_ms() + 100;
    cr_assert_eq(handover_program_check(&program, &soon, said), -ETIMEDOUT);
}

Test(handover_program, one_that_is_none_cannot_be_started)
{
    pid_t pid;

    cr_assert_eq(handover_program_check(&program, &wait_long, said), -ENOENT);
    cr_assert_eq(handover_program_start(&program, 0, NULL, &pid), -ENOENT);
    program.path[0] = '\0';
    cr_assert_eq(handover_program_start(&program, 0, NULL, &pid), -ENOENT);
    snprintf(program.path, sizeof program.path, "%s/program", folder);
}

Test(handover_program, too_many_arguments_are_refused)
{
    pid_t pid;

    write_script("exit 0");
    program.argc = HANDOVER_ARGUMENTS_MAX;
    cr_assert_eq(handover_program_start(&program, 0, NULL, &pid), -E2BIG);
}

Test(handover_program, is_started_with_its_end_of_the_channel_and_variables)
{
    static char variable[] = "MORE=of it";
    char *variables[] = {variable, NULL};
    char heard[64] = "";
    int ends[2], status;
    pid_t pid;

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    setenv("KEPT", "too", 1);
    write_script("echo \"$1 $RELAY_HANDOVER_SOCKET $MORE $KEPT\" >&3");
    cr_assert_eq(handover_program_start(&program, ends[1], variables, &pid), 0);
    close(ends[1]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_gt(read(ends[0], heard, sizeof heard - 1), 0);
    cr_assert_str_eq(heard, "serve 3 of it too\n");
    close(ends[0]);
}

Test(handover_program, is_ended_whatever_it_does)
{
    pid_t pid;

    write_script("trap '' TERM; while :; do sleep 1; done");
    cr_assert_eq(handover_program_start(&program, 0, NULL, &pid), 0);
    handover_program_end(pid);
    cr_assert_eq(kill(pid, 0), -1);
    write_script("exit 0");
    cr_assert_eq(handover_program_start(&program, 0, NULL, &pid), 0);
    handover_program_end(pid);
}
