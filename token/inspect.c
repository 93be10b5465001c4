#include "token/inspect.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "token/base64url.h"
#include "token/claims.h"
#include "token/json_text.h"
#include "token/key.h"
#include "token/token.h"
#include "token/verify.h"

enum { RELATIVE_SIZE = 32, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 24 * HOUR_S };

/* Terminals obey control characters, so a token must not get any through. */
static void ascii_print(FILE *out, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        fputc(text.data[i] >= ' ' && text.data[i] < 0x7f ? text.data[i] : '?', out);
    }
}

/* As JSON in ASCII, less the quotes when plain. */
static void value_print(FILE *out, const json_t *value, bool plain)
{
    char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    struct bytes text = bytes_of_text(dump == NULL ? "?" : dump);

    if (plain && text.len >= 2) {
        text = bytes_of(text.data + 1, text.len - 2);
    }
    ascii_print(out, text);
    free(dump);
}

static void name_print(FILE *out, const char *name)
{
    json_t *text = json_string(name);

    fputs("  ", out);
    value_print(out, text, true);
    fputs(": ", out);
    json_decref(text);
}

/* "3 h ago", "in 5 min", "now". Rounds down, in the largest unit of which there are two. */
static void relative_write(int64_t time_s, int64_t now_s, char text[static RELATIVE_SIZE])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{365 * DAY_S, "years"}, {DAY_S, "d"}, {HOUR_S, "h"}, {MINUTE_S, "min"}};
    int64_t distance_s = time_s > now_s ? time_s - now_s : now_s - time_s;
    int64_t count = distance_s;
    const char *unit = "s";

    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (distance_s >= 2 * units[i].seconds) {
            count = distance_s / units[i].seconds;
            unit = units[i].name;
            break;
        }
    }
    if (distance_s == 0) {
        snprintf(text, RELATIVE_SIZE, "now");
    } else {
        snprintf(text, RELATIVE_SIZE, time_s > now_s ? "in %" PRId64 " %s" : "%" PRId64 " %s ago",
                 count, unit);
    }
}

static const struct moment {
    const char *claim;
    const char *past;
    const char *future;
} moments[] = {
    {"exp", "expired", "expires"},
    {"nbf", "valid since", "valid from"},
    {"iat", "issued", "issued"},
};

static void moment_print(FILE *out, const struct moment *moment, int64_t time_s, int64_t now_s)
{
    char local[64] = "";
    char relative[RELATIVE_SIZE];
    time_t time = time_s;
    struct tm parts;

    if (localtime_r(&time, &parts) != NULL) {
        strftime(local, sizeof local, "%Y-%m-%d %H:%M:%S %z", &parts);
    }
    relative_write(time_s, now_s, relative);
    fprintf(out, " (%s, %s %s)", local, time_s > now_s ? moment->future : moment->past, relative);
}

/* As claims.c reads them. */
static bool time_read(const json_t *value, int64_t *ret_time_s)
{
    double time_s = json_number_value(value); /* 0 for what is no number */
    bool is_time = json_is_number(value) && time_s >= -(double)CLAIMS_TIME_MAX_S &&
                   time_s <= (double)CLAIMS_TIME_MAX_S;

    if (!is_time) {
        return false;
    }
    *ret_time_s = json_is_integer(value) ? json_integer_value(value) : (int64_t)time_s;
    return *ret_time_s >= -CLAIMS_TIME_MAX_S && *ret_time_s <= CLAIMS_TIME_MAX_S;
}

/* Adds the time to exp, nbf and iat. */
static void time_print(FILE *out, const char *name, const json_t *value, int64_t now_s)
{
    int64_t time_s;

    for (size_t i = 0; i < ARRAY_LENGTH(moments); i++) {
        if (strcmp(name, moments[i].claim) == 0 && time_read(value, &time_s)) {
            moment_print(out, &moments[i], time_s, now_s);
        }
    }
}

