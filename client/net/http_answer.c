#include "client/net/http_answer.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static struct http_answer *answer_of(llhttp_t *parser)
{
    return parser->data;
}

/* Informational answers (RFC 9110 §15.2) precede the final one; their content is discarded. */
static int on_message_begin(llhttp_t *parser)
{
    struct http_answer *answer = answer_of(parser);

    memset(answer, 0, offsetof(struct http_answer, body));
    answer->body[0] = '\0';
    answer->body_cut = false;
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *data, size_t len)
{
    struct http_answer *answer = answer_of(parser);
    size_t room = sizeof answer->name - 1 - answer->name_len;

    if (len > room) {
        len = room; /* no relevant name is that long */
    }
    memcpy(answer->name + answer->name_len, data, len);
    answer->name_len += len;
    return 0;
}

static char *value_of_name(struct http_answer *answer)
{
    const struct {
        const char *name;
        char *value;
    } wanted[] = {
        {"upgrade", answer->upgrade},
        {"connection", answer->connection},
        {"sec-websocket-accept", answer->accept},
        {"sec-websocket-extensions", answer->extensions},
        {"sec-websocket-protocol", answer->protocol},
        {"retry-after", answer->retry_after},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        if (strcasecmp(answer->name, wanted[i].name) == 0) {
            return wanted[i].value;
        }
    }
    return NULL;
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct http_answer *answer = answer_of(parser);

    answer->name[answer->name_len] = '\0';
    answer->name_len = 0;
    answer->value = value_of_name(answer);
    /* A repeated field is a list (RFC 9110 §5.3). */
    answer->value_len = answer->value == NULL ? 0 : strlen(answer->value);
    if (answer->value_len > 0 && answer->value_len < HTTP_ANSWER_FIELD_SIZE - 1) {
        answer->value[answer->value_len++] = ',';
        answer->value[answer->value_len] = '\0';
    }
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *data, size_t len)
{
    struct http_answer *answer = answer_of(parser);

    if (answer->value == NULL) {
        return 0;
    }
    size_t room = HTTP_ANSWER_FIELD_SIZE - 1 - answer->value_len;

    len = len < room ? len : room;
    memcpy(answer->value + answer->value_len, data, len);
    answer->value_len += len;
    answer->value[answer->value_len] = '\0';
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    answer_of(parser)->status = parser->status_code;
    return 0;
}

static int on_body(llhttp_t *parser, const char *data, size_t len)
{
    struct http_answer *answer = answer_of(parser);
    size_t room = HTTP_ANSWER_BODY_MAX - answer->body_len;

    answer->body_cut = answer->body_cut || len > room;
    len = len < room ? len : room;
    memcpy(answer->body + answer->body_len, data, len);
    answer->body_len += len;
    answer->body[answer->body_len] = '\0';
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_answer *answer = answer_of(parser);
    bool informational = answer->status >= 100 && answer->status < 200 && answer->status != 101;

    if (informational) {
        return 0;
    }
    answer->complete = true;
    return HPE_PAUSED;
}

void http_answer_init(struct http_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    llhttp_settings_init(&answer->settings);
    answer->settings.on_message_begin = on_message_begin;
    answer->settings.on_header_field = on_header_field;
    answer->settings.on_header_field_complete = on_header_field_complete;
    answer->settings.on_header_value = on_header_value;
    answer->settings.on_headers_complete = on_headers_complete;
    answer->settings.on_body = on_body;
    answer->settings.on_message_complete = on_message_complete;
    llhttp_init(&answer->parser, HTTP_RESPONSE, &answer->settings);
    answer->parser.data = answer;
}

enum http_answer_result http_answer_feed(struct http_answer *answer, struct bytes input,
                                         size_t *ret_used)
{
    const char *data = (const char *)input.data;
    llhttp_errno_t error = llhttp_execute(&answer->parser, data, input.len);
    size_t used = input.len;

    if (error != HPE_OK) {
        const char *position = llhttp_get_error_pos(&answer->parser);

        used = position == NULL ? 0 : (size_t)(position - data);
    }
    *ret_used = used;
    answer->bytes += input.len;
    if (answer->complete) {
        return HTTP_ANSWER_OK;
    }
    if (error != HPE_OK) {
        return HTTP_ANSWER_MALFORMED;
    }
    return answer->bytes > HTTP_ANSWER_BYTES_MAX ? HTTP_ANSWER_TOO_LARGE : HTTP_ANSWER_MORE;
}

enum http_answer_result http_answer_finish(struct http_answer *answer)
{
    llhttp_finish(&answer->parser);
    return answer->complete ? HTTP_ANSWER_OK : HTTP_ANSWER_MALFORMED;
}

uint64_t http_answer_retry_after_ms(const struct http_answer *answer)
{
    uint64_t seconds;
    struct bytes text = bytes_trim(bytes_of_text(answer->retry_after));

    if (bytes_to_uint64(text, &seconds) != 0) {
        return 0;
    }
    return seconds > 86400 ? 86400000u : seconds * 1000;
}
