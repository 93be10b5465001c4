#include "host/destination/destinations.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "host/destination/recording.h"
#include "wire/ws_frame.h"

/* One destination. */

static void record(struct destination *destination, const struct parcel *message)
{
    if (destination->record_fd >= 0 &&
        !recording_add(destination->record_fd, bytes_of(message->data, message->len))) {
        log_warn("recording ended: the disk refuses more", LOG_TEXT("id", destination->rule.id));
        close(destination->record_fd);
        destination->record_fd = -1;
    }
}

static void on_message(struct feed_member *member, const struct feed_member *sender,
                       struct parcel *message)
{
    struct destination *destination = container_of(member, struct destination, member);

    if (destination->link != NULL && link_send(destination->link, message)) {
        record(destination, message);
    }
}

static void open_recording(const struct destinations *destinations, struct destination *destination)
{
    const char *file = destination->rule.file;

    if (destination->record_fd >= 0) {
        close(destination->record_fd);
        destination->record_fd = -1;
    }
    if (file[0] == '\0') {
        return;
    }
    int fd = recording_open(destinations->settings.record_folder, file);

    if (fd < 0) {
        log_warn("the rule's file is ignored: it must be below RELAY_HOST_RECORD_DIR",
                 LOG_TEXT("id", destination->rule.id), LOG_TEXT("reason", strerror(-fd)));
        return;
    }
    destination->record_fd = fd;
}

static void open_link(struct destinations *destinations, struct destination *destination)
{
    const struct rule *rule = &destination->rule;
    char error[RELAY_CLIENT_ERROR_SIZE];
    struct link_options options = {
        .id = rule->id,
        .destination = rule->destination,
        .token = rule->token,
        .token_file = rule->token_file,
        .ca_file = destinations->settings.ca_file,
        .queue_age_max_ms = destinations->settings.queue_age_max_ms,
        .on_demand = destinations->settings.on_demand,
    };

    destination->link = link_open(&destinations->links, &options, error);
    if (destination->link == NULL) {
        log_warn("the rule cannot be followed", LOG_TEXT("id", rule->id),
                 LOG_TEXT("reason", error));
    }
}

static bool is_connected(const struct destination *destination)
{
    struct relay_client_statistics statistics;

    if (destination->link == NULL) {
        return false;
    }
    link_statistics(destination->link, &statistics);
    return statistics.state == RELAY_CLIENT_CONNECTED;
}

/* With the rule, from no state. False: no memory; the rule is released with the destination. */
static bool start(struct destinations *destinations, struct destination *destination)
{
    destination->member.origin = destination->rule.destination;
    destination->member.may_command = strcmp(destination->rule.id, DESTINATIONS_API_RULE) == 0;
    if (feed_join(destinations->feeds, destination->rule.stream, &destination->member) != 0) {
        return false;
    }
    open_recording(destinations, destination);
    open_link(destinations, destination);
    return true;
}

static void stop(struct destination *destination, uint16_t code)
{
    feed_leave(&destination->member);
    link_close(destination->link, code);
    destination->link = NULL;
    if (destination->record_fd >= 0) {
        close(destination->record_fd);
        destination->record_fd = -1;
    }
}

static void destroy(struct destination *destination, uint16_t code)
{
    stop(destination, code);
    rule_release(&destination->rule);
    free(destination);
}

static void take_received(struct destinations *destinations, struct destination *destination)
{
    struct parcel *message;

    if (destination->link == NULL) {
        return;
    }
    while ((message = link_receive(destination->link, destinations->loop->now_ms)) != NULL) {
        feed_publish(destinations->feeds, &destination->member, message);
        parcel_unref(message);
    }
}

static void on_wake(struct loop_watch *watch, uint32_t events)
{
    struct destinations *destinations = container_of(watch, struct destinations, wake);

    link_group_wake_taken(&destinations->links);
    for (size_t i = 0; i < destinations->count; i++) {
        take_received(destinations, destinations->all[i]);
    }
}

/* All of them. */

