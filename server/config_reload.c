#include "server/config_reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/options/option_value.h"
#include "server/config_table.h"

enum { VALUE_SIZE = 8192, NAMES_SIZE = 1024 };

struct config_set {
    struct config_set *next;
    struct server_config config;
};

/* Options that workers and the main thread look up each time, and those of keys, for
 * key_reload_now. All others are built in at the start. */
static const char *const changeable[] = {
    "RELAY_TRUSTED_PROXIES", "RELAY_CORS_ORIGINS",    "RELAY_PRIVACY",
    "RELAY_ADMIN_HOSTS",     "RELAY_TEXT_UTF8",       "RELAY_HANDSHAKE_TIMEOUT",
    "RELAY_WRITE_TIMEOUT",   "RELAY_PING_INTERVAL",   "RELAY_STATS_EVERY",
    "RELAY_TIDY_EVERY",      "RELAY_DRAIN_TIME",      "RELAY_HANDOVER_DRAIN",
    "RELAY_LOG_FILE",        "RELAY_LOG_FORMAT",      "RELAY_LOG_LEVEL",
    "RELAY_SECRET",          "RELAY_SECRET_FILE",     "RELAY_SECRETS_FILE",
    "RELAY_PUBLIC_KEYS",     "RELAY_HMAC_ALGORITHMS",
};

void config_reload_init(struct config_reload *reload, const struct config_source *source,
                        const struct server_config *config, struct conn_shared *shared)
{
    *reload = (struct config_reload){.source = source, .config = config, .shared = shared};
}

static void destroy(struct config_set *set)
{
    options_release(&serve_option_table, &set->config);
    free(set);
}

void config_reload_deinit(struct config_reload *reload)
{
    while (reload->sets != NULL) {
        struct config_set *next = reload->sets->next;

        destroy(reload->sets);
        reload->sets = next;
    }
}

static bool is_changeable(const struct option_spec *spec)
{
    for (size_t i = 0; i < ARRAY_LENGTH(changeable); i++) {
        if (strcmp(changeable[i], spec->env) == 0) {
            return true;
        }
    }
    return false;
}

/* A secret has no text to compare. That of a file is read again with the keys. */
static bool is_same_secret(const struct server_config *a, const struct server_config *b)
{
    return !text_is_empty(b->secret_file) ||
           strcmp(a->secret == NULL ? "" : a->secret, b->secret == NULL ? "" : b->secret) == 0;
}

static bool is_same(const struct option_spec *spec, const struct server_config *a,
                    const struct server_config *b)
{
    char texts[2][VALUE_SIZE];

    if (spec->type == OPTION_SECRET) {
        return is_same_secret(a, b);
    }
    option_value_write(spec, a, texts[0], sizeof texts[0]);
    option_value_write(spec, b, texts[1], sizeof texts[1]);
    return strcmp(texts[0], texts[1]) == 0;
}

static void add_name(char names[static NAMES_SIZE], const char *name)
{
    size_t used = strlen(names);

    snprintf(names + used, NAMES_SIZE - used, "%s%s", used == 0 ? "" : ", ", name);
}

/* The options in effect are told truly: those that need a restart keep their value. */
static int keep_others(const struct server_config *before, struct server_config *now,
                       char changed[static NAMES_SIZE], char kept[static NAMES_SIZE],
                       char error[static OPTIONS_ERROR_SIZE])
{
    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        const struct option_spec *spec = &serve_option_table.specs[i];
        char text[VALUE_SIZE];

        if (is_same(spec, before, now)) {
            continue;
        }
        if (is_changeable(spec)) {
            add_name(changed, spec->env);
            continue;
        }
        add_name(kept, spec->env);
        option_value_write(spec, before, text, sizeof text);
        now->origins[i] = before->origins[i];
        int failed = option_value_set(spec, spec->env, text, now, error);

        if (failed != 0) {
            return failed;
        }
    }
    return 0;
}

static int load(const struct config_reload *reload, struct server_config *config,
                char error[static OPTIONS_ERROR_SIZE])
{
    if (config_load(reload->source, config, error) != OPTIONS_OK) {
        return -EINVAL;
    }
    return config_complete(config, error);
}

static int apply(struct config_reload *reload, struct config_set *set,
                 char error[static OPTIONS_ERROR_SIZE])
{
    const struct server_config *config = &set->config;
    int failed = log_change(config->log_file, (enum log_level)config->log_level,
                            (enum log_format)config->log_format);

    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "cannot open RELAY_LOG_FILE=%.300s: %s",
                 config->log_file, strerror(-failed));
        return failed;
    }
    atomic_store(&reload->shared->config, config);
    atomic_store(&reload->shared->access.cors_origins, config->cors_origins);
    set->next = reload->sets;
    reload->sets = set;
    reload->config = config;
    return 0;
}

static void refuse(struct config_set *set, const char *error)
{
    log_error("options not reloaded, the old ones stay in effect", LOG_TEXT("error", error));
    if (set != NULL) {
        destroy(set);
    }
}

void config_reload_now(struct config_reload *reload)
{
    struct config_set *set = calloc(1, sizeof *set);
    char error[OPTIONS_ERROR_SIZE] = "out of memory";
    char changed[NAMES_SIZE] = "", kept[NAMES_SIZE] = "";

    if (set == NULL || load(reload, &set->config, error) != 0 ||
        keep_others(reload->config, &set->config, changed, kept, error) != 0) {
        refuse(set, error);
        return;
    }
    if (kept[0] != '\0') {
        log_warn("options that need a restart stay as they are", LOG_TEXT("options", kept));
    }
    if (changed[0] == '\0') {
        destroy(set);
    } else if (apply(reload, set, error) != 0) {
        refuse(set, error);
    } else {
        log_warn("options reloaded", LOG_TEXT("options", changed));
    }
}
