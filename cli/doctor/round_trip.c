#include "cli/doctor/round_trip.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/doctor/service.h"
#include "client/relay_client.h"
#include "token/token.h"

enum { LOCATION_SIZE = 1024, LIFETIME_S = 60, NAP_MS = 10 };

struct trip {
    pthread_mutex_t mutex;
    bool is_over, is_connected;
    enum relay_client_fault fault;
    int http_status;
    char message[FINDING_TEXT_SIZE];
};

static void on_event(const struct relay_client_event *event, void *context)
{
    struct trip *trip = context;

    pthread_mutex_lock(&trip->mutex);
    if (!trip->is_over &&
        (event->state == RELAY_CLIENT_CONNECTED || event->state == RELAY_CLIENT_FAILED)) {
        trip->is_over = true;
        trip->is_connected = event->state == RELAY_CLIENT_CONNECTED;
        trip->fault = event->fault;
        trip->http_status = event->http_status;
        snprintf(trip->message, sizeof trip->message, "%s",
                 event->message == NULL ? "" : event->message);
    }
    pthread_mutex_unlock(&trip->mutex);
}

static bool is_over(struct trip *trip)
{
    pthread_mutex_lock(&trip->mutex);
    bool over = trip->is_over;

    pthread_mutex_unlock(&trip->mutex);
    return over;
}

static char *make_token(const struct token_keys *keys, const char *audience)
{
    int64_t now_s = clock_wall_s();
    struct token_claims claims = {.booking_id = ROUND_TRIP_TOPIC,
                                  .topic = ROUND_TRIP_TOPIC,
                                  .prefix = "session",
                                  .iat_s = now_s - 1,
                                  .nbf_s = now_s - 1,
                                  .exp_s = now_s + LIFETIME_S};
    char *text = NULL;

    if (!token_claims_add_audience(&claims, audience) || !token_claims_add_scope(&claims, "read") ||
        token_sign(keys, &claims, &text) != TOKEN_OK) {
        return NULL;
    }
    return text;
}

static const char *cure_of(const struct trip *trip)
{
    switch (trip->fault) {
    case RELAY_CLIENT_FAULT_CONNECT:
    case RELAY_CLIENT_FAULT_TIMEOUT:
        return "start relay (systemctl start relay); open the port in the firewall; look at the "
               "proxy in front";
    case RELAY_CLIENT_FAULT_TLS:
        return "correct the certificate and its chain, or give --ca-file";
    case RELAY_CLIENT_FAULT_REFUSED:
        return "RELAY_AUDIENCE, keys or clock of the running relay differ from these: send SIGHUP "
               "or restart it";
    case RELAY_CLIENT_FAULT_HTTP:
        return "the public URL leads to something else than relay: correct RELAY_AUDIENCE, "
               "RELAY_URL or the proxy in front";
    default:
        return "journalctl -u relay";
    }
}

/* Sessions lie below the public URL. */
static void travel(struct trip *trip, const char *audience, const char *token, const char *ca_file)
{
    char location[LOCATION_SIZE];
    size_t len = strlen(audience);

    len -= len > 0 && audience[len - 1] == '/';
    snprintf(location, sizeof location, "%.*s/session/%s", (int)len, audience, ROUND_TRIP_TOPIC);
    const struct relay_client_options options = {.location = location,
                                                 .token = token,
                                                 .ca_file = text_is_empty(ca_file) ? NULL : ca_file,
                                                 .no_reconnect = true,
                                                 .allow_plain = true,
                                                 .connect_timeout_ms = SERVICE_WAIT_MS,
                                                 .user_agent = "relay-doctor"};
    const struct relay_client_callbacks callbacks = {.on_event = on_event, .context = trip};
    char error[RELAY_CLIENT_ERROR_SIZE] = "";
    struct relay_client *client = relay_client_create(&options, &callbacks, error);

    if (client == NULL || relay_client_start(client) != 0) {
        snprintf(trip->message, sizeof trip->message, "%s",
                 error[0] == '\0' ? "out of memory" : error);
        relay_client_destroy(client);
        return;
    }
    uint64_t end_ms = clock_monotonic_ms() + SERVICE_WAIT_MS + 1000;

    while (!is_over(trip) && clock_monotonic_ms() < end_ms) {
        nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000}, NULL);
    }
    relay_client_destroy(client);
}

void round_trip_check(struct findings *findings, const char *audience,
                      const struct token_keys *keys, const char *ca_file)
{
    struct trip trip = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    char *token = make_token(keys, audience);

    if (token == NULL) {
        findings_add(findings, "round_trip", FINDING_OK, NULL,
                     "not tried: only the booking system can sign tokens");
        return;
    }
    travel(&trip, audience, token, ca_file);
    bytes_wipe(token, strlen(token));
    free(token);
    if (trip.is_connected) {
        findings_add(findings, "round_trip", FINDING_OK, NULL,
                     "a token opened a WebSocket at the public URL");
    } else {
        findings_add(findings, "round_trip", FINDING_FAULT, cure_of(&trip), "%s",
                     trip.message[0] == '\0' ? "no answer in time" : trip.message);
    }
    pthread_mutex_destroy(&trip.mutex);
}
