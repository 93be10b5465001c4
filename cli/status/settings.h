/* The options of relay status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct status_settings {
    char *session;
    char *access;
    char *token;
    char *token_file;
    char *ca_file;
    bool insecure;
    bool json;
    bool watch;
    int64_t timeout_ms;
};
