/* Reaches relay_status_feed, status_reports_are_bounded, status_reports_read. For any input, each
 * text handed out is readable, and no more is delivered than the bounds allow. */
#include <stdint.h>
#include <string.h>

#include "base/attributes.h"
#include "base/check.h"
#include "client/relay_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_direction(const struct relay_status_direction *direction)
{
    CHECK(direction->last_ns >= 0);
    CHECK(!direction->never || direction->last_ns == 0);
}

static void on_reports(const struct relay_status_reports *reports, void *context)
{
    size_t *fed = context;

    CHECK(reports->count <= RELAY_STATUS_REPORTS_MAX && reports->json_len <= *fed);
    CHECK(reports->json_len >= 2 && reports->json[reports->json_len - 1] == ']');
    for (size_t i = 0; i < reports->count; i++) {
        const struct relay_status_report *report = &reports->list[i];

        CHECK(strlen(report->topic) + strlen(report->user_agent) + strlen(report->remote_address) <=
              reports->json_len);
        CHECK(report->scopes_count <= RELAY_STATUS_SCOPES_MAX);
        for (size_t j = 0; j < report->scopes_count; j++) {
            CHECK(strlen(report->scopes[j]) <= reports->json_len);
        }
        check_direction(&report->tx);
        check_direction(&report->rx);
    }
}

static void on_malformed(const char *reason, void *context)
{
    CHECK(*reason != '\0' && strlen(reason) < RELAY_STATUS_ERROR_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct relay_status_callbacks callbacks = {
        .on_reports = on_reports, .on_malformed = on_malformed, .context = &size};
    char error[RELAY_STATUS_ERROR_SIZE];
    struct relay_status *status = relay_status_create(NULL, &callbacks, error);

    CHECK(status != NULL);
    int ignored UNUSED = relay_status_feed(status, (const char *)data, size);

    relay_status_destroy(status);
    return 0;
}
