/* Joins a relay as a client: sign a token, POST it to the access API, upgrade at the WebSocket URI
 * of the answer. Servers without an access API are reached by a WebSocket URL of their own. Main
 * thread; blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/connector.h"
#include "token/token.h"

/* Texts and keys belong to the caller and outlive the session. */
struct session {
    const char *access_url;  /* "http://host:port"; NULL: no access step */
    const char *connect_url; /* without access step: "{topic}" and "{role}" are replaced */
    const char *audience;
    const struct token_keys *keys;
    SSL_CTX *tls; /* for https and wss */
    bool insecure;
    int64_t token_life_s;
};

/* Topics are named bench-0, bench-1 … */
struct connector session_connector(struct session *session);
