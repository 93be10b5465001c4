#include "wire/media/multipart.h"

#include <string.h>
#include <strings.h>

enum {
    BOUNDARY_LEN_MAX = 70, /* §5.1.1 */
    PADDING_LEN_MAX = 8,   /* "--" before the boundary, blanks and CR after it */
};

static bool starts_with(struct bytes bytes, const char *text)
{
    size_t len = strlen(text);

    return bytes.len >= len && strncasecmp((const char *)bytes.data, text, len) == 0;
}

/* Offset of the second line; 0: the first line does not end, or is not a delimiter. */
static size_t delimiter_len(struct bytes bytes)
{
    size_t len_max = BOUNDARY_LEN_MAX + PADDING_LEN_MAX;
    size_t searched = bytes.len < len_max ? bytes.len : len_max;
    const uint8_t *end = searched == 0 ? NULL : memchr(bytes.data, '\n', searched);

    if (end == NULL || !starts_with(bytes, "--")) {
        return 0;
    }
    for (const uint8_t *at = bytes.data; at < end; at++) {
        if ((*at < ' ' || *at > '~') && !(*at == '\r' && at + 1 == end)) {
            return 0;
        }
    }
    return (size_t)(end - bytes.data) + 1;
}

bool multipart_probe(struct bytes bytes)
{
    size_t line_len;

    if (starts_with(bytes, "\r\n")) {
        bytes = bytes_skip(bytes, 2);
    } else if (starts_with(bytes, "\n")) {
        bytes = bytes_skip(bytes, 1);
    }
    line_len = delimiter_len(bytes);
    return line_len > 0 && starts_with(bytes_skip(bytes, line_len), "content-");
}