int destinations_init(struct destinations *destinations, struct loop *loop,
                      struct feed_table *feeds, const struct destinations_settings *settings)
{
    *destinations = (struct destinations){.settings = *settings, .feeds = feeds, .loop = loop};
    int failed = link_group_init(&destinations->links);

    if (failed != 0) {
        return failed;
    }
    destinations->wake = (struct loop_watch){
        .fd = destinations->links.wake_fd, .events = EPOLLIN, .on_ready = on_wake};
    return loop_watch_add(loop, &destinations->wake);
}

static void remove_at(struct destinations *destinations, size_t place, uint16_t code)
{
    destroy(destinations->all[place], code);
    destinations->count--;
    memmove(&destinations->all[place], &destinations->all[place + 1],
            (destinations->count - place) * sizeof *destinations->all);
}

bool destinations_deinit(struct destinations *destinations, uint32_t timeout_ms)
{
    while (destinations->count > 0) {
        remove_at(destinations, destinations->count - 1, WS_CLOSE_GOING_AWAY);
    }
    free(destinations->all);
    loop_watch_remove(destinations->loop, &destinations->wake);
    return link_group_deinit(&destinations->links, timeout_ms);
}

/* The place of an id: where it is, or belongs. */
static size_t place_of(const struct destinations *destinations, const char *id, bool *ret_found)
{
    size_t place = 0;

    while (place < destinations->count && strcmp(destinations->all[place]->rule.id, id) < 0) {
        place++;
    }
    *ret_found = place < destinations->count && strcmp(destinations->all[place]->rule.id, id) == 0;
    return place;
}

const struct destination *destinations_find(const struct destinations *destinations, const char *id)
{
    bool found;
    size_t place = place_of(destinations, id, &found);

    return found ? destinations->all[place] : NULL;
}

/* NULL: no room. */
static struct destination *insert(struct destinations *destinations, size_t place)
{
    if (destinations->all == NULL) {
        destinations->all = calloc(DESTINATIONS_MAX, sizeof(struct destination *));
    }
    if (destinations->all == NULL || destinations->count == DESTINATIONS_MAX) {
        return NULL;
    }
    struct destination *destination = calloc(1, sizeof *destination);

    if (destination != NULL) {
        memmove(&destinations->all[place + 1], &destinations->all[place],
                (destinations->count - place) * sizeof *destinations->all);
        destinations->all[place] = destination;
        destinations->count++;
        destination->record_fd = -1;
        destination->member.on_message = on_message;
    }
    return destination;
}

bool destinations_put(struct destinations *destinations, struct rule *rule)
{
    bool found;
    size_t place = place_of(destinations, rule->id, &found);
    struct destination *destination =
        found ? destinations->all[place] : insert(destinations, place);

    if (destination == NULL) {
        rule_release(rule);
        return false;
    }
    bool keeps = found && rule_equals(&destination->rule, rule) && is_connected(destination);

    if (!keeps) {
        stop(destination, WS_CLOSE_NORMAL);
    }
    rule_release(&destination->rule);
    destination->rule = *rule;
    *rule = (struct rule){0};
    if (keeps) {
        destination->member.origin = destination->rule.destination;
        open_recording(destinations, destination);
    } else if (!start(destinations, destination)) {
        remove_at(destinations, place, WS_CLOSE_NORMAL);
        return false;
    }
    return true;
}

void destinations_remove(struct destinations *destinations, const char *id)
{
    bool found;
    size_t place = place_of(destinations, id, &found);

    if (found) {
        remove_at(destinations, place, WS_CLOSE_NORMAL);
    }
}

void destinations_remove_listed(struct destinations *destinations,
                                bool (*keeps)(const void *context, const char *id),
                                const void *context)
{
    for (size_t i = destinations->count; i > 0; i--) {
        const struct rule *rule = &destinations->all[i - 1]->rule;

        if (rule->is_listed && !keeps(context, rule->id)) {
            remove_at(destinations, i - 1, WS_CLOSE_NORMAL);
        }
    }
}
