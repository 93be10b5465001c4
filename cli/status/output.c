#include "cli/status/output.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/printable.h"
#include "cli/status/table.h"

#define JSON_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15))

/* Re-encoded, not copied: text from clients could control a terminal. */
static void json_print(const struct relay_status_reports *reports, FILE *out)
{
    json_t *root = json_loadb(reports->json, reports->json_len, 0, NULL);

    char *line = root == NULL ? NULL : json_dumps(root, JSON_FLAGS);

    if (line != NULL) {
        printable_write(out, bytes_of_text(line)); /* jansson does not escape DEL */
        fputc('\n', out);
    }
    free(line);
    json_decref(root);
}

char *output_render(const struct status_settings *settings,
                    const struct relay_status_reports *reports)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    if (settings->json) {
        json_print(reports, out);
    } else {
        table_print(reports, out);
    }
    fclose(out);
    return text;
}

bool output_print(const struct status_settings *settings, const char *text)
{
    if (settings->watch && !settings->json && isatty(STDOUT_FILENO) != 0) {
        printf("\033[H\033[J");
    }
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        perror("relay status: cannot write");
        return false;
    }
    return true;
}
