/* TLS 1.3 in user space: the records are made and opened here, with the keys of the handshake. */
#pragma once

#include "server/conn/transport.h"

extern const struct transport_ops transport_records;
