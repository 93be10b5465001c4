#include "server/key_reload.h"

#include <errno.h>

#include "base/log.h"
#include "token/key_sources.h"

static struct token_keys *load(const struct server_config *config,
                               char error[static TOKEN_KEYS_ERROR_SIZE])
{
    const struct key_sources sources = {.secret = config->secret,
                                        .secret_file = config->secret_file,
                                        .secrets_file = config->secrets_file,
                                        .public_keys = config->public_keys,
                                        .hmac_algorithms = config->hmac_algorithms};

    return key_sources_load(&sources, error);
}

int key_reload_init(struct key_reload *reload, const struct server_config *config,
                    char error[static TOKEN_KEYS_ERROR_SIZE])
{
    struct token_keys *keys = load(config, error);

    if (keys == NULL) {
        return -EINVAL;
    }
    token_keys_slot_init(&reload->slot, keys);
    return 0;
}

void key_reload_deinit(struct key_reload *reload)
{
    if (reload->slot.keys != NULL) {
        token_keys_slot_deinit(&reload->slot);
    }
}

void key_reload_now(struct key_reload *reload, const struct server_config *config)
{
    char error[TOKEN_KEYS_ERROR_SIZE];
    struct token_keys *keys = load(config, error);

    if (keys == NULL) {
        log_error("keys not reloaded, the old ones stay in use", LOG_TEXT("error", error));
        return;
    }
    unsigned count = token_keys_count(keys);

    token_keys_slot_replace(&reload->slot, keys);
    log_warn("keys reloaded", LOG_INT("keys", count)); /* said when it is true */
}
