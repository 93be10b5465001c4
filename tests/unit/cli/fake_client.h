/* A client library that connects to nothing, for tests of the tools above it: it takes the place of
 * the real one at link time, keeps what it is told, and lets a test speak for the relay. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "client/relay_client.h"

enum { FAKE_CLIENTS_MAX = 2, FAKE_TOKEN_SIZE = 8192, FAKE_SENT_SIZE = 4096 };

struct relay_client {
    struct relay_client_options options; /* its texts are valid during creation only */
    struct relay_client_callbacks callbacks;
    char location[256];
    char token[FAKE_TOKEN_SIZE];
    unsigned tokens_set; /* after creation */
    bool running;
    unsigned started, stopped;
    uint32_t linger_ms;
    enum relay_client_type sent_type; /* of the last message */
    char sent[FAKE_SENT_SIZE];        /* all messages, each in brackets */
};

static struct relay_client fake_clients[FAKE_CLIENTS_MAX]; /* in the order of their creation */
static unsigned fake_clients_count;
static const char *fake_create_error; /* set: creation fails with it */
static int fake_start_result;
static void (*fake_on_start)(struct relay_client *client); /* as if from the client's thread */
static struct relay_client_statistics fake_statistics;

struct relay_client *relay_client_create(const struct relay_client_options *options,
                                         const struct relay_client_callbacks *callbacks,
                                         char error[RELAY_CLIENT_ERROR_SIZE])
{
    struct relay_client *client = &fake_clients[fake_clients_count];

    if (fake_create_error != NULL) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE, "%s", fake_create_error);
        return NULL;
    }
    cr_assert_lt(fake_clients_count++, FAKE_CLIENTS_MAX);
    *client = (struct relay_client){.options = *options, .callbacks = *callbacks};
    snprintf(client->location, sizeof client->location, "%s", options->location);
    snprintf(client->token, sizeof client->token, "%s",
             options->token == NULL ? "" : options->token);
    return client;
}

int relay_client_start(struct relay_client *client)
{
    if (fake_start_result == 0) {
        client->started++;
        client->running = true;
        if (fake_on_start != NULL) {
            fake_on_start(client);
        }
    }
    return fake_start_result;
}

void relay_client_stop(struct relay_client *client, uint32_t linger_ms)
{
    client->stopped++;
    client->linger_ms = linger_ms;
    client->running = false;
}

void relay_client_destroy(struct relay_client *client)
{
    if (client != NULL) {
        client->running = false;
    }
}

int relay_client_set_token(struct relay_client *client, const char *token)
{
    client->tokens_set++;
    snprintf(client->token, sizeof client->token, "%s", token);
    return 0;
}

void relay_client_statistics(struct relay_client *client,
                             struct relay_client_statistics *ret_statistics)
{
    *ret_statistics = fake_statistics;
}

const char *relay_client_state_text(enum relay_client_state state)
{
    return "a state";
}

const char *relay_client_fault_text(enum relay_client_fault fault)
{
    return "a fault";
}

const char *relay_client_renewal_fault(enum relay_client_renewal renewal)
{
    return renewal == RELAY_CLIENT_RENEWAL_OTHER ? "a fault" : NULL;
}

UNUSED static void fake_say(struct relay_client *client, const struct relay_client_event *event)
{
    struct relay_client_event said = *event;

    said.message = said.message == NULL ? "said the test" : said.message;
    client->callbacks.on_event(&said, client->callbacks.context);
}

UNUSED static void fake_deliver(struct relay_client *client, enum relay_client_type type,
                                const char *text)
{
    client->callbacks.on_message(type, text, strlen(text), client->callbacks.context);
}

UNUSED static void fake_keep(struct relay_client *client, enum relay_client_type type,
                             const void *data, size_t len)
{
    size_t used = strlen(client->sent);

    client->sent_type = type;
    cr_assert_lt(used + len + 3, sizeof client->sent);
    snprintf(client->sent + used, sizeof client->sent - used, "[%.*s]", (int)len,
             (const char *)data);
}
