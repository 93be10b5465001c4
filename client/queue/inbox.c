#include "client/queue/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void inbox_init(struct inbox *inbox, const struct inbox_limits *limits)
{
    *inbox = (struct inbox){.limits = *limits, .gap = true};
    list_init(&inbox->messages);
}

struct inbox_message *inbox_message_create(enum relay_client_type type, const void *data,
                                           size_t len, uint64_t now_ns)
{
    struct inbox_message *message = malloc(sizeof *message + len);

    if (message == NULL) {
        return NULL;
    }
    message->message = (struct relay_client_message){
        .type = type,
        .received_ns = now_ns,
        .data = message + 1,
        .len = len,
    };
    list_init(&message->node);
    if (len > 0) {
        memcpy(message + 1, data, len);
    }
    return message;
}

void inbox_message_destroy(struct inbox_message *message)
{
    free(message);
}

static struct inbox_message *oldest(const struct inbox *inbox)
{
    return list_empty(&inbox->messages)
               ? NULL
               : container_of(inbox->messages.next, struct inbox_message, node);
}

/* Small messages are bounded, too. */
static uint64_t cost_of(const struct inbox_message *message)
{
    return sizeof *message + message->message.len;
}

static struct inbox_message *take_oldest(struct inbox *inbox)
{
    CHECK(!list_empty(&inbox->messages) && inbox->count > 0);
    struct inbox_message *message =
        container_of(list_take_first(&inbox->messages), struct inbox_message, node);

    inbox->count--;
    inbox->bytes -= cost_of(message);
    return message;
}

void inbox_deinit(struct inbox *inbox)
{
    while (!list_empty(&inbox->messages)) {
        inbox_message_destroy(take_oldest(inbox));
    }
}

void inbox_set_limits(struct inbox *inbox, const struct inbox_limits *limits)
{
    inbox->limits = *limits;
}

void inbox_note_gap(struct inbox *inbox)
{
    inbox->gap = true;
}

/* The loss is told by the message behind it. */
static void drop_oldest(struct inbox *inbox, enum inbox_cause cause)
{
    struct inbox_message *message = take_oldest(inbox);
    struct inbox_message *next = oldest(inbox);

    inbox->dropped_messages[cause]++;
    inbox->dropped_bytes += message->message.len;
    if (next != NULL) {
        next->message.gap = true;
    } else {
        inbox->gap = true;
    }
    inbox_message_destroy(message);
}

static uint64_t age_of(const struct inbox_message *message, uint64_t now_ns)
{
    uint64_t received_ns = message->message.received_ns;

    return now_ns > received_ns ? now_ns - received_ns : 0;
}

static void drop_old(struct inbox *inbox, uint64_t now_ns)
{
    const struct inbox_message *message;

    while (inbox->limits.age_max_ns > 0 && (message = oldest(inbox)) != NULL &&
           age_of(message, now_ns) > inbox->limits.age_max_ns) {
        drop_oldest(inbox, INBOX_AGE);
    }
}

void inbox_put(struct inbox *inbox, struct inbox_message *message, uint64_t now_ns)
{
    drop_old(inbox, now_ns);
    while (inbox->count > 0 && inbox->bytes + cost_of(message) > inbox->limits.bytes_max) {
        drop_oldest(inbox, INBOX_OVERFLOW);
    }
    message->message.gap = inbox->gap;
    inbox->gap = false;
    list_append(&inbox->messages, &message->node);
    inbox->count++;
    inbox->bytes += cost_of(message);
}

struct inbox_message *inbox_take(struct inbox *inbox, uint64_t now_ns)
{
    drop_old(inbox, now_ns);
    return inbox->count > 0 ? take_oldest(inbox) : NULL;
}

uint64_t inbox_age_ns(const struct inbox *inbox, uint64_t now_ns)
{
    const struct inbox_message *message = oldest(inbox);

    return message == NULL ? 0 : age_of(message, now_ns);
}
