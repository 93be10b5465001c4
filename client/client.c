#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/credential.h"

void client_wake(struct relay_client *client)
{
    uint64_t one = 1;

    if (!client->wake_sent) {
        client->wake_sent = true;
        ssize_t ignored UNUSED = write(client->wake_fd, &one, sizeof one);
    }
}

bool client_wake_taken(struct relay_client *client, uint32_t *ret_linger_ms)
{
    uint64_t count;

    pthread_mutex_lock(&client->mutex);
    if (client->wake_sent) {
        client->wake_sent = false;
        ssize_t ignored UNUSED = read(client->wake_fd, &count, sizeof count);
    }
    bool stopping = client->stopping;

    *ret_linger_ms = client->linger_ms;
    pthread_mutex_unlock(&client->mutex);
    return stopping;
}

struct settings_timing client_timing(struct relay_client *client)
{
    pthread_mutex_lock(&client->mutex);
    struct settings_timing timing = client->timing;

    pthread_mutex_unlock(&client->mutex);
    return timing;
}

static void fault_note(struct relay_client_statistics *statistics,
                       const struct relay_client_event *event)
{
    statistics->last_fault = event->fault;
    statistics->last_http_status = event->http_status;
    snprintf(statistics->last_error, sizeof statistics->last_error, "%s", event->message);
}

void client_enter_state(struct relay_client *client, const struct relay_client_event *event)
{
    pthread_mutex_lock(&client->mutex);
    client->state = event->state;
    if (event->fault != RELAY_CLIENT_FAULT_NONE) {
        fault_note(&client->statistics, event);
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);

    if (client->callbacks.on_event != NULL) {
        client->callbacks.on_event(event, client->callbacks.context);
    }
}

static uint64_t lost_messages(const struct ring *ring)
{
    return ring->dropped_messages[RING_OVERFLOW] + ring->dropped_messages[RING_AGE];
}

int client_queue(struct relay_client *client, struct ring_message *message, uint64_t now_ns)
{
    uint64_t lost_before = lost_messages(&client->ring);
    int failed = ring_push(&client->ring, message, now_ns);

    client->keyframe_wanted =
        client->keyframe_wanted || lost_messages(&client->ring) != lost_before;
    client_wake(client);
    if (failed != 0) {
        ring_message_destroy(message);
    }
    return failed;
}

/* Held messages begin with their only random access: where one finds no room, later ones are of no
 * use. */
static void held_queue(struct relay_client *client, uint64_t now_ns)
{
    struct ring_message *message;

    while ((message = hold_take(&client->hold)) != NULL) {
        size_t len = message->len;

        if (client_queue(client, message, now_ns) != 0) {
            if (client->ring.limits.drop == RELAY_CLIENT_DROP_NONE) {
                ring_count_drop(&client->ring, len, RING_OVERFLOW); /* and it is lost */
            }
            hold_flush(&client->hold);
            hold_await(&client->hold, now_ns);
            client->keyframe_wanted = true;
        }
    }
}

static void queued_hold(struct relay_client *client, uint64_t now_ns)
{
    struct ring_message *message;

    while ((message = ring_take_on_demand(&client->ring)) != NULL) {
        (void)!hold_pass(&client->hold, message, now_ns);
    }
    pthread_cond_broadcast(&client->changed);
}

void client_watch(struct relay_client *client, bool watched)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (hold_watch(&client->hold, watched, now_ns)) {
        client->keyframe_wanted = true;
    }
    if (watched) {
        held_queue(client, now_ns);
    } else {
        queued_hold(client, now_ns);
    }
}

unsigned client_wishes(struct relay_client *client)
{
    pthread_mutex_lock(&client->mutex);
    unsigned wishes = client->wishes;

    pthread_mutex_unlock(&client->mutex);
    return wishes;
}

struct relay_client_report client_wish_take(struct relay_client *client, enum client_wish wish)
{
    pthread_mutex_lock(&client->mutex);
    struct relay_client_report report = client->report;

    client->wishes &= ~(unsigned)wish;
    pthread_mutex_unlock(&client->mutex);
    return report;
}

/* An explicitly set token takes precedence over the file. */
enum progress client_token_take(struct relay_client *client, char **ret_token, struct fault *fault)
{
    int64_t mtime_s = 0;

    pthread_mutex_lock(&client->mutex);
    char *token = client->token == NULL ? NULL : strdup(client->token);
    char *path = client->token_file == NULL ? NULL : strdup(client->token_file);

    pthread_mutex_unlock(&client->mutex);
    enum progress progress = PROGRESS_DONE;

    if (token != NULL) {
        *ret_token = token;
    } else if (path != NULL) {
        progress = credential_file_read(path, ret_token, &mtime_s, fault);
    } else {
        progress = fault_set(fault, RELAY_CLIENT_FAULT_TOKEN_FILE, "no token and no token file");
    }
    free(path);
    pthread_mutex_lock(&client->mutex);
    client->statistics.token_file_mtime_s = mtime_s;
    pthread_mutex_unlock(&client->mutex);
    return progress;
}
