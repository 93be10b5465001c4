#include "base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/check.h"

enum { SECRET_FILE_BYTES_MAX = 64 * 1024 };

static void *member(const struct option_spec *spec, void *values)
{
    return (char *)values + spec->offset;
}

static const void *member_const(const struct option_spec *spec, const void *values)
{
    return (const char *)values + spec->offset;
}

static void release_text(const struct option_spec *spec, char **text)
{
    if (*text != NULL && spec->type == OPTION_SECRET) {
        bytes_wipe(*text, strlen(*text));
    }
    free(*text);
    *text = NULL;
}

static int boolean_parse(const char *text, bool *ret_value)
{
    static const char *const truths[] = {"true", "1", "yes", "on", "t"};
    static const char *const lies[] = {"false", "0", "no", "off", "f", ""};

    for (size_t i = 0; i < ARRAY_LENGTH(truths); i++) {
        if (strcasecmp(text, truths[i]) == 0) {
            *ret_value = true;
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
        if (strcasecmp(text, lies[i]) == 0) {
            *ret_value = false;
            return 0;
        }
    }
    return -EINVAL;
}

static int integer_parse(const char *text, int64_t *ret_value)
{
    char *end;

    if (!isdigit((unsigned char)*text) && *text != '-') {
        return -EINVAL;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0') {
        return -EINVAL;
    }
    *ret_value = value;
    return 0;
}

static const struct {
    const char *name;
    uint64_t ns;
} duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5, the micro sign */
    {"\xce\xbcs", 1000}, /* U+03BC, the Greek letter */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60 * UINT64_C(1000000000)},
    {"h", 3600 * UINT64_C(1000000000)},
};

static uint64_t duration_unit_take(const char **text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(duration_units); i++) {
        size_t len = strlen(duration_units[i].name);

        if (strncmp(*text, duration_units[i].name, len) == 0) {
            *text += len;
            return duration_units[i].ns;
        }
    }
    return 0;
}

/* digits / scale. Whole numbers, because 1.001 s must not become 1000 ms. */
struct decimal {
    uint64_t digits;
    uint64_t scale;
};

/* Digits with at most one point between, before or after them; what is below a billionth is passed
 * over. */
static bool decimal_take(const char **text, struct decimal *ret_decimal)
{
    struct decimal decimal = {.scale = 1};
    bool has_digits = false, has_point = false;

    for (; isdigit((unsigned char)**text) || (**text == '.' && !has_point); (*text)++) {
        if (**text == '.') {
            has_point = true;
            continue;
        }
        has_digits = true;
        if (decimal.scale == 1000000000) {
            continue;
        }
        if (__builtin_mul_overflow(decimal.digits, (uint64_t)10, &decimal.digits) ||
            __builtin_add_overflow(decimal.digits, (uint64_t)(**text - '0'), &decimal.digits)) {
            return false;
        }
        decimal.scale *= has_point ? 10 : 1;
    }
    *ret_decimal = decimal;
    return has_digits;
}

int duration_parse_ns(const char *text, int64_t *ret_ns)
{
    unsigned __int128 total_ns = 0;

    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    if (*text == '\0') {
        return -EINVAL;
    }
    while (*text != '\0') {
        struct decimal decimal;

        if (!decimal_take(&text, &decimal)) {
            return -EINVAL;
        }
        uint64_t unit_ns = duration_unit_take(&text);

        total_ns += (unsigned __int128)decimal.digits * unit_ns / decimal.scale;
        if (unit_ns == 0 || total_ns > INT64_MAX) {
            return -EINVAL;
        }
    }
    *ret_ns = (int64_t)total_ns;
    return 0;
}

int duration_parse(const char *text, int64_t *ret_ms)
{
    int64_t ns;
    int failed = duration_parse_ns(text, &ns);

    if (failed == 0) {
        *ret_ms = ns / 1000000;
    }
    return failed;
}

static int number_set(const struct option_spec *spec, const char *name, const char *text,
                      void *values, char *error)
{
    int64_t value = 0;
    bool is_duration = spec->type == OPTION_DURATION;
    int failed = is_duration ? duration_parse(text, &value) : integer_parse(text, &value);

    if (failed != 0 && is_duration) {
        snprintf(error, OPTIONS_ERROR_SIZE, "cannot parse duration in %s=%s", name, text);
        return failed;
    }
    if (failed != 0) {
        snprintf(error, OPTIONS_ERROR_SIZE, "%s must be a whole number but is %s", name, text);
        return failed;
    }
    if (value < spec->min || value > spec->max) {
        snprintf(error, OPTIONS_ERROR_SIZE, "%s must be between %lld and %lld%s but is %s", name,
                 (long long)spec->min, (long long)spec->max, is_duration ? " ms" : "", text);
        return -ERANGE;
    }
    memcpy(member(spec, values), &value, sizeof value);
    return 0;
}

