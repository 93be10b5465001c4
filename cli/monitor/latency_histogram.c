#include "cli/monitor/latency_histogram.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/check.h"
#include "base/octaves.h"

enum { STEPS_LOG2 = 4, BAR_COLUMNS = 40 };

void latency_histogram_record(struct latency_histogram *histogram, uint64_t latency_ns)
{
    histogram->counts[octaves_bucket_of(latency_ns, STEPS_LOG2)]++;
    if (histogram->total == 0 || latency_ns < histogram->min_ns) {
        histogram->min_ns = latency_ns;
    }
    if (latency_ns > histogram->max_ns) {
        histogram->max_ns = latency_ns;
    }
    histogram->sum_ns += (double)latency_ns;
    histogram->total++;
}

uint64_t latency_histogram_permille_ns(const struct latency_histogram *histogram, unsigned permille)
{
    unsigned bucket = octaves_find(histogram->counts, LATENCY_HISTOGRAM_BUCKETS, histogram->total,
                                   permille * 1000);

    if (bucket == LATENCY_HISTOGRAM_BUCKETS) {
        return 0;
    }
    uint64_t end_ns = octaves_bucket_end(bucket, STEPS_LOG2);

    return end_ns < histogram->max_ns ? end_ns : histogram->max_ns;
}

struct text {
    char *data;
    size_t len;
};

PRINTF_LIKE(2, 3) static void append(struct text *text, const char *format, ...)
{
    size_t room = LATENCY_HISTOGRAM_TEXT_SIZE - text->len;
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(text->data + text->len, room, format, arguments);

    va_end(arguments);
    CHECK(len >= 0 && (size_t)len < room); /* 61 lines of some 100 bytes */
    text->len += (size_t)len;
}

static double ms_of(uint64_t ns)
{
    return (double)ns / 1e6;
}

static uint64_t octave_count(const struct latency_histogram *histogram, unsigned octave)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < LATENCY_HISTOGRAM_STEPS; i++) {
        count += histogram->counts[octave * LATENCY_HISTOGRAM_STEPS + i];
    }
    return count;
}

static void append_octave(struct text *text, const struct latency_histogram *histogram,
                          unsigned octave, uint64_t most)
{
    static const char bar[BAR_COLUMNS + 1] = "########################################";
    uint64_t start = octave == 0 ? 0 : UINT64_C(1) << (octave + STEPS_LOG2 - 1);
    uint64_t end = octaves_bucket_end((octave + 1) * LATENCY_HISTOGRAM_STEPS - 1, STEPS_LOG2);
    uint64_t count = octave_count(histogram, octave);
    int columns = (int)((double)count / (double)most * BAR_COLUMNS);

    append(text, "%13.3f - %13.3f ms %10llu%s%.*s\n", ms_of(start), ms_of(end),
           (unsigned long long)count, count > 0 ? " " : "", count > 0 && columns == 0 ? 1 : columns,
           bar);
}

static void append_octaves(struct text *text, const struct latency_histogram *histogram)
{
    unsigned first = octaves_bucket_of(histogram->min_ns, STEPS_LOG2) / LATENCY_HISTOGRAM_STEPS;
    unsigned last = octaves_bucket_of(histogram->max_ns, STEPS_LOG2) / LATENCY_HISTOGRAM_STEPS;
    uint64_t most = 1;

    for (unsigned i = first; i <= last; i++) {
        uint64_t count = octave_count(histogram, i);

        most = count > most ? count : most;
    }
    for (unsigned i = first; i <= last; i++) {
        append_octave(text, histogram, i, most);
    }
}

void latency_histogram_format(const struct latency_histogram *histogram,
                              char text[static LATENCY_HISTOGRAM_TEXT_SIZE])
{
    static const unsigned permilles[] = {500, 900, 990, 999};
    struct text out = {.data = text};

    append(&out, "messages %llu", (unsigned long long)histogram->total);
    if (histogram->total == 0) {
        append(&out, "\n");
        return;
    }
    append(&out, ", latency in ms: min %.3f mean %.3f max %.3f\n", ms_of(histogram->min_ns),
           histogram->sum_ns / (double)histogram->total / 1e6, ms_of(histogram->max_ns));
    for (unsigned i = 0; i < ARRAY_LENGTH(permilles); i++) {
        append(&out, "%s%.1f %% within %.3f", i == 0 ? "" : ", ", (double)permilles[i] / 10,
               ms_of(latency_histogram_permille_ns(histogram, permilles[i])));
    }
    append(&out, "\n");
    append_octaves(&out, histogram);
}
