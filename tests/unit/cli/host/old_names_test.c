/* Goal: the environment of the original means here what it means there. */
#include "cli/host/old_names.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>

static void expect(const char *name, const char *wanted)
{
    const char *text = getenv(name);

    cr_assert_str_eq(text == NULL ? "" : text, wanted, "%s", name);
}

Test(old_names, give_their_values_to_ours)
{
    setenv("VW_PORT", "1234", 1);
    setenv("RELAYHOST_PORT", "5678", 1);
    setenv("VW_LOG_LEVEL", "WARN", 1);
    setenv("RELAYHOST_API", "ws://a", 1);
    setenv("VW_API", "ws://b", 1);
    setenv("STATE_DIRECTORY", "/s", 1);
    setenv("RELAY_HOST_STATE_DIR", "/ours", 1);
    setenv("VW_MUXBUFFERLENGTH", "10", 1);
    cr_assert(old_names_adopt());
    expect("RELAY_HOST_PORT", "1234");
    expect("RELAY_HOST_LOG_LEVEL", "info");
    expect("RELAY_HOST_API", "ws://b");
    expect("RELAY_HOST_STATE_DIR", "/ours");
}

Test(old_names, know_the_levels_of_the_original)
{
    static const char *const cases[][2] = {{"PANIC", "panic"},
                                           {"Warning", "warning"},
                                           {"info", "info"},
                                           {"whatever", "info"},
                                           {"trace", "trace"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsetenv("RELAY_HOST_LOG_LEVEL");
        setenv("VW_LOG_LEVEL", cases[i][0], 1);
        cr_assert(old_names_adopt());
        expect("RELAY_HOST_LOG_LEVEL", cases[i][1]);
    }
}

Test(old_names, refuse_numbers_that_are_none)
{
    cr_redirect_stderr();
    setenv("VW_HTTPFLUSHMS", "", 1);
    cr_assert_not(old_names_adopt());
    setenv("VW_HTTPFLUSHMS", "x", 1);
    cr_assert_not(old_names_adopt());
    setenv("VW_HTTPFLUSHMS", "5", 1);
    cr_assert(old_names_adopt());
}
