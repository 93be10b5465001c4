/* The process that generates load: its CPU, its TLS context, its descriptors. Main thread, before
 * anything is measured; blocks on the CA file. */
#pragma once

#include <openssl/types.h>

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/target/spawn.h"

/* Pins this thread to the settings' CPU, raises the limit of descriptors as far as possible, and
 * makes the context for TLS, if it is asked for: *ret_tls is owned by the caller, and NULL without
 * TLS. 0, or -errno with one line in error and no context. */
MUST_USE int generator_prepare(const struct bench_settings *settings, SSL_CTX **ret_tls,
                               char error[static SPAWN_ERROR_SIZE]);
