#include "server/stats/exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/utf8.h"

enum { SIZE_MIN = 32 * 1024, LINE_MAX = 1024 };

void exposition_init(struct exposition *out, bool is_openmetrics)
{
    *out = (struct exposition){.is_openmetrics = is_openmetrics, .suffix = ""};
}

/* Room for one more line. */
static bool reserve(struct exposition *out)
{
    if (out->failed || out->size - out->len >= LINE_MAX) {
        return !out->failed;
    }
    size_t size = out->size == 0 ? SIZE_MIN : 2 * out->size;
    char *text = size > EXPOSITION_BYTES_MAX ? NULL : realloc(out->text, size);

    if (text == NULL) {
        out->failed = true;
        return false;
    }
    out->text = text;
    out->size = size;
    return true;
}

__attribute__((format(printf, 2, 3))) static void write_line(struct exposition *out,
                                                             const char *format, ...)
{
    va_list arguments;

    if (!reserve(out)) {
        return;
    }
    va_start(arguments, format);
    int len = vsnprintf(out->text + out->len, LINE_MAX, format, arguments);

    va_end(arguments);
    if (len < 0 || len >= LINE_MAX) {
        out->failed = true; /* names, labels and numbers of ours are far shorter */
        return;
    }
    out->len += (size_t)len;
}

static const char *prefix(const struct exposition *out)
{
    return strncmp(out->family, "process_", strlen("process_")) == 0 ? "" : "relay_";
}

void exposition_family(struct exposition *out, enum exposition_type type, const char *name,
                       const char *help)
{
    static const char *const types[] = {[EXPOSITION_COUNTER] = "counter",
                                        [EXPOSITION_GAUGE] = "gauge",
                                        [EXPOSITION_HISTOGRAM] = "histogram"};

    out->family = name;
    out->suffix = type == EXPOSITION_COUNTER ? "_total" : "";
    /* The older format names a counter as its samples are named. */
    const char *suffix = out->is_openmetrics ? "" : out->suffix;

    write_line(out, "# HELP %s%s%s %s.\n", prefix(out), name, suffix, help);
    write_line(out, "# TYPE %s%s%s %s\n", prefix(out), name, suffix, types[type]);
}

static void write_sample(struct exposition *out, const char *labels, const char *value)
{
    bool has_labels = labels[0] != '\0';

    write_line(out, "%s%s%s%s%s%s %s\n", prefix(out), out->family, out->suffix,
               has_labels ? "{" : "", labels, has_labels ? "}" : "", value);
}

void exposition_integer(struct exposition *out, const char *labels, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    write_sample(out, labels, text);
}

void exposition_thousandths(struct exposition *out, const char *labels, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRIu64 ".%03u", value / 1000, (unsigned)(value % 1000));
    write_sample(out, labels, text);
}

/* Buckets hold all below their bound. */
void exposition_histogram(struct exposition *out, const struct histogram *histogram)
{
    uint64_t sum_us = atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
    uint64_t count = 0;

    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS_COUNT; i++) {
        count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        write_line(out, "%s%s_bucket{le=\"%s\"} %" PRIu64 "\n", prefix(out), out->family,
                   histogram_bound_text(i), count);
    }
    write_line(out, "%s%s_sum %" PRIu64 ".%06u\n", prefix(out), out->family, sum_us / 1000000,
               (unsigned)(sum_us % 1000000));
    write_line(out, "%s%s_count %" PRIu64 "\n", prefix(out), out->family, count);
}

/* The sequence as it stands in a label, and its length. */
static size_t escape(struct bytes in, char text[static 5], size_t *ret_used)
{
    static const char replacement[] = {'\xef', '\xbf', '\xbd'}; /* U+FFFD */
    size_t len = utf8_sequence_len(in);

    *ret_used = len == 0 ? 1 : len;
    if (len == 0) {
        memcpy(text, replacement, sizeof replacement);
        return sizeof replacement;
    }
    if (in.data[0] == '\n' || in.data[0] == '"' || in.data[0] == '\\') {
        text[0] = '\\';
        text[1] = in.data[0] == '\n' ? 'n' : (char)in.data[0];
        return 2;
    }
    memcpy(text, in.data, len);
    return len;
}

void exposition_label(const char *name, const char *value, char text[static EXPOSITION_LABEL_BYTES])
{
    struct bytes left = bytes_of_text(value);
    size_t used = (size_t)snprintf(text, EXPOSITION_LABEL_BYTES, "%s=\"", name);

    while (left.len > 0) {
        char piece[5];
        size_t taken;
        size_t len = escape(left, piece, &taken);

        if (used + len + sizeof "\"" > EXPOSITION_LABEL_BYTES) {
            break;
        }
        memcpy(text + used, piece, len);
        used += len;
        left = bytes_skip(left, taken);
    }
    memcpy(text + used, "\"", sizeof "\"");
}

void exposition_end(struct exposition *out)
{
    if (out->is_openmetrics) {
        write_line(out, "# EOF\n");
    }
}
