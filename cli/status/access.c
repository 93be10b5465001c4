#include "cli/status/access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/version.h"
#include "cli/status/output.h"
#include "client/credential.h"
#include "client/net/http_get.h"
#include "client/relay_status.h"

enum { WATCH_EVERY_S = 5 };

static bool access_prepare(const struct status_settings *settings, struct http_get *get)
{
    char *location;
    int len = (int)strlen(settings->access);

    while (len > 0 && settings->access[len - 1] == '/') {
        len--;
    }
    if (asprintf(&location, "%.*s/status", len, settings->access) < 0) {
        return false;
    }
    enum url_result result = url_parse(location, &get->url);

    free(location);
    if (result != URL_OK || get->url.websocket) {
        fprintf(stderr, "relay status: RELAY_STATUS_ACCESS is invalid: %s\n",
                url_result_text(result == URL_OK ? URL_BAD_SCHEME : result));
        return false;
    }
    if (!get->url.tls && !settings->insecure && !url_is_loopback(&get->url)) {
        fprintf(stderr, "relay status: RELAY_STATUS_ACCESS is not encrypted; use https:// or set "
                        "RELAY_STATUS_INSECURE\n");
        return false;
    }
    get->ca_file = text_is_empty(settings->ca_file) ? NULL : settings->ca_file;
    get->insecure = settings->insecure;
    get->user_agent = "relay-status/" RELAY_VERSION;
    get->timeout_ms = (uint32_t)settings->timeout_ms;
    get->body_bytes_max = RELAY_STATUS_BYTES_MAX;
    return true;
}

/* A copy for credential_release, or NULL with the fault. */
static char *token_take(const struct status_settings *settings, struct fault *fault)
{
    char *token = NULL;
    int64_t mtime_s;

    if (!text_is_empty(settings->token)) {
        if (!credential_is_valid(settings->token)) {
            fault_set(fault, RELAY_CLIENT_FAULT_REFUSED, "RELAY_STATUS_TOKEN is not a token");
            return NULL;
        }
        return strdup(settings->token);
    }
    return credential_file_read(settings->token_file, &token, &mtime_s, fault) == PROGRESS_DONE
               ? token
               : NULL;
}

struct printing {
    const struct status_settings *settings;
    bool tried, printed;
};

static void print_reports(const struct relay_status_reports *reports, void *context)
{
    struct printing *printing = context;
    char *text = output_render(printing->settings, reports);

    printing->tried = true;
    printing->printed = text != NULL && output_print(printing->settings, text);
    free(text);
}

static void print_malformed(const char *reason, void *context)
{
    fprintf(stderr, "relay status: no report: %s\n", reason);
}

static int answer_print(const struct status_settings *settings,
                        const struct http_get_answer *answer)
{
    struct printing printing = {.settings = settings};
    const struct relay_status_callbacks callbacks = {
        .on_reports = print_reports, .on_malformed = print_malformed, .context = &printing};
    char text[RELAY_STATUS_ERROR_SIZE];
    struct relay_status *status;

    if (answer->status != 200) {
        struct bytes said = bytes_of(answer->body, answer->body_len);

        said.len = bytes_find(said, '\n');
        fault_text_clean(said, text, sizeof text);
        fprintf(stderr, "relay status: no report: HTTP %d: %s\n", answer->status, text);
        return 1;
    }
    status = relay_status_create(NULL, &callbacks, text);
    int failed =
        status == NULL ? -ENOMEM : relay_status_feed(status, answer->body, answer->body_len);

    relay_status_destroy(status);
    if (failed == 0 && !printing.tried) {
        print_malformed("the response contains none", NULL);
    }
    return failed == 0 && printing.printed ? 0 : 1;
}

static int access_once(const struct status_settings *settings, struct http_get *get)
{
    struct http_get_answer answer;
    struct fault fault = {.text = "out of memory"};
    char *token = token_take(settings, &fault);

    get->token = token;
    if (token == NULL || http_get(get, &answer, &fault) != PROGRESS_DONE) {
        credential_release(token);
        fprintf(stderr, "relay status: no report: %s\n", fault.text);
        return 1;
    }
    credential_release(token);
    int status = answer_print(settings, &answer);

    http_get_answer_release(&answer);
    return status;
}

int access_run(const struct status_settings *settings)
{
    struct http_get *get = calloc(1, sizeof *get);
    int status = 1;

    if (get != NULL && access_prepare(settings, get)) {
        do {
            status = access_once(settings, get);
        } while (settings->watch && ferror(stdout) == 0 && sleep(WATCH_EVERY_S) == 0);
    }
    free(get);
    return status;
}