static bool is_boolean(const struct option_spec *spec)
{
    return spec->type == OPTION_BOOLEAN || spec->type == OPTION_GO_BOOLEAN;
}

/* What practable/relay takes for true of its variables (strconv.ParseBool); it takes whatever that
 * refuses for false. */
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

static int option_set(const struct option_spec *spec, const char *name, const char *text,
                      void *values, char *error)
{
    if (spec->type == OPTION_TEXT || spec->type == OPTION_SECRET) {
        char **target = member(spec, values);

        release_text(spec, target);
        *target = strdup(text);
        return *target == NULL ? -ENOMEM : 0;
    }
    if (is_boolean(spec)) {
        if (boolean_parse(text, member(spec, values)) != 0) {
            snprintf(error, OPTIONS_ERROR_SIZE, "%s must be true or false but is %s", name, text);
            return -EINVAL;
        }
        return 0;
    }
    return number_set(spec, name, text, values, error);
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
        if (text != NULL && option_set(spec, spec->env, text, values, error) != 0) {
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
    if (value == NULL && is_boolean(spec)) {
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
    return option_set(spec, name, value, values, error) != 0 ? -EINVAL : used;
}

enum options_result options_parse(const struct option_table *table, int argc, char **argv,
                                  void *values, char error[static OPTIONS_ERROR_SIZE])
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options_print_help(table, stdout);
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

static bool is_missing(const struct option_spec *spec, const void *values)
{
    if (!spec->required) {
        return false;
    }
    if (spec->type == OPTION_TEXT || spec->type == OPTION_SECRET) {
        const char *text = *(char *const *)member_const(spec, values);

        return text == NULL || *text == '\0';
    }
    if (is_boolean(spec)) {
        return false;
    }
    return *(const int64_t *)member_const(spec, values) == 0;
}

unsigned options_report_missing(const struct option_table *table, const void *values,
                                const char *before, const char *after, FILE *out)
{
    unsigned missing = 0;

    for (size_t i = 0; i < table->specs_count; i++) {
        if (is_missing(&table->specs[i], values)) {
            fprintf(out, "%s%s%s\n", before, table->specs[i].env, after);
            missing++;
        }
    }
    return missing;
}

void options_release(const struct option_table *table, void *values)
{
    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];

        if (spec->type == OPTION_TEXT || spec->type == OPTION_SECRET) {
            release_text(spec, member(spec, values));
        }
    }
}

static const char *value_name(enum option_type type)
{
    switch (type) {
    case OPTION_TEXT:
        return "TEXT";
    case OPTION_SECRET:
        return "SECRET";
    case OPTION_BOOLEAN:
    case OPTION_GO_BOOLEAN:
        return "true|false";
    case OPTION_INTEGER:
        return "N";
    case OPTION_DURATION:
        return "DURATION";
    }
    UNREACHABLE();
}

void options_print_help(const struct option_table *table, FILE *out)
{
    fprintf(out,
            "Usage: %s [options]\n\n%s\n\nOptions, by environment variable or flag (flags win):\n",
            table->command, table->synopsis);
    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];

        fprintf(out, "\n  --%s %s\n  %s\n      %s\n", spec->flag, value_name(spec->type), spec->env,
                spec->help);
        if (spec->required) {
            fprintf(out, "      Required.\n");
        } else if (spec->default_text != NULL) {
            fprintf(out, "      Default: %s\n",
                    spec->default_text[0] == '\0' ? "(empty)" : spec->default_text);
        }
    }
}

