#include "base/options/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/options/option_value.h"
#include "base/options/options_help.h"

/* Booleans as practable/relay reads its variables: true as in strconv.ParseBool, all else false. */
static bool go_boolean_parse(const char *text)
{
    static const char *const truths[] = {"1", "t", "T", "TRUE", "true", "True"};

    for (size_t i = 0; i < ARRAY_LENGTH(truths); i++) {
        if (strcmp(text, truths[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int defaults_and_environment(const struct option_table *table, void *values, char *error)
{
    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];
        const char *text = spec->env == NULL ? NULL : getenv(spec->env);

        if (text == NULL || *text == '\0') {
            text = spec->default_text;
        } else if (spec->type == OPTION_GO_BOOLEAN) {
            text = go_boolean_parse(text) ? "true" : "false";
        }
        if (text != NULL && option_value_set(spec, spec->env, text, values, error) != 0) {
            return -EINVAL;
        }
    }
    return 0;
}

static const struct option_spec *find_flag(const struct option_table *table, const char *flag,
                                           size_t len)
{
    for (size_t i = 0; i < table->specs_count; i++) {
        const char *name = table->specs[i].flag;

        if (name != NULL && strlen(name) == len && strncmp(name, flag, len) == 0) {
            return &table->specs[i];
        }
    }
    return NULL;
}

/* Returns how many arguments were used, or -EINVAL with the reason in error. */
static int flag_take(const struct option_table *table, int argc, char **argv, void *values,
                     char *error)
{
    const char *flag = argv[0] + 2;
    const char *equals = strchr(flag, '=');
    size_t len = equals == NULL ? strlen(flag) : (size_t)(equals - flag);
    const struct option_spec *spec = find_flag(table, flag, len);
    const char *value = equals == NULL ? NULL : equals + 1;
    int used = 1;

    if (spec == NULL) {
        snprintf(error, OPTIONS_ERROR_SIZE, "unknown option --%.*s; see %s --help", (int)len, flag,
                 table->command);
        return -EINVAL;
    }
    if (value == NULL && option_value_is_boolean(spec)) {
        value = "true";
    } else if (value == NULL && argc > 1) {
        value = argv[1];
        used = 2;
    }
    if (value == NULL) {
        snprintf(error, OPTIONS_ERROR_SIZE, "option --%s needs a value", spec->flag);
        return -EINVAL;
    }
    char name[64];

    snprintf(name, sizeof name, "--%s", spec->flag);
    return option_value_set(spec, name, value, values, error) != 0 ? -EINVAL : used;
}

enum options_result options_parse(const struct option_table *table, int argc, char **argv,
                                  void *values, char error[static OPTIONS_ERROR_SIZE])
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options_help_print(table, stdout);
            return OPTIONS_HELP;
        }
    }
    if (defaults_and_environment(table, values, error) != 0) {
        return OPTIONS_ERROR;
    }
    for (int i = 1; i < argc;) {
        if (strncmp(argv[i], "--", 2) != 0) {
            snprintf(error, OPTIONS_ERROR_SIZE, "unexpected argument %s; see %s --help", argv[i],
                     table->command);
            return OPTIONS_ERROR;
        }
        int used = flag_take(table, argc - i, argv + i, values, error);

        if (used < 0) {
            return OPTIONS_ERROR;
        }
        i += used;
    }
    return OPTIONS_OK;
}

unsigned options_report_missing(const struct option_table *table, const void *values,
                                const char *before, const char *after, FILE *out)
{
    unsigned missing = 0;

    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];

        if (spec->required && option_value_is_empty(spec, values)) {
            fprintf(out, "%s%s%s\n", before, spec->env, after);
            missing++;
        }
    }
    return missing;
}

void options_release(const struct option_table *table, void *values)
{
    for (size_t i = 0; i < table->specs_count; i++) {
        option_value_release(&table->specs[i], values);
    }
}
