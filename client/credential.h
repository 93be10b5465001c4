/* The access token: from memory or from a file that is read for each request. Texts made here are
 * wiped with credential_release. Never blocks: only regular files are read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/net/fault.h"

enum credential_limits { CREDENTIAL_BYTES_MAX = 8192 };

/* True when the text may stand in a header: visible ASCII, not empty, not too long. */
bool credential_is_valid(const char *token);

/* Reads the file, surrounding white space ignored. The caller owns *ret_token. */
MUST_USE enum progress credential_file_read(const char *path, char **ret_token,
                                            int64_t *ret_mtime_s, struct fault *fault);

/* Wipes, frees. Accepts NULL. */
void credential_release(char *token);
