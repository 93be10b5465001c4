#include "client/status_reports.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/options/duration.h"

/* A report has seven brackets with all that is known, and some thirty commas. The parser takes a
 * few hundred bytes for each object, so these are counted, not only bytes. */
enum structure_limits {
    BRACKETS_MAX = 8 * RELAY_STATUS_REPORTS_MAX,
    COMMAS_MAX = 40 * RELAY_STATUS_REPORTS_MAX,
    TEXT_SIZE = 64, /* of durations and times */
};

bool status_reports_are_bounded(struct bytes input)
{
    size_t brackets = 0, commas = 0;
    bool in_text = false;

    if (input.len > RELAY_STATUS_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < input.len; i++) {
        uint8_t c = input.data[i];

        if (c == '"') {
            in_text = !in_text;
        } else if (in_text) {
            i += c == '\\';
        } else {
            brackets += c == '[' || c == '{';
            commas += c == ',';
        }
    }
    return brackets <= BRACKETS_MAX && commas <= COMMAS_MAX;
}

/* One element, and where to report its fault. */
struct reading {
    const json_t *object;
    size_t index;
    char *error;
};

static bool wrong(const struct reading *reading, const char *key, const char *what)
{
    snprintf(reading->error, RELAY_STATUS_ERROR_SIZE, "report %zu: %s %s", reading->index, key,
             what);
    return false;
}

/* NULL when it is missing or null, which Go writes for some missing values. */
static const json_t *member(const struct reading *reading, const char *key, const char *other_key)
{
    const json_t *value = json_object_get(reading->object, key);

    if (value == NULL && other_key != NULL) {
        value = json_object_get(reading->object, other_key);
    }
    return json_is_null(value) ? NULL : value;
}

static bool read_boolean(const struct reading *reading, const char *key, const char *other_key,
                         bool *ret_value)
{
    const json_t *value = member(reading, key, other_key);

    if (value != NULL && !json_is_boolean(value)) {
        return wrong(reading, key, "is neither true nor false");
    }
    *ret_value = json_is_true(value);
    return true;
}

static bool read_text(const struct reading *reading, const char *key, const char *other_key,
                      const char **ret_text)
{
    const json_t *value = member(reading, key, other_key);

    if (value != NULL && !json_is_string(value)) {
        return wrong(reading, key, "is not a string");
    }
    *ret_text = value == NULL ? "" : json_string_value(value);
    return true;
}

static bool read_number(const struct reading *reading, const char *key, double *ret_number)
{
    const json_t *value = member(reading, key, NULL);

    if (value != NULL && !json_is_number(value)) {
        return wrong(reading, key, "is not a number");
    }
    *ret_number = json_number_value(value);
    return true;
}

static bool two_digits(const char *text, int *ret_number)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1])) {
        return false;
    }
    *ret_number = (text[0] - '0') * 10 + text[1] - '0';
    return true;
}

/* "Z" or "+01:30" after an optional fraction of a second; RFC 3339 §5.6. */
static bool zone_parse(const char *text, int64_t *ret_offset_s)
{
    int hours, minutes;

    if (*text == '.') {
        text += 1 + strspn(text + 1, "0123456789");
    }
    *ret_offset_s = 0;
    if (strcmp(text, "Z") == 0) {
        return true;
    }
    if ((*text != '+' && *text != '-') || !two_digits(text + 1, &hours) || text[3] != ':' ||
        !two_digits(text + 4, &minutes) || text[6] != '\0') {
        return false;
    }
    *ret_offset_s = (hours * 60 + minutes) * INT64_C(60) * (*text == '-' ? -1 : 1);
    return true;
}

static bool time_parse(const char *text, int64_t *ret_time_s)
{
    struct tm utc = {0};
    int64_t offset_s;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);

    if (rest == NULL || strlen(text) >= TEXT_SIZE || !zone_parse(rest, &offset_s)) {
        return false;
    }
    *ret_time_s = (int64_t)timegm(&utc) - offset_s;
    return true;
}

static bool read_time(const struct reading *reading, const char *key, const char *other_key,
                      int64_t *ret_time_s)
{
    const char *text;

    if (!read_text(reading, key, other_key, &text)) {
        return false;
    }
    *ret_time_s = 0;
    return *text == '\0' || time_parse(text, ret_time_s) ||
           wrong(reading, key, "is not a time (RFC 3339)");
}

