#include "server/websocket/identity.h"

#include <stdlib.h>
#include <string.h>

enum { TEXTS = 5 };

static void list_texts(struct identity *identity, const char **ret_texts[static TEXTS])
{
    ret_texts[0] = &identity->booking_id;
    ret_texts[1] = &identity->scopes_json;
    ret_texts[2] = &identity->user_agent;
    ret_texts[3] = &identity->remote_address;
    ret_texts[4] = &identity->reported_address;
}

bool identity_init(struct identity *ret_identity, const struct identity *texts)
{
    struct identity copy = *texts;
    const char **all[TEXTS];
    size_t size = 0;

    list_texts(&copy, all);
    for (int i = 0; i < TEXTS; i++) {
        size += strlen(*all[i]) + 1;
    }
    char *end = copy.block = malloc(size);

    if (copy.block == NULL) {
        return false;
    }
    for (int i = 0; i < TEXTS; i++) {
        size_t len = strlen(*all[i]) + 1;

        *all[i] = memcpy(end, *all[i], len);
        end += len;
    }
    *ret_identity = copy;
    return true;
}

bool identity_of_client(struct identity *ret_identity, const struct permission *permission, int fd,
                        const struct http_request *request,
                        const struct address_list *trusted_proxies)
{
    char user_agent[USER_AGENT_SIZE];
    char remote[REMOTE_ADDRESS_SIZE], reported[REPORTED_ADDRESS_SIZE];

    http_request_field_text(request, "User-Agent", user_agent, sizeof user_agent);
    address_of_client(fd, request, trusted_proxies, remote, reported);
    return identity_init(ret_identity, &(struct identity){.booking_id = permission->booking_id,
                                                          .scopes_json = permission->scopes_json,
                                                          .user_agent = user_agent,
                                                          .remote_address = remote,
                                                          .reported_address = reported});
}

void identity_deinit(struct identity *identity)
{
    free(identity->block);
    *identity = (struct identity){0};
}
