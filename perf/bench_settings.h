/* Settings of relay-bench: the options, checked and combined. Main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/options/options.h"
#include "perf/neighbour/attack.h"
#include "perf/scenario.h"
#include "perf/target/process.h"

/* Option values as parsed; texts are NULL when not given. */
struct bench_settings {
    char *scenarios;
    int64_t topics, viewers, bytes, rate; /* 0: not given */
    int64_t idle;
    char *fanout;
    int64_t scale;    /* percent of the workers to keep busy; 0: rates are given */
    int64_t threads;  /* of the generator */
    int64_t churn;    /* viewers a second that come and go beside the load; 0: none */
    int64_t connects; /* clients that come and leave at once; 0: scenarios are measured */
    int64_t at_once;
    int64_t seconds;
    int64_t warmup_ms;
    int64_t compare; /* rounds; 0: not requested */
    bool floor;
    char *spawn;
    char *server_log;
    char *server_pid;
    char *access;
    char *connect;
    char *audience;
    char *secret;
    char *secret_file;
    int64_t server_cpu, client_cpu; /* BENCH_SETTINGS_CPU_* or a number */
    int64_t workers;
    char *neighbour;
    int64_t neighbour_percent;
    int64_t neighbour_cpu; /* like the others */
    int64_t recover_seconds;
    int64_t crowd; /* viewers; 0: scenarios are measured */
    int64_t crowd_ms;
    int64_t join;  /* viewers that join a live stream; 0: none */
    int64_t stall; /* ms for which a viewer of one reads too slowly; 0: none */
    int64_t stall_percent;
    char *stream;
    int64_t stream_cut;
    int64_t group_ms;
    bool tls;
    bool plain;
    char *ca_file;
    bool insecure;
    char *tls_cert;
    char *tls_key;
    bool json;
    bool allow_late;

    /* Derived from the above. */
    struct scenario_list list;
    struct attack_list attacks; /* count 0: scenarios are measured */
    struct process_set server;
    bool has_server;     /* a relay is to be measured */
    bool has_server_tls; /* likewise, a spawned one over TLS */
    unsigned rounds;
};

enum bench_settings_cpu {
    BENCH_SETTINGS_CPU_ANY = -1,
    BENCH_SETTINGS_CPU_CHOOSE = -2, /* the first two if there are two, and a third or else the
                                     * second for neighbours; otherwise any */
};

/* Like options_parse: on OPTIONS_ERROR the one-line reason is in error; settings is releasable in
 * every case. */
MUST_USE enum options_result bench_settings_parse(int argc, char **argv,
                                                  struct bench_settings *settings,
                                                  char error[static OPTIONS_ERROR_SIZE]);

void bench_settings_release(struct bench_settings *settings);
