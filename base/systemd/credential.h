/* Files that systemd hands to one service only (LoadCredential= of its unit): secrets and keys that
 * no other user of the machine can read. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The path of a file in $CREDENTIALS_DIRECTORY, for a name without a slash of which there is one
 * that can be read. False, with the name itself in path, in all other cases. A path that does not
 * fit is cut off. */
bool credential_path(const char *name, size_t name_len, char *path, size_t path_size);
