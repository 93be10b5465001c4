#include "cli/status/topic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/attributes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "base/version.h"
#include "cli/status/output.h"
#include "client/relay_client.h"
#include "client/relay_status.h"

/* Mailbox from the client's thread to the main thread, which prints: a stalled reader blocks only
 * the main thread, and then misses reports. */
struct mailbox {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const struct status_settings *settings;
    char *text;    /* the latest report, rendered; NULL: none since the last one taken */
    char *failure; /* the latest reason for its absence */
    bool refused;  /* retrying would not help */
    struct relay_status *status;
};

/* The client's thread. */

static void on_reports(const struct relay_status_reports *reports, void *context)
{
    struct mailbox *mailbox = context;
    char *text = output_render(mailbox->settings, reports);

    pthread_mutex_lock(&mailbox->mutex);
    free(mailbox->text);
    mailbox->text = text;
    pthread_cond_signal(&mailbox->changed);
    pthread_mutex_unlock(&mailbox->mutex);
}

static void mailbox_put_failure(struct mailbox *mailbox, const char *reason, bool refused)
{
    char *copy = strdup(reason);

    pthread_mutex_lock(&mailbox->mutex);
    free(mailbox->failure);
    mailbox->failure = copy;
    mailbox->refused = refused;
    pthread_cond_signal(&mailbox->changed);
    pthread_mutex_unlock(&mailbox->mutex);
}

static void on_malformed(const char *reason, void *context)
{
    mailbox_put_failure(context, reason, false);
}

static void on_event(const struct relay_client_event *event, void *context)
{
    struct mailbox *mailbox = context;

    if (event->fault != RELAY_CLIENT_FAULT_NONE) {
        mailbox_put_failure(mailbox, event->message,
                            event->fault == RELAY_CLIENT_FAULT_REFUSED ||
                                event->fault == RELAY_CLIENT_FAULT_TOKEN_FILE);
    }
    if (event->state == RELAY_CLIENT_CONNECTED) {
        /* Best effort: without the scope write the request is ignored, and the report comes a
         * little later. */
        int ignored UNUSED = relay_status_request(mailbox->status);
    }
}

/* The main thread. */

static struct timespec deadline_after_ms(int64_t timeout_ms)
{
    uint64_t at_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000u;

    return (struct timespec){.tv_sec = (time_t)(at_ns / 1000000000u),
                             .tv_nsec = (long)(at_ns % 1000000000u)};
}

/* With the mutex held. */
static void failure_print(struct mailbox *mailbox)
{
    if (mailbox->failure != NULL) {
        fprintf(stderr, "relay status: %s\n", mailbox->failure);
        free(mailbox->failure);
        mailbox->failure = NULL;
    }
}

/* Waits for a report, or a refusal or the deadline when there is one. The report is the caller's;
 * NULL: there is none, and the mailbox has the reason. */
static char *report_wait(struct mailbox *mailbox, const struct timespec *deadline)
{
    int failed = 0;

    pthread_mutex_lock(&mailbox->mutex);
    if (deadline == NULL) {
        failure_print(mailbox); /* of when the last report was printed */
    }
    while (mailbox->text == NULL && failed == 0 && !(deadline != NULL && mailbox->refused)) {
        if (deadline == NULL) {
            failed = pthread_cond_wait(&mailbox->changed, &mailbox->mutex);
            failure_print(mailbox);
        } else {
            failed = pthread_cond_timedwait(&mailbox->changed, &mailbox->mutex, deadline);
        }
    }
    char *text = mailbox->text;

    mailbox->text = NULL;
    pthread_mutex_unlock(&mailbox->mutex);
    return text;
}

static int report_one(struct mailbox *mailbox, int64_t timeout_ms)
{
    struct timespec deadline = deadline_after_ms(timeout_ms);
    char *text = report_wait(mailbox, &deadline);

    if (text == NULL) {
        pthread_mutex_lock(&mailbox->mutex);
        fprintf(stderr, "relay status: no report: %s\n",
                mailbox->failure == NULL ? "connected, but none came in time" : mailbox->failure);
        pthread_mutex_unlock(&mailbox->mutex);
        return 1;
    }
    int status = output_print(mailbox->settings, text) ? 0 : 1;

    free(text);
    return status;
}

static int report_all(struct mailbox *mailbox)
{
    bool printed;

    do {
        char *text = report_wait(mailbox, NULL);

        printed = output_print(mailbox->settings, text);
        free(text);
    } while (printed);
    return 1;
}

static void mailbox_init(struct mailbox *mailbox, const struct status_settings *settings)
{
    *mailbox = (struct mailbox){.settings = settings};
    pthread_mutex_init(&mailbox->mutex, NULL);
    thread_condition_init(&mailbox->changed);
}

static void mailbox_deinit(struct mailbox *mailbox)
{
    free(mailbox->text);
    free(mailbox->failure);
    pthread_cond_destroy(&mailbox->changed);
    pthread_mutex_destroy(&mailbox->mutex);
}

static struct relay_status *client_make(const struct status_settings *settings,
                                        struct mailbox *mailbox)
{
    const struct relay_client_options client_options = {
        .location = settings->session,
        .token = settings->token,
        .token_file = settings->token_file,
        .ca_file = settings->ca_file,
        .insecure = settings->insecure,
        .user_agent = "relay-status/" RELAY_VERSION,
    };
    const struct relay_status_callbacks callbacks = {.on_reports = on_reports,
                                                     .on_malformed = on_malformed,
                                                     .on_event = on_event,
                                                     .context = mailbox};
    char error[RELAY_STATUS_ERROR_SIZE];
    struct relay_status *status = relay_status_create(&client_options, &callbacks, error);

    if (status == NULL) {
        fprintf(stderr, "relay status: %s\n", error);
    }
    return status;
}

int topic_run(const struct status_settings *settings)
{
    struct mailbox mailbox;
    int status = 1;

    mailbox_init(&mailbox, settings);
    mailbox.status = client_make(settings, &mailbox);
    if (mailbox.status != NULL) {
        int failed = relay_status_start(mailbox.status);

        if (failed != 0) {
            fprintf(stderr, "relay status: cannot start: %s\n", strerror(-failed));
        } else if (settings->watch) {
            status = report_all(&mailbox);
        } else {
            status = report_one(&mailbox, settings->timeout_ms);
        }
        relay_status_destroy(mailbox.status);
    }
    mailbox_deinit(&mailbox);
    return status;
}
