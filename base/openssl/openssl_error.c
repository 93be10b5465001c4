#include "base/openssl/openssl_error.h"

#include <openssl/err.h>
#include <stdbool.h>
#include <string.h>

static bool names_a_part_only(const char *reason)
{
    size_t len = strlen(reason);

    return len >= 4 && strcmp(reason + len - 4, " lib") == 0;
}

static const char *reason_of(unsigned long error)
{
    /* The system's errors are numbers of errno.h, for which OpenSSL has no words. */
    return ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
                                   : ERR_reason_error_string(error);
}

const char *openssl_error_take(void)
{
    const char *found = "unknown cause";
    unsigned long error;

    while ((error = ERR_get_error()) != 0) {
        const char *reason = reason_of(error);

        if (reason != NULL && !names_a_part_only(reason)) {
            found = reason;
        }
    }
    return found;
}
