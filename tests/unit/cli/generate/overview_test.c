/* Goal: the page names all commands and pages, and no text is taken for an instruction of roff.
 * Method: the page of a small program; packaging/manuals reads the real one with man. */
#include "cli/generate/overview.h"

#include "tests/unit/cli/generate/small_catalogue.h"

static void print(const struct catalogue *catalogue, FILE *out)
{
    overview_print(catalogue, "1.2", out);
}

Test(overview, has_all_commands_and_their_pages)
{
    static const char *const lines[] = {".TH relay 1 \"\" \"relay 1.2\"",
                                        "\nrelay \\- live video and data",
                                        ".TP\n.B run\nrun the user's well\\-known \\e\n",
                                        ".TP\n.B go\ngo far or near\n",
                                        ".BR relay\\-run (1),\n.BR relay\\-go\\-far (1),\n",
                                        ".BR relaysrc (7)\n",
                                        NULL};
    char *text = printed_by(print);

    expect_lines(text, lines);
    free(text);
}
