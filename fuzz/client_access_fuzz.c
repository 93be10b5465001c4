/* Reaches http_answer_feed, http_answer_finish, http_answer_retry_after_ms, access_answer_read,
 * handshake_answer_check, fault_text_clean. However the bytes are split, the result is the same;
 * texts about it are printable and hold no token. Input: how to split, then a response. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "client/net/access.h"
#include "client/net/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_answer_result feed(struct http_answer *answer, struct bytes input, size_t step,
                                    size_t *ret_used)
{
    enum http_answer_result result = HTTP_ANSWER_MORE;

    http_answer_init(answer);
    *ret_used = 0;
    while (result == HTTP_ANSWER_MORE && *ret_used < input.len) {
        struct bytes part = bytes_skip(input, *ret_used);
        size_t used;

        part.len = part.len < step ? part.len : step;
        result = http_answer_feed(answer, part, &used);
        CHECK(used <= part.len);
        CHECK(result != HTTP_ANSWER_MORE || used == part.len);
        *ret_used += used;
    }
    return result == HTTP_ANSWER_MORE ? http_answer_finish(answer) : result;
}

static void check_fault(const struct fault *fault)
{
    CHECK(fault->kind != RELAY_CLIENT_FAULT_NONE && fault->text[0] != '\0');
    for (const char *c = fault->text; *c != '\0'; c++) {
        CHECK(*c >= ' ' && *c <= '~');
    }
    CHECK(strstr(fault->text, "eyJ") == NULL);
}

static void check_judgements(const struct http_answer *answer)
{
    static const struct handshake handshake = {.key = "dGhlIHNhbXBsZSBub25jZQ=="};
    struct fault fault;
    struct url url;

    fault_clear(&fault);
    if (access_answer_read(answer, &url, &fault) == PROGRESS_DONE) {
        CHECK(answer->status == 200 && url.websocket && url.host[0] != '\0');
    } else {
        check_fault(&fault);
    }
    fault_clear(&fault);
    if (handshake_answer_check(&handshake, answer, &fault) == PROGRESS_DONE) {
        CHECK(answer->status == 101);
    } else {
        check_fault(&fault);
    }
    CHECK(http_answer_retry_after_ms(answer) <= 86400000u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* An answer that is complete is taken whole, however long; in pieces its length counts. */
    if (size < 1 || size > HTTP_ANSWER_BYTES_MAX) {
        return 0;
    }
    struct http_answer *whole = malloc(sizeof *whole);
    struct http_answer *split = malloc(sizeof *split);
    struct bytes input = bytes_of(data + 1, size - 1);
    size_t whole_used, split_used;

    CHECK(whole != NULL && split != NULL);
    enum http_answer_result result = feed(whole, input, input.len + 1, &whole_used);

    CHECK(feed(split, input, (size_t)data[0] + 1, &split_used) == result ||
          result == HTTP_ANSWER_TOO_LARGE);
    if (result == HTTP_ANSWER_OK) {
        CHECK(whole_used == split_used && whole->status == split->status);
        CHECK(strcmp(whole->body, split->body) == 0);
        CHECK(strcmp(whole->accept, split->accept) == 0);
        CHECK(whole->body_len <= HTTP_ANSWER_BODY_MAX);
        check_judgements(whole);
    }
    free(whole);
    free(split);
    return 0;
}
