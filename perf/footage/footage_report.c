#include "perf/footage/footage_report.h"

double footage_report_ms(const struct histogram *histogram, unsigned ppm)
{
    return (double)histogram_percentile(histogram, ppm) / 1e6;
}

json_t *footage_report_times(const struct histogram *histogram)
{
    if (histogram->count == 0) {
        return json_null();
    }
    return json_pack("{s:f, s:f, s:f}", "p50", footage_report_ms(histogram, FOOTAGE_REPORT_P50),
                     "p99", footage_report_ms(histogram, FOOTAGE_REPORT_P99), "max",
                     (double)histogram->max / 1e6);
}

static double kbits_per_s(const struct footage *footage)
{
    return (double)footage->len * 8 / 1000 * footage->rate / footage->pictures_count;
}

void footage_report_print(const struct footage *footage, size_t cut_bytes, FILE *out)
{
    fprintf(out, "stream %u pictures, %u of them key, %.2f a second, %.0f kbit/s, ",
            footage->pictures_count, footage->keys_count, footage->rate, kbits_per_s(footage));
    if (cut_bytes > 0) {
        fprintf(out, "in messages of %zu bytes\n", cut_bytes);
    } else {
        fprintf(out, "a message for each picture\n");
    }
}

json_t *footage_report_json(const struct footage *footage, size_t cut_bytes)
{
    return json_pack("{s:i, s:i, s:f, s:I, s:f, s:I}", "pictures", (int)footage->pictures_count,
                     "key_pictures", (int)footage->keys_count, "pictures_per_s", footage->rate,
                     "bytes", (json_int_t)footage->len, "kbit_per_s", kbits_per_s(footage),
                     "cut_bytes", (json_int_t)cut_bytes);
}
