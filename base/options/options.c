#include "base/options/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
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

/* An empty text counts as not given. */
static const char *given_text(const struct option_spec *spec, const struct option_sources *from,
                              enum option_origin *ret_origin)
{
    const char *text = spec->env == NULL ? NULL : getenv(spec->env);

    *ret_origin = OPTION_ORIGIN_ENVIRONMENT;
    if (text_is_empty(text) && from->file != NULL && spec->env != NULL) {
        text = option_file_value(from->file, spec->env);
        *ret_origin = OPTION_ORIGIN_FILE;
    }
    return text_is_empty(text) ? NULL : text;
}

/* The value without flags, or NULL. */
static const char *text_of(const struct option_spec *spec, const struct option_sources *from,
                           enum option_origin *ret_origin)
{
    const char *text = given_text(spec, from, ret_origin);

    if (text == NULL) {
        *ret_origin = OPTION_ORIGIN_DEFAULT;
        return spec->default_text;
    }
    return spec->type != OPTION_GO_BOOLEAN ? text : go_boolean_parse(text) ? "true" : "false";
}

/* A choice that is refused may still be set by a flag: see choices_check. */
static int all_but_flags(const struct option_table *table, const struct option_sources *from,
                         void *values, char *error)
{
    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];
        enum option_origin origin;
        const char *text = text_of(spec, from, &origin);
        int failed = text == NULL ? 0 : option_value_set(spec, spec->env, text, values, error);

        if (from->origins != NULL) {
            from->origins[i] = origin;
        }
        if (failed != 0 && failed != -ENOENT) {
            return failed;
        }
    }
    return 0;
}

static int choices_check(const struct option_table *table, const struct option_sources *from,
                         void *values, char *error)
{
    enum option_origin origin;

    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];

        if (option_value_is_unknown(spec, values)) {
            return option_value_set(spec, spec->env, text_of(spec, from, &origin), values, error);
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

/* Returns how many arguments were used, or -errno with the reason in error. */
static int flag_take(const struct option_table *table, int argc, char **argv,
                     const struct option_sources *from, void *values, char *error)
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
    int failed = option_value_set(spec, name, value, values, error);

    if (from->origins != NULL) {
        from->origins[spec - table->specs] = OPTION_ORIGIN_FLAG;
    }
    return failed != 0 ? failed : used;
}

static int flags_take(const struct option_table *table, int argc, char **argv,
                      const struct option_sources *from, void *values, char *error)
{
    for (int i = 1; i < argc;) {
        if (strncmp(argv[i], "--", 2) != 0) {
            snprintf(error, OPTIONS_ERROR_SIZE, "unexpected argument %s; see %s --help", argv[i],
                     table->command);
            return -EINVAL;
        }
        int used = flag_take(table, argc - i, argv + i, from, values, error);

        if (used < 0) {
            return used;
        }
        i += used;
    }
    return 0;
}

/* A name with a mistake in it would leave the default in force unseen. */
static int names_check(const struct option_table *table, const struct option_sources *from,
                       char *error)
{
    for (size_t i = 0; from->file != NULL && i < from->file->count; i++) {
        const struct option_file_entry *entry = &from->file->entries[i];
        size_t j = 0;

        while (j < table->specs_count &&
               (table->specs[j].env == NULL || strcmp(table->specs[j].env, entry->name) != 0)) {
            j++;
        }
        if (j == table->specs_count) {
            snprintf(error, OPTIONS_ERROR_SIZE, "%.200s:%u: %s is no option; see %s --help",
                     from->file_path, entry->line, entry->name, table->command);
            return -EINVAL;
        }
    }
    return 0;
}

enum options_result options_parse_sources(const struct option_table *table, int argc, char **argv,
                                          const struct option_sources *from, void *values,
                                          char error[static OPTIONS_ERROR_SIZE])
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options_help_print(table, stdout);
            return OPTIONS_HELP;
        }
    }
    int failed = names_check(table, from, error);

    if (failed == 0) {
        failed = all_but_flags(table, from, values, error);
    }
    if (failed == 0) {
        failed = flags_take(table, argc, argv, from, values, error);
    }
    if (failed == 0) {
        failed = choices_check(table, from, values, error);
    }
    return failed == 0 ? OPTIONS_OK : failed == -ENOENT ? OPTIONS_REFUSED : OPTIONS_ERROR;
}

enum options_result options_parse(const struct option_table *table, int argc, char **argv,
                                  void *values, char error[static OPTIONS_ERROR_SIZE])
{
    static const struct option_sources none;

    return options_parse_sources(table, argc, argv, &none, values, error);
}

const char *options_text_given(const struct option_spec *spec, int argc, char **argv)
{
    const char *text = getenv(spec->env);
    size_t len = strlen(spec->flag);

    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i] + (strncmp(argv[i], "--", 2) == 0 ? 2 : strlen(argv[i]));

        if (strncmp(flag, spec->flag, len) == 0 && flag[len] == '=') {
            text = flag + len + 1;
        } else if (strcmp(flag, spec->flag) == 0 && i + 1 < argc) {
            text = argv[i + 1];
        }
    }
    return text_is_empty(text) ? NULL : text;
}

bool options_read(const struct option_table *table, int argc, char **argv, void *values,
                  int *ret_status)
{
    char error[OPTIONS_ERROR_SIZE];

    switch (options_parse(table, argc, argv, values, error)) {
    case OPTIONS_OK:
        return true;
    case OPTIONS_HELP:
        *ret_status = 0;
        return false;
    case OPTIONS_ERROR:
    case OPTIONS_REFUSED:
        fprintf(stderr, "%s: %s\n", table->command, error);
        *ret_status = 1;
        return false;
    }
    UNREACHABLE();
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