static bool read_scopes(const struct reading *reading, struct relay_status_report *report)
{
    const json_t *scopes = member(reading, "scopes", NULL);
    size_t count = json_array_size(scopes);

    if (scopes != NULL && !json_is_array(scopes)) {
        return wrong(reading, "scopes", "is not an array");
    }
    for (size_t i = 0; i < count; i++) {
        const char *scope = json_string_value(json_array_get(scopes, i));

        if (scope == NULL) {
            return wrong(reading, "scopes", "holds what is not a string");
        }
        if (i < RELAY_STATUS_SCOPES_MAX) {
            report->scopes[report->scopes_count++] = scope;
        }
    }
    return true;
}

/* Go's duration; a clock that stepped makes it negative. */
static bool last_parse(const char *text, struct relay_status_direction *direction)
{
    char trimmed[TEXT_SIZE];

    text += strspn(text, " \t\r\n");
    size_t len = strlen(text);

    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    direction->never = len == 0 || (len == 5 && strncasecmp(text, "never", 5) == 0);
    if (direction->never) {
        return true;
    }
    bool negative = *text == '-';

    if (bytes_to_text(bytes_of(text + negative, len - negative), trimmed, sizeof trimmed) != 0 ||
        duration_parse_ns(trimmed, &direction->last_ns) != 0) {
        return false;
    }
    if (negative) {
        direction->last_ns = 0;
    }
    return true;
}

static bool read_last(const struct reading *reading, struct relay_status_direction *direction)
{
    const json_t *last = member(reading, "last", NULL);

    direction->never = last == NULL;
    if (last == NULL) {
        return true;
    }
    if (json_is_integer(last)) {
        json_int_t ns = json_integer_value(last);

        direction->last_ns = ns < 0 ? 0 : ns;
        return true;
    }
    return (json_is_string(last) && last_parse(json_string_value(last), direction)) ||
           wrong(reading, "last", "is neither a duration nor nanoseconds");
}

static bool read_direction(const struct reading *report, const json_t *statistics, const char *name,
                           struct relay_status_direction *direction)
{
    struct reading reading = *report;

    reading.object = json_object_get(statistics, name);
    if (reading.object == NULL || json_is_null(reading.object)) {
        direction->never = true;
        return true;
    }
    if (!json_is_object(reading.object)) {
        return wrong(report, name, "is not an object");
    }
    return read_last(&reading, direction) && read_number(&reading, "size", &direction->size) &&
           read_number(&reading, "fps", &direction->fps);
}

/* The sum of all policies, whatever their names. */
static bool read_dropped(const struct reading *reading, struct relay_status_report *report)
{
    const json_t *dropped = member(reading, "dropped", NULL);
    const char *name;
    json_t *count;

    if (dropped == NULL) {
        return true;
    }
    if (!json_is_object(dropped)) {
        return wrong(reading, "dropped", "is not an object");
    }
    json_object_foreach((json_t *)(uintptr_t)dropped, name, count)
    {
        if (!json_is_integer(count) || json_integer_value(count) < 0) {
            return wrong(reading, "dropped", "holds something else than counts");
        }
        report->dropped += (uint64_t)json_integer_value(count);
    }
    return true;
}

static bool read_latency(const struct reading *report, struct relay_status_report *ret_report)
{
    static const char *const keys[RELAY_STATUS_HOPS][2] = {
        [RELAY_STATUS_PUBLISH] = {"publish_p50", "publish_p99"},
        [RELAY_STATUS_RELAY] = {"relay_p50", "relay_p99"},
        [RELAY_STATUS_DELIVER] = {"deliver_p50", "deliver_p99"},
        [RELAY_STATUS_DECODE] = {"decode_p50", "decode_p99"},
    };
    struct reading reading = *report;

    reading.object = member(report, "latency", NULL);
    if (reading.object == NULL) {
        return true;
    }
    if (!json_is_object(reading.object)) {
        return wrong(report, "latency", "is not an object");
    }
    for (unsigned i = 0; i < RELAY_STATUS_HOPS; i++) {
        struct relay_status_latency *latency = &ret_report->latency[i];

        latency->known = json_object_get(reading.object, keys[i][0]) != NULL;
        if (!read_number(&reading, keys[i][0], &latency->p50_ms) ||
            !read_number(&reading, keys[i][1], &latency->p99_ms)) {
            return false;
        }
    }
    return true;
}

