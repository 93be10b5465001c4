#include "perf/neighbour/encounters.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/generator.h"

static void encounter_add(const struct bench_settings *settings, const struct attack *attack,
                          enum target target, unsigned round, SSL_CTX *tls,
                          struct encounters *encounters)
{
    struct encounter *encounter = &encounters->items[encounters->count++];

    fprintf(stderr, "relay-bench: neighbour %s, %s, run %u of %u\n", attack->name,
            measurement_target_text(target), round + 1, settings->rounds);
    encounter_run(settings, attack, target, round, tls, encounter);
    if (encounter->error[0] != '\0') {
        fprintf(stderr, "relay-bench: neighbour %s: %s\n", attack->name, encounter->error);
    }
}

/* An attack that needs TLS has nothing to do at a plain server when there is one with TLS too. */
static bool is_wanted(const struct bench_settings *settings, const struct attack *attack,
                      enum target target)
{
    if (target == TARGET_SERVER) {
        return settings->has_server && !(attack->needs_tls && settings->has_server_tls);
    }
    return target == TARGET_SERVER_TLS && settings->has_server_tls;
}

static void encounters_run_each(const struct bench_settings *settings, SSL_CTX *tls,
                                struct encounters *encounters)
{
    for (unsigned i = 0; i < settings->attacks.count; i++) {
        for (unsigned round = 0; round < settings->rounds; round++) {
            for (enum target target = 0; target < TARGET_COUNT; target++) {
                if (is_wanted(settings, settings->attacks.items[i], target)) {
                    encounter_add(settings, settings->attacks.items[i], target, round, tls,
                                  encounters);
                }
            }
        }
    }
}

int encounters_run(const struct bench_settings *settings, struct encounters *ret_encounters,
                   char error[static SPAWN_ERROR_SIZE])
{
    size_t count_max = (size_t)settings->attacks.count * settings->rounds * TARGET_COUNT;
    SSL_CTX *tls;

    *ret_encounters =
        (struct encounters){.items = calloc(count_max, sizeof *ret_encounters->items)};
    if (ret_encounters->items == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    int failed = generator_prepare(settings, &tls, error);

    if (failed != 0) {
        return failed;
    }
    encounters_run_each(settings, tls, ret_encounters);
    SSL_CTX_free(tls);
    return 0;
}

void encounters_release(struct encounters *encounters)
{
    free(encounters->items);
    *encounters = (struct encounters){.count = 0};
}
