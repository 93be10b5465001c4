#include "cli/client_line.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t fraction_write(uint32_t ns, char *text, size_t size)
{
    if (ns == 0) {
        return 0;
    }
    size_t len = (size_t)snprintf(text, size, ".%09u", ns);

    while (text[len - 1] == '0') {
        len--;
    }
    text[len] = '\0';
    return len;
}

static void offset_write(long seconds, char *text, size_t size)
{
    if (seconds == 0) {
        snprintf(text, size, "Z");
        return;
    }
    long minutes = labs(seconds) / 60;

    snprintf(text, size, "%c%02ld:%02ld", seconds < 0 ? '-' : '+', minutes / 60 % 100,
             minutes % 60);
}

void client_line_time(uint64_t wall_ns, char text[static CLIENT_LINE_TIME_SIZE])
{
    time_t seconds = (time_t)(wall_ns / 1000000000u);
    struct tm local;

    localtime_r(&seconds, &local);
    size_t len = strftime(text, CLIENT_LINE_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &local);

    len +=
        fraction_write((uint32_t)(wall_ns % 1000000000u), text + len, CLIENT_LINE_TIME_SIZE - len);
    offset_write(local.tm_gmtoff, text + len, CLIENT_LINE_TIME_SIZE - len);
}

static size_t content_write(struct bytes message, bool is_text, char *target)
{
    if (message.len == 0) {
        return 0;
    }
    if (is_text) {
        memcpy(target, message.data, message.len);
        return message.len;
    }
    return (size_t)EVP_EncodeBlock((unsigned char *)target, message.data, (int)message.len);
}

int client_line_make(uint64_t wall_ns, struct bytes message, bool is_text, char **ret_line,
                     size_t *ret_len)
{
    size_t content_max = is_text ? message.len : (message.len + 2) / 3 * 4 + 1;
    char *line = malloc(CLIENT_LINE_TIME_SIZE + content_max + 8);

    if (line == NULL) {
        return -ENOMEM;
    }
    line[0] = '[';
    client_line_time(wall_ns, line + 1);
    size_t len = strlen(line);

    line[len++] = ']';
    line[len++] = ' ';
    len += content_write(message, is_text, line + len);
    line[len++] = '\n';
    *ret_line = line;
    *ret_len = len;
    return 0;
}
