#include "client/net/fault.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char redacted[] = "<redacted>";

void fault_clear(struct fault *fault)
{
    memset(fault, 0, sizeof *fault);
}

static bool is_secret_character(uint8_t c)
{
    return isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '%' || c == '=';
}

/* Length of a prefix of text that introduces a secret immediately after it; 0 when there is
 * none. */
static size_t secret_prefix_len(struct bytes text)
{
    if (bytes_start_with(text, "code=")) {
        return strlen("code=");
    }
    return 0;
}

/* A JWT is base64url of a JSON object that starts with {" */
static bool is_token_start(struct bytes text)
{
    return bytes_start_with(text, "eyJ");
}

static size_t secret_len(struct bytes text)
{
    size_t len = 0;

    while (len < text.len && is_secret_character(text.data[len])) {
        len++;
    }
    return len;
}

struct clean_text {
    char *data;
    size_t size;
    size_t len;
};

static void clean_append(struct clean_text *clean, const char *data, size_t len)
{
    size_t room = clean->size - 1 - clean->len;

    len = len < room ? len : room;
    memcpy(clean->data + clean->len, data, len);
    clean->len += len;
}

static void clean_append_byte(struct clean_text *clean, uint8_t byte)
{
    char c = byte < 0x20 || byte == 0x7f ? ' ' : byte > 0x7f ? '?' : (char)byte;

    clean_append(clean, &c, 1);
}

void fault_text_clean(struct bytes text, char *clean_data, size_t size)
{
    struct clean_text clean = {.data = clean_data, .size = size};

    while (text.len > 0) {
        size_t prefix = secret_prefix_len(text);

        if (prefix > 0 || is_token_start(text)) {
            clean_append(&clean, (const char *)text.data, prefix);
            clean_append(&clean, redacted, strlen(redacted));
            text = bytes_skip(text, prefix);
            text = bytes_skip(text, secret_len(text));
            continue;
        }
        clean_append_byte(&clean, text.data[0]);
        text = bytes_skip(text, 1);
    }
    clean_data[clean.len] = '\0';
}

enum progress fault_set(struct fault *fault, enum relay_client_fault kind, const char *format, ...)
{
    char text[FAULT_TEXT_SIZE * 4];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fault->kind = kind;
    fault_text_clean(bytes_of_text(text), fault->text, sizeof fault->text);
    bytes_wipe(text, sizeof text); /* what is cleaned out of it */
    return PROGRESS_FAILED;
}
