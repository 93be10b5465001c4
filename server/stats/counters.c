#include "server/stats/counters.h"

const struct counters_metric counters_metrics[COUNTERS_COUNT] = {
#define COUNTERS_METRIC(name, metric_family, metric_labels, metric_help)                           \
    {.family = (metric_family),                                                                    \
     .labels = (metric_labels),                                                                    \
     .help = (metric_help),                                                                        \
     .offset = offsetof(struct counters, name)},
    COUNTERS_TABLE(COUNTERS_METRIC)
#undef COUNTERS_METRIC
};

void counters_accumulate(struct counters *target, const struct counters *source)
{
#define COUNTERS_ADD(name, ...)                                                                    \
    counters_add(target, name, atomic_load_explicit(&source->name, memory_order_relaxed));
    COUNTERS_TABLE(COUNTERS_ADD)
#undef COUNTERS_ADD
}

static void write_member(struct json_writer *json, const char *name, uint64_t value)
{
    json_writer_text(json, name);
    json_writer_raw(json, ":");
    json_writer_integer(json, (int64_t)value);
}

void counters_write_json(const struct counters *counters, struct json_writer *json)
{
    const char *separator = "{";

#define COUNTERS_WRITE(name, ...)                                                                  \
    json_writer_raw(json, separator);                                                              \
    write_member(json, #name, atomic_load_explicit(&counters->name, memory_order_relaxed));        \
    separator = ",";
    COUNTERS_TABLE(COUNTERS_WRITE)
#undef COUNTERS_WRITE
    json_writer_raw(json, "}");
}
