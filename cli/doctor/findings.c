#include "cli/doctor/findings.h"

#include <stdarg.h>

#include "base/json_writer.h"

enum { JSON_SIZE = 8 * FINDING_TEXT_SIZE };

static const char *const state_names[] = {
    [FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_FAULT] = "fault"};

void findings_begin(struct findings *findings, FILE *out, bool is_json)
{
    *findings = (struct findings){.out = out, .is_json = is_json};
    if (is_json) {
        fprintf(out, "{\"findings\":[");
    }
}

static void write_member(struct json_writer *json, const char *key, const char *text)
{
    json_writer_raw(json, key);
    json_writer_text(json, text);
}

static void print_json(const struct findings *findings, const char *check, enum finding_state state,
                       const char *cure, const char *text)
{
    char data[JSON_SIZE];
    struct json_writer json;

    json_writer_init(&json, data, sizeof data);
    json.printable = true;
    write_member(&json, findings->count > 0 ? ",\n{\"check\":" : "\n{\"check\":", check);
    write_member(&json, ",\"state\":", state_names[state]);
    write_member(&json, ",\"text\":", text);
    if (cure != NULL) {
        write_member(&json, ",\"cure\":", cure);
    }
    json_writer_raw(&json, "}");
    fputs(data, findings->out);
}

void findings_add(struct findings *findings, const char *check, enum finding_state state,
                  const char *cure, const char *format, ...)
{
    char text[FINDING_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (findings->is_json) {
        print_json(findings, check, state, cure, text);
    } else {
        fprintf(findings->out, "%-8s %-12s %s\n", state_names[state], check, text);
        if (cure != NULL) {
            fprintf(findings->out, "%-8s %-12s cure: %s\n", "", "", cure);
        }
    }
    findings->count++;
    findings->warnings += state == FINDING_WARNING;
    findings->faults += state == FINDING_FAULT;
}

int findings_end(struct findings *findings)
{
    if (findings->is_json) {
        fprintf(findings->out, "\n],\"warnings\":%u,\"faults\":%u}\n", findings->warnings,
                findings->faults);
    } else {
        fprintf(findings->out, "%u checks, %u warnings, %u faults\n", findings->count,
                findings->warnings, findings->faults);
    }
    return findings->faults == 0 ? 0 : 1;
}