/* Text as roff takes it: no character of it is an instruction. */
static void print_roff(const char *text, FILE *out)
{
    bool at_line_start = true;

    for (; *text != '\0'; text++) {
        if (at_line_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else {
            fputc(*text, out);
        }
        at_line_start = *text == '\n';
    }
    fputc('\n', out);
}

static void print_manual_option(const struct option_spec *spec, FILE *out)
{
    fprintf(out, ".TP\n\\fB\\-\\-%s\\fR \\fI%s\\fR, \\fB%s\\fR\n", spec->flag,
            value_name(spec->type), spec->env == NULL ? "" : spec->env);
    print_roff(spec->help, out);
    if (spec->required) {
        fprintf(out, "Required.\n");
    } else if (spec->default_text != NULL && spec->default_text[0] != '\0') {
        fprintf(out, "Default: ");
        print_roff(spec->default_text, out);
    }
}

void options_print_manual(const struct option_table *table, const char *version, FILE *out)
{
    fprintf(out, ".TH RELAY 1 \"\" \"relay %s\" \"User Commands\"\n.SH NAME\n", version);
    print_roff(table->command, out);
    fprintf(out, ".SH SYNOPSIS\n.B ");
    print_roff(table->command, out);
    fprintf(out, "[options]\n.SH DESCRIPTION\n");
    print_roff(table->synopsis, out);
    fprintf(out, ".SH OPTIONS\nBy environment variable or flag; flags win.\n");
    for (size_t i = 0; i < table->specs_count; i++) {
        print_manual_option(&table->specs[i], out);
    }
    fprintf(out, ".SH EXIT STATUS\n0 after success, another number after an error, which is said "
                 "in one line.\n");
}

static void print_range(const struct option_spec *spec, FILE *out)
{
    if (spec->type == OPTION_INTEGER || spec->type == OPTION_DURATION) {
        fprintf(out, "%lld…%lld%s", (long long)spec->min, (long long)spec->max,
                spec->type == OPTION_DURATION ? " ms" : "");
    } else {
        fprintf(out, "%s",
                spec->type == OPTION_BOOLEAN      ? "true, false"
                : spec->type == OPTION_GO_BOOLEAN ? "1, t, T, TRUE, true, True; else false"
                                                  : "text");
    }
}

void options_print_markdown(const struct option_table *table, FILE *out)
{
    fprintf(
        out,
        "| environment | flag | default | values | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < table->specs_count; i++) {
        const struct option_spec *spec = &table->specs[i];
        const char *default_text = spec->default_text == NULL ? "" : spec->default_text;

        fprintf(out, "| `%s` | `--%s` | %s%s%s | ", spec->env, spec->flag,
                spec->required            ? "required"
                : default_text[0] == '\0' ? ""
                                          : "`",
                spec->required ? "" : default_text,
                spec->required || default_text[0] == '\0' ? "" : "`");
        print_range(spec, out);
        fprintf(out, " | %s |\n", spec->help);
    }
}

int secret_file_read(const char *path, char **ret_text)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return -errno;
    }
    char *text = malloc(SECRET_FILE_BYTES_MAX + 1);

    if (text == NULL) {
        fclose(file);
        return -ENOMEM;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of the secret stays in a stdio buffer */
    size_t len = fread(text, 1, SECRET_FILE_BYTES_MAX + 1, file);
    int failed = ferror(file) ? -errno : len > SECRET_FILE_BYTES_MAX ? -EFBIG : 0;

    fclose(file);
    if (failed == 0 && memchr(text, '\0', len) != NULL) {
        failed = -EINVAL; /* everything behind the NUL would be lost unseen */
    }
    while (failed == 0 && len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }
    if (failed != 0) {
        bytes_wipe(text, SECRET_FILE_BYTES_MAX + 1);
        free(text);
        return failed;
    }
    text[len] = '\0';
    *ret_text = text;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == '\n';
}

static int secret_check(const char *text)
{
    size_t len = strlen(text);

    if (strncmp(text, "\xef\xbb\xbf", 3) == 0 || strncmp(text, "\xff\xfe", 2) == 0 ||
        strncmp(text, "\xfe\xff", 2) == 0) {
        return -EILSEQ;
    }
    return len > 0 && (is_blank(text[0]) || is_blank(text[len - 1])) ? -EBADMSG : 0;
}

int secret_file_read_one(const char *path, char **ret_text)
{
    char *text;
    int failed = secret_file_read(path, &text);

    if (failed != 0) {
        return failed;
    }
    failed = secret_check(text);
    if (failed != 0) {
        bytes_wipe(text, strlen(text));
        free(text);
        return failed;
    }
    *ret_text = text;
    return 0;
}

const char *secret_file_reason(int failed)
{
    switch (failed) {
    case -EFBIG:
        return "longer than 64 KiB";
    case -EINVAL:
        return "holds a NUL byte: save it as UTF-8, not UTF-16";
    case -EILSEQ:
        return "begins with a byte order mark: save it as UTF-8 without one";
    case -EBADMSG:
        return "begins or ends with a blank: remove it";
    default:
        return strerror(-failed);
    }
}
