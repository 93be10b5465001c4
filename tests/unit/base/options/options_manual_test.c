/* Goal: the manual page tells each option, and no text of the table is taken for an instruction.
 * Method: the page of a small table with what roff could mistake, byte for byte. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/options/options_manual.h"

static void print_manual(FILE *out)
{
    static const struct option_choice list[] = {{.name = "up"}, {.name = "down"}};
    static const struct option_choices ways = {.list = list, .count = 2};
    static const struct option_spec three[] = {
        {.env = "X_NAME",
         .flag = "a-name",
         .type = OPTION_TEXT,
         .required = true,
         .help = ".dot first, a \\ and a-dash."},
        {.env = "X_PORT",
         .flag = "port",
         .type = OPTION_INTEGER,
         .default_text = "3000",
         .help = "Port."},
        {.env = "X_WAY", .flag = "way", .type = OPTION_CHOICE, .choices = &ways, .help = "Way."},
    };
    const struct option_table small = {.command = "x run",
                                       .summary = "run an x-ray",
                                       .synopsis = "Runs x.",
                                       .specs = three,
                                       .specs_count = 3};

    options_manual_print(&small, "1.2", out);
}

Test(options_manual, is_a_page_that_roff_cannot_mistake)
{
    static const char expected[] =
        ".TH \"x\\-run\" 1 \"\" \"relay 1.2\" \"User Commands\"\n"
        ".SH NAME\nx\\-run \\- run an x\\-ray\n"
        ".SH SYNOPSIS\n.B x run\n[options]\n.SH DESCRIPTION\nRuns x.\n"
        ".SH OPTIONS\nBy environment variable or flag; flags win.\n"
        ".TP\n\\fB\\-\\-a-name\\fR \\fITEXT\\fR, \\fBX_NAME\\fR\n"
        "\\&.dot first, a \\e and a\\-dash.\nRequired.\n"
        ".TP\n\\fB\\-\\-port\\fR \\fIN\\fR, \\fBX_PORT\\fR\nPort.\nDefault: 3000\n"
        ".TP\n\\fB\\-\\-way\\fR \\fIup|down\\fR, \\fBX_WAY\\fR\nWay.\n"
        ".SH EXIT STATUS\n"
        "0 after success, another number after an error, which is said in one line.\n"
        ".SH SEE ALSO\n.BR relay (1)\n";
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    print_manual(out);
    fclose(out);
    cr_assert_str_eq(text, expected);
    free(text);
}
