/* Metrics as text for a monitoring program: the Prometheus text format 0.0.4, or OpenMetrics 1.0.
 * The text grows on the heap up to a bound. One writer, one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/stats/histogram.h"

enum exposition_limits {
    EXPOSITION_BYTES_MAX = 4 * 1024 * 1024,
    EXPOSITION_LABEL_BYTES = 512, /* of a label's value when it is escaped; longer is cut */
};

#define EXPOSITION_PROMETHEUS  "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct exposition {
    char *text; /* the receiver frees it */
    size_t len, size;
    bool is_openmetrics;
    bool failed; /* memory, or the bound: the text is of no use */
    const char *family;
    const char *suffix; /* of its samples */
};

void exposition_init(struct exposition *out, bool is_openmetrics);

/* Begins a family, relay_<name> or, for one of the process, process_<name>: what follows are its
 * samples until the next one. Of counters the name is without _total, which samples get. The name
 * must live until then. */
enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };
void exposition_family(struct exposition *out, enum exposition_type type, const char *name,
                       const char *help);

/* labels: name="value" pairs with commas between them, or "". */
void exposition_integer(struct exposition *out, const char *labels, uint64_t value);
/* In thousandths. */
void exposition_thousandths(struct exposition *out, const char *labels, uint64_t value);
void exposition_histogram(struct exposition *out, const struct histogram *histogram);

/* name="value" with the value escaped, into text; what is not UTF-8 becomes U+FFFD, because one bad
 * label would cost the whole scrape. */
void exposition_label(const char *name, const char *value,
                      char text[static EXPOSITION_LABEL_BYTES]);

/* The end that OpenMetrics wants. */
void exposition_end(struct exposition *out);
