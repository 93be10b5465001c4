/* Types of records, and the meaning of those that carry no data (RFC 8446 §4.6.3, §5.1, §6). Pure;
 * any thread. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

enum tls_content {
    TLS_CONTENT_ALERT = 21,
    TLS_CONTENT_HANDSHAKE = 22,
    TLS_CONTENT_DATA = 23,
};

enum tls_control {
    TLS_CONTROL_CLOSE,            /* close_notify */
    TLS_CONTROL_NOTHING,          /* user_canceled: what it announces is a close_notify */
    TLS_CONTROL_ALERT,            /* another alert: the peer aborted */
    TLS_CONTROL_REKEY,            /* KeyUpdate */
    TLS_CONTROL_REKEY_AND_ANSWER, /* KeyUpdate that requests ours */
    TLS_CONTROL_BAD_VALUE,        /* KeyUpdate with another request than 0 and 1 */
    TLS_CONTROL_BAD,              /* none of these */
};
enum tls_control tls_control_parse(uint8_t type, struct bytes payload);
