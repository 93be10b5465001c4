#include "perf/generator.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "perf/load/load_transport.h"
#include "perf/target/process.h"

int generator_prepare(const struct bench_settings *settings, SSL_CTX **ret_tls,
                      char error[static SPAWN_ERROR_SIZE])
{
    int failed = process_pin((int)settings->client_cpu);

    *ret_tls = NULL;
    if (failed != 0) {
        snprintf(error, SPAWN_ERROR_SIZE, "cannot use CPU %d: %s", (int)settings->client_cpu,
                 strerror(-failed));
        return failed;
    }
    if (settings->tls) {
        *ret_tls = load_transport_tls_create(settings->ca_file, settings->insecure, error);
        if (*ret_tls == NULL) {
            return -EINVAL;
        }
    }
    process_descriptors_raise();
    return 0;
}
