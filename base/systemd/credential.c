#include "base/systemd/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

bool credential_path(const char *name, size_t name_len, char *path, size_t path_size)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");

    if (!text_is_empty(directory) && name_len > 0 && memchr(name, '/', name_len) == NULL) {
        int len = snprintf(path, path_size, "%s/%.*s", directory, (int)name_len, name);

        if (len > 0 && (size_t)len < path_size && access(path, R_OK) == 0) {
            return true;
        }
    }
    snprintf(path, path_size, "%.*s", (int)name_len, name);
    return false;
}
