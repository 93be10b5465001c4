/* The keys that verify tokens: read at start, read again on SIGHUP. Main thread only; blocks on
 * files. */
#pragma once

#include "base/attributes.h"
#include "server/config.h"
#include "token/token_keys.h"
#include "token/token_keys_slot.h"

struct key_reload {
    struct token_keys_slot slot;
};

/* 0, or -EINVAL with one line in error: the file and the reason, never its content. */
MUST_USE int key_reload_init(struct key_reload *reload, const struct server_config *config,
                             char error[static TOKEN_KEYS_ERROR_SIZE]);

/* Harmless when init failed or was not called on a zeroed struct. */
void key_reload_deinit(struct key_reload *reload);

/* Reads the keys of config, which may be another one by now. No connection is closed: keys matter
 * only when a token is presented. A bad file is logged and the old keys stay. */
void key_reload_now(struct key_reload *reload, const struct server_config *config);
