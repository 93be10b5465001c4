#include "cli/host/old_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/bytes.h"

/* The original's level names: all that it does not know mean info, "warn" among them. */
static const char *level_of_original(const char *text)
{
    static const char *const known[] = {"panic", "fatal", "error", "warning", "debug", "trace"};

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strcasecmp(text, known[i]) == 0) {
            return known[i];
        }
    }
    return "info";
}

static void adopt(const char *name, const char *old_name, const char *text)
{
    if (text_is_empty(getenv(name)) && !text_is_empty(getenv(old_name))) {
        setenv(name, text, 1);
    }
}

/* Names of ours win over names of theirs. */
static void adopt_all(void)
{
    static const struct {
        const char *name, *old_name;
        bool is_level;
    } names[] = {
        {"RELAY_HOST_PORT", "VW_PORT", false},
        {"RELAY_HOST_PORT", "RELAYHOST_PORT", false},
        {"RELAY_HOST_API", "VW_API", false},
        {"RELAY_HOST_API", "RELAYHOST_API", false},
        {"RELAY_HOST_LOG_LEVEL", "VW_LOG_LEVEL", true},
        {"RELAY_HOST_LOG_LEVEL", "RELAYHOST_LOGLEVEL", true},
        {"RELAY_HOST_STATE_DIR", "STATE_DIRECTORY", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const char *text = getenv(names[i].old_name);

        if (text != NULL) {
            adopt(names[i].name, names[i].old_name,
                  names[i].is_level ? level_of_original(text) : text);
        }
    }
}

/* As the original: a number that is none, or empty, is an error, even if the number is not used. */
static bool numbers_are_good(void)
{
    static const char *const names[] = {"VW_PORT",
                                        "VW_HTTPWAITMS",
                                        "VW_MUXBUFFERLENGTH",
                                        "VW_CLIENTBUFFERLENGTH",
                                        "VW_CLIENTTIMEOUTMS",
                                        "VW_HTTPFLUSHMS",
                                        "VW_HTTPTIMEOUTMS"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const char *text = getenv(names[i]);
        uint64_t number;

        if (text != NULL && bytes_to_uint64(bytes_of_text(text), &number) != 0) {
            fprintf(stderr, "relay host: %s is not a number\n", names[i]);
            return false;
        }
    }
    return true;
}

bool old_names_adopt(void)
{
    if (!numbers_are_good()) {
        return false;
    }
    adopt_all();
    return true;
}
