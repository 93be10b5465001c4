#include "server/config.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/options/secret_file.h"
#include "server/config_table.h"
#include "server/loop/worker.h"
#include "server/public_url.h"

enum { BUFFER_SIZE_MAX = 512, BUFFER_SIZE_REPLACEMENT = 256 };

static int read_secret_file(struct server_config *config, char *error)
{
    char *secret;

    if (config->secret_file == NULL || config->secret_file[0] == '\0') {
        return 0;
    }
    int failed = secret_file_read_one(config->secret_file, &secret);

    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "cannot read RELAY_SECRET_FILE=%s: %s",
                 config->secret_file, secret_file_reason(failed));
        return failed;
    }
    if (config->secret != NULL) {
        bytes_wipe(config->secret, strlen(config->secret));
        free(config->secret);
    }
    config->secret = secret;
    return 0;
}

static int check_tls(const struct server_config *config, char *error)
{
    if ((config->tls_cert[0] == '\0') != (config->tls_key[0] == '\0')) {
        snprintf(error, OPTIONS_ERROR_SIZE,
                 "RELAY_TLS_CERT and RELAY_TLS_KEY belong together: set both");
        return -EINVAL;
    }
    if (config->tls_cert[0] == '\0' && config->ktls == CONFIG_KTLS_REQUIRE) {
        snprintf(error, OPTIONS_ERROR_SIZE,
                 "RELAY_KTLS=require needs RELAY_TLS_CERT and RELAY_TLS_KEY");
        return -EINVAL;
    }
    return 0;
}

static int check_url(const char *name, const char *text, enum public_url_kind kind, char *error)
{
    if (text_is_empty(text)) {
        return 0; /* options_report_missing names it */
    }
    enum public_url_fault fault = public_url_check(text, kind);

    /* Tokens of today may name the audience with its slash: only the server's own URL is continued.
     */
    if (fault == PUBLIC_URL_OK || (fault == PUBLIC_URL_SLASH && kind == PUBLIC_URL_HTTP)) {
        return 0;
    }
    /* A blank would break the line or hide in it, and a password may stand behind the user. */
    bool is_shown = fault != PUBLIC_URL_BLANK && fault != PUBLIC_URL_USER;

    snprintf(error, OPTIONS_ERROR_SIZE, "%s%s%.300s %s", name, is_shown ? "=" : "",
             is_shown ? text : "", public_url_fault_text(fault, kind));
    return -EINVAL;
}

static int check_urls(const struct server_config *config, char *error)
{
    int failed = check_url("RELAY_AUDIENCE", config->audience, PUBLIC_URL_HTTP, error);

    return failed != 0 ? failed : check_url("RELAY_URL", config->url, PUBLIC_URL_WEBSOCKET, error);
}

static int check_proxies(struct server_config *config, char *error)
{
    if (config->trusted_proxies == NULL ||
        address_list_parse(config->trusted_proxies, &config->trusted) == 0) {
        return 0;
    }
    snprintf(error, OPTIONS_ERROR_SIZE,
             "RELAY_TRUSTED_PROXIES must be addresses or networks, separated by commas");
    return -EINVAL;
}

static int64_t usable_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);

    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : count;
}

enum options_result config_load(const struct config_source *source, struct server_config *config,
                                char error[static OPTIONS_ERROR_SIZE])
{
    const char *path =
        options_text_given(config_table_spec("RELAY_CONFIG"), source->argc, source->argv);
    struct option_file file = {0};

    if (path != NULL && option_file_read(path, &file, error) != 0) {
        return OPTIONS_ERROR;
    }
    const struct option_sources from = {
        .file = path == NULL ? NULL : &file, .file_path = path, .origins = config->origins};
    enum options_result result = options_parse_sources(&serve_option_table, source->argc,
                                                       source->argv, &from, config, error);

    option_file_release(&file);
    return result;
}

int config_complete(struct server_config *config, char error[static OPTIONS_ERROR_SIZE])
{
    int failed = read_secret_file(config, error);

    if (config->buffer_size < 1 || config->buffer_size > BUFFER_SIZE_MAX) {
        config->buffer_size_replaced = true;
        config->buffer_size_asked = config->buffer_size;
        config->buffer_size = BUFFER_SIZE_REPLACEMENT;
    }

    if (failed == 0) {
        failed = check_urls(config, error);
    }
    if (failed == 0) {
        failed = check_tls(config, error);
    }
    if (failed == 0) {
        failed = check_proxies(config, error);
    }
    if (failed == 0 && config->workers == 0) {
        config->workers = usable_cpus();
    }
    return failed;
}