static void object_print(FILE *out, json_t *object, int64_t now_s)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        name_print(out, name);
        value_print(out, value, false);
        time_print(out, name, value, now_s);
        fputc('\n', out);
    }
}

static void part_print(FILE *out, struct bytes part, int64_t now_s)
{
    uint8_t json[TOKEN_BYTES_MAX];
    size_t len;
    json_t *object;

    if (base64url_decode(part, json, sizeof json, &len) != 0) {
        fputs("  not base64url\n", out);
        return;
    }
    if (json_text_parse(bytes_of(json, len), &object) != TOKEN_OK) {
        fputs("  not an object of plain JSON\n", out);
        return;
    }
    object_print(out, object, now_s);
    json_decref(object);
}

static void keys_print(FILE *out, const struct token_keys *keys, const struct key *verified_by)
{
    const struct key *key;

    fputs("Keys\n", out);
    if (keys == NULL) {
        fputs("  none is configured\n", out);
        return;
    }
    for (unsigned i = 0; (key = token_keys_at(keys, i)) != NULL; i++) {
        fprintf(out, "  %s%s%s from ", token_algorithm_text(key->algorithm),
                key->id[0] == '\0' ? "" : " ", key->id);
        ascii_print(out, bytes_of_text(key->origin));
        fputs(key == verified_by ? ": signed this token\n" : "\n", out);
    }
}

static const char *cure_of(enum token_result result)
{
    switch (result) {
    case TOKEN_MALFORMED:
        return "; docs/protocol.md says what a token may hold";
    case TOKEN_BAD_ALGORITHM:
        return "; no key of that algorithm is configured under that kid";
    case TOKEN_UNKNOWN_KEY:
        return "; the kid is that of no key above";
    case TOKEN_BAD_SIGNATURE:
        return "; none of the keys above made it, or the token was changed since";
    case TOKEN_OK:
    case TOKEN_TOO_LONG:
    case TOKEN_EXPIRED:
    case TOKEN_TOO_EARLY:
    case TOKEN_INCOMPLETE:
    case TOKEN_NO_MEMORY:
    case TOKEN_RESULT_COUNT:
        break;
    }
    return "";
}

static bool verdict_print(FILE *out, const struct token_inspection *inspection,
                          enum token_result result, const char *member,
                          const struct token_claims *claims)
{
    fputs("Verdict\n  ", out);
    if (inspection->keys == NULL) {
        fputs("refused: no key is configured to check it with\n", out);
        return false;
    }
    if (result != TOKEN_OK) {
        fprintf(out, "refused: %s%s%s%s%s\n", token_result_text(result), member == NULL ? "" : " (",
                member == NULL ? "" : member, member == NULL ? "" : ")", cure_of(result));
        return false;
    }
    if (inspection->audience != NULL && *inspection->audience != '\0' &&
        !token_claims_have_audience(claims, inspection->audience)) {
        fputs("refused: aud does not name ", out);
        ascii_print(out, bytes_of_text(inspection->audience));
        fputc('\n', out);
        return false;
    }
    fputs("valid\n", out);
    return true;
}

bool token_inspect(const struct token_inspection *inspection, struct bytes text, FILE *out)
{
    struct token_parts parts;
    struct token_claims claims;
    struct token_explanation explanation = {0};
    enum token_result result = TOKEN_UNKNOWN_KEY;

    if (inspection->keys != NULL) {
        result = verify_explain(inspection->keys, text, inspection->now_s, &claims, &explanation);
    }
    if (text.len <= TOKEN_BYTES_MAX && verify_split(text, &parts)) {
        fputs("Header\n", out);
        part_print(out, parts.header, inspection->now_s);
        fputs(explanation.key == NULL ? "Claims (anybody may have written them)\n" : "Claims\n",
              out);
        part_print(out, parts.payload, inspection->now_s);
    } else {
        fputs("Not a token: malformed or too long.\n", out);
    }
    keys_print(out, inspection->keys, explanation.key);
    return verdict_print(out, inspection, result, explanation.member, &claims);
}
