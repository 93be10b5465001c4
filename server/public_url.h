/* Checks the public URL of a server as an operator wrote it: clients get URIs that begin with it,
 * so what is wrong in it fails at each of them and nowhere else. No allocation, any thread. */
#pragma once

#include <stdbool.h>

enum public_url_fault {
    PUBLIC_URL_OK,
    PUBLIC_URL_BLANK,  /* a blank, control character or byte outside ASCII (RFC 3986 §2) */
    PUBLIC_URL_SCHEME, /* neither of the two that it may have */
    PUBLIC_URL_USER,   /* '@': a user's name, perhaps with a password (RFC 9110 §4.2.4) */
    PUBLIC_URL_HOST,   /* none (RFC 3986 §3.2.2) */
    PUBLIC_URL_PORT,   /* not 1 to 65535 (RFC 3986 §3.2.3) */
    PUBLIC_URL_QUERY,  /* '?' or '#': what is appended would not be a path */
    PUBLIC_URL_SLASH,  /* at the end: what is appended begins with one */
    PUBLIC_URL_FAULTS,
};

enum public_url_kind {
    PUBLIC_URL_HTTP,      /* http:// or https:// */
    PUBLIC_URL_WEBSOCKET, /* ws:// or wss:// */
};

/* The first fault in the order above. */
enum public_url_fault public_url_check(const char *text, enum public_url_kind kind);

/* The fault and its cure, to be appended to the name and the value of an option: "ends with a
 * slash: remove it". */
const char *public_url_fault_text(enum public_url_fault fault, enum public_url_kind kind);
