/* The options of relay top. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct top_settings {
    char *admin;         /* as RELAY_ADMIN_LISTEN of the relay */
    int64_t interval_ms; /* between two looks */
    int sort;            /* enum sort_key */
    bool reverse;
    bool connections; /* these instead of topics */
    bool once;
    bool json;
};
