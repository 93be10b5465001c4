#include "server/tls/record/tls_control.h"

/* Java's TLS sends user_canceled in front of each close_notify (RFC 8446 §6.1): no abort, and what
 * came before it still counts. */
static enum tls_control parse_alert(uint8_t description)
{
    enum { CLOSE_NOTIFY = 0, USER_CANCELED = 90 };

    if (description == CLOSE_NOTIFY) {
        return TLS_CONTROL_CLOSE;
    }
    return description == USER_CANCELED ? TLS_CONTROL_NOTHING : TLS_CONTROL_ALERT;
}

static enum tls_control parse_key_update(uint8_t request_update)
{
    enum { NOT_REQUESTED = 0, REQUESTED = 1 };

    if (request_update == NOT_REQUESTED) {
        return TLS_CONTROL_REKEY;
    }
    return request_update == REQUESTED ? TLS_CONTROL_REKEY_AND_ANSWER : TLS_CONTROL_BAD_VALUE;
}

enum tls_control tls_control_parse(uint8_t type, struct bytes payload)
{
    enum { KEY_UPDATE = 24 };

    if (type == TLS_CONTENT_ALERT && payload.len == 2) {
        return parse_alert(payload.data[1]);
    }
    /* One whole KeyUpdate: type, 24-bit length 1, and whether ours is requested (RFC 8446
       §4.6.3).
     */
    if (type == TLS_CONTENT_HANDSHAKE && payload.len == 5 && payload.data[0] == KEY_UPDATE &&
        payload.data[1] == 0 && payload.data[2] == 0 && payload.data[3] == 1) {
        return parse_key_update(payload.data[4]);
    }
    return TLS_CONTROL_BAD;
}
