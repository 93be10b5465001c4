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
struct load_session {
    const char *access_url;  /* "http://host:port"; NULL: no access step */
    const char *connect_url; /* without access step: "{topic}" and "{role}" are replaced */
    const char *audience;
    const char *booking_id; /* NULL: "relay-bench" */
    const struct token_keys *keys;
    SSL_CTX *tls; /* for https and wss */
    bool insecure;
    int64_t token_life_s;
    int receive_buffer_bytes; /* of sockets; 0: the kernel decides */
    unsigned topic_first;     /* so that sessions beside each other have topics of their own */
};

/* Topics are named bench-0, bench-1 … from session->topic_first on. */
struct connector load_session_connector(struct load_session *session);

/* Only connects to the access API, over TLS where it has that. Returns 0 with the connection, or
 * -errno with a reason in error. */
MUST_USE int load_session_handshake(const struct load_session *session,
                                    struct load_transport *ret_transport,
                                    char error[static LOAD_TRANSPORT_ERROR_SIZE]);

/* A token with one scope, malloc'ed; NULL when it cannot be made. */
char *load_session_token_create(const struct load_session *session, const char *topic,
                                const char *scope);

/* A request to the access API with an empty body, on a connection of its own. target: path and
 * query. Returns 0 with the status of the answer, or -errno with a reason in error. */
MUST_USE int load_session_request(const struct load_session *session, const char *method,
                                  const char *target, const char *token, unsigned *ret_status,
                                  char error[static LOAD_TRANSPORT_ERROR_SIZE]);
