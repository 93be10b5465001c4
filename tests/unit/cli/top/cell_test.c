/* Goal: figures and foreign names fit into their columns, and no name can steer the terminal. */
#include "cli/top/cell.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

Test(cell, scales_figures)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},        {0.04, "0.0"},  {9.94, "9.9"},     {9.96, "10"},  {999.4, "999"},
        {999.6, "1.0k"}, {12345, "12k"}, {3400000, "3.4M"}, {2e9, "2.0G"}, {9.99e14, "999T"},
    };
    char cell[CELL_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cell_scaled(cell, cases[i].value);
        cr_expect_str_eq(cell, cases[i].text, "%s, not %s", cell, cases[i].text);
    }
    cell_bits(cell, 1000);
    cr_expect_str_eq(cell, "8.0k");
    cell_count(cell, 999999);
    cr_expect_str_eq(cell, "999999");
    cell_count(cell, 1000000);
    cr_expect_str_eq(cell, "1.0M");
    cell_scaled(cell, 1e300);
    cr_expect_eq(cell[CELL_SIZE - 1], '\0');
}

Test(cell, ages_have_their_unit)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {-1, "-"},         {0, "0ms"},      {999, "999ms"},     {1000, "1.0s"},
        {9949, "9.9s"},    {9950, "9s"},    {119999, "119s"},   {120000, "2m"},
        {7199999, "119m"}, {7200000, "2h"}, {172799999, "47h"}, {172800000, "2d"},
    };
    char cell[CELL_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cell_age(cell, cases[i].ms);
        cr_expect_str_eq(cell, cases[i].text, "%s, not %s", cell, cases[i].text);
    }
}

static const char *name(const char *text, unsigned columns, bool fill)
{
    static char *written;
    size_t len;

    free(written);
    FILE *out = open_memstream(&written, &len);

    cell_write_name(out, text, columns, fill);
    fclose(out);
    return written;
}

Test(cell, names_fit_and_are_harmless)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
    cr_expect_str_eq(name("lab", 5, true), "lab  ");
    cr_expect_str_eq(name("lab", 5, false), "lab");
    cr_expect_str_eq(name("laboratory", 5, true), "labo>");
    cr_expect_str_eq(name("lab", 3, true), "lab");
    cr_expect_str_eq(name("", 2, true), "  ");
    cr_expect_str_eq(name("lab", 0, true), "");
    cr_expect_str_eq(name("a\033[31mb", 20, true), "a\\u001b[31mb        ");
    cr_expect_str_eq(name("a\033[31mb", 8, true), "a\\u001b>");
    cr_expect_str_eq(name("\xc2\x9b\u202e\x7f\n", 30, false), "\\u009b\\u202e\\u007f\\u000a");
    cr_expect_str_eq(name("\xff\xc3", 4, true), "??  ");
    cr_expect_str_eq(name("Köln", 6, true), "Köln  ");
    cr_expect_str_eq(name("日本", 5, true), "日本 ");
    cr_expect_str_eq(name("日本語", 5, true), "日本>");
    cr_expect_str_eq(name("日本語", 4, true), "日> ");
    cr_expect_str_eq(name("e\u0301", 4, true), "e?  ");
}
