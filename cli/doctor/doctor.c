/* relay doctor: looks at the machine, the configuration and the running service, and names the cure
 * of what is wrong. */
#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/options/options.h"
#include "cli/command.h"
#include "cli/doctor/machine.h"
#include "cli/doctor/service.h"
#include "cli/option_tables.h"
#include "server/config_table.h"

struct doctor_settings {
    char *config_file;
    char *ca_file;
    bool json;
};

static const struct option_spec specs[] = {
    {.env = "RELAY_CONFIG",
     .flag = "config",
     .type = OPTION_TEXT,
     .offset = offsetof(struct doctor_settings, config_file),
     .default_text = "",
     .help = "File of the options of relay serve, as that reads it; the other RELAY_ variables "
             "count here too."},
    {.env = "RELAY_DOCTOR_CA_FILE",
     .flag = "ca-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct doctor_settings, ca_file),
     .default_text = "",
     .help = "PEM file of certificates to trust instead of the system's store."},
    {.env = "RELAY_DOCTOR_JSON",
     .flag = "json",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct doctor_settings, json),
     .default_text = "false",
     .help = "Print the findings as JSON."},
};

const struct option_table doctor_option_table = {
    .command = "relay doctor",
    .summary = "find what keeps a relay from working",
    .synopsis = "Checks kernel, io_uring, TLS in the kernel, limits and clock of this machine; "
                "options, keys,\n"
                "certificates and ports of relay serve; and whether a token opens a WebSocket at "
                "its public URL.\n"
                "Each finding has its cure. Exit status 0: no faults; 1: some.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

/* False: nothing that depends on options can be checked. */
static bool load(struct findings *findings, const struct doctor_settings *settings,
                 struct server_config *config)
{
    char flag[4096], program[] = "serve", error[OPTIONS_ERROR_SIZE];
    char *argv[] = {program, flag, NULL};
    const struct config_source source = {.argc = text_is_empty(settings->config_file) ? 1 : 2,
                                         .argv = argv};

    snprintf(flag, sizeof flag, "--config=%s", settings->config_file);
    if (config_load(&source, config, error) != OPTIONS_OK || config_complete(config, error) != 0) {
        findings_add(findings, "options", FINDING_FAULT, "correct it; relay serve --check-config",
                     "%s", error);
        return false;
    }
    if (text_is_empty(config->audience) || text_is_empty(config->url)) {
        findings_add(findings, "options", FINDING_FAULT,
                     "give --config, or the variables that the service has",
                     "RELAY_AUDIENCE or RELAY_URL is not set");
        return false;
    }
    findings_add(findings, "options", FINDING_OK, NULL, "valid");
    return true;
}

static int examine(const struct doctor_settings *settings)
{
    struct server_config config = {0};
    struct findings findings;

    findings_begin(&findings, stdout, settings->json);
    bool has_options = load(&findings, settings, &config);

    machine_check(&findings, &config);
    if (has_options) {
        service_check(&findings, &config, settings->ca_file);
    }
    options_release(&serve_option_table, &config);
    return findings_end(&findings);
}

int command_doctor(int argc, char **argv)
{
    struct doctor_settings settings = {0};
    int status = 1;

    if (options_read(&doctor_option_table, argc, argv, &settings, &status)) {
        status = examine(&settings);
    }
    options_release(&doctor_option_table, &settings);
    return status;
}