static bool read_statistics(const struct reading *reading, struct relay_status_report *report)
{
    const json_t *statistics = member(reading, "stats", NULL);

    if (statistics == NULL) {
        return true;
    }
    if (!json_is_object(statistics)) {
        return wrong(reading, "stats", "is not an object");
    }
    report->has_statistics = true;
    return read_direction(reading, statistics, "tx", &report->tx) &&
           read_direction(reading, statistics, "rx", &report->rx);
}

static bool read_report(const struct reading *reading, struct relay_status_report *report)
{
    *report = (struct relay_status_report){0};
    if (!json_is_object(reading->object)) {
        return wrong(reading, "itself", "is not an object");
    }
    return read_boolean(reading, "canRead", "can_read", &report->can_read) &&
           read_boolean(reading, "canWrite", "can_write", &report->can_write) &&
           read_time(reading, "connected", "connected_at", &report->connected_s) &&
           read_time(reading, "expiresAt", "expires_at", &report->expires_s) &&
           read_text(reading, "remoteAddr", "remote_addr", &report->remote_address) &&
           read_text(reading, "topic", NULL, &report->topic) &&
           read_text(reading, "userAgent", "user_agent", &report->user_agent) &&
           read_scopes(reading, report) && read_statistics(reading, report) &&
           read_dropped(reading, report) && read_latency(reading, report);
}

static enum status_reports_result read_list(struct status_reports *reports, char *error)
{
    reports->count = json_array_size(reports->root);
    if (reports->count > RELAY_STATUS_REPORTS_MAX) {
        snprintf(error, RELAY_STATUS_ERROR_SIZE, "more than %d reports", RELAY_STATUS_REPORTS_MAX);
        return STATUS_REPORTS_TOO_BIG;
    }
    reports->list = calloc(reports->count + 1, sizeof *reports->list);
    if (reports->list == NULL) {
        snprintf(error, RELAY_STATUS_ERROR_SIZE, "out of memory");
        return STATUS_REPORTS_NO_MEMORY;
    }
    for (size_t i = 0; i < reports->count; i++) {
        struct reading reading = {
            .object = json_array_get(reports->root, i), .index = i, .error = error};

        if (!read_report(&reading, &reports->list[i])) {
            return STATUS_REPORTS_BAD;
        }
    }
    return STATUS_REPORTS_OK;
}

static enum status_reports_result judge_failed_load(const json_error_t *failure, char *error)
{
    if (json_error_code(failure) == json_error_out_of_memory) {
        snprintf(error, RELAY_STATUS_ERROR_SIZE, "out of memory");
        return STATUS_REPORTS_NO_MEMORY;
    }
    snprintf(error, RELAY_STATUS_ERROR_SIZE, "not JSON, at byte %d", failure->position);
    return STATUS_REPORTS_BAD;
}

enum status_reports_result status_reports_read(struct bytes input, struct status_reports *reports,
                                               size_t *ret_used,
                                               char error[static RELAY_STATUS_ERROR_SIZE])
{
    struct status_reports read = {0};
    json_error_t failure;
    size_t blanks = 0;

    while (blanks < input.len && strchr(" \t\r\n", input.data[blanks]) != NULL &&
           input.data[blanks] != '\0') {
        blanks++;
    }
    if (blanks == input.len) {
        return STATUS_REPORTS_END;
    }
    read.root = json_loadb((const char *)input.data + blanks, input.len - blanks,
                           JSON_DISABLE_EOF_CHECK, &failure);
    if (read.root == NULL) {
        return judge_failed_load(&failure, error);
    }
    size_t used = blanks + (size_t)failure.position;
    enum status_reports_result result =
        json_is_array(read.root) ? read_list(&read, error) : STATUS_REPORTS_OTHER;

    if (result == STATUS_REPORTS_OK || result == STATUS_REPORTS_OTHER) {
        *ret_used = used;
    }
    if (result == STATUS_REPORTS_OK) {
        *reports = read;
    } else {
        status_reports_release(&read);
    }
    return result;
}

void status_reports_release(struct status_reports *reports)
{
    free(reports->list);
    json_decref(reports->root);
    *reports = (struct status_reports){0};
}
