/* The options of the running server: read again on SIGHUP, from the file RELAY_CONFIG, as the
 * environment and the flags of a process stay what they are. Main thread only. */
#pragma once

#include "server/conn/conn_table.h"

struct config_reload {
    const struct config_source *source;
    const struct server_config *config; /* in effect */
    struct conn_shared *shared;
    struct config_set *sets; /* that were made; workers may still read any of them */
};

/* config: as the server started with it; the caller's, like the others. */
void config_reload_init(struct config_reload *reload, const struct config_source *source,
                        const struct server_config *config, struct conn_shared *shared);
/* When no worker is left. */
void config_reload_deinit(struct config_reload *reload);

/* Reads the options again and puts those into effect that can change; names those that cannot.
 * After a fault nothing has changed, and a line says why. */
void config_reload_now(struct config_reload *reload);
