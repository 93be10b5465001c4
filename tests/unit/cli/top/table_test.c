/* Goal: rows are as wide as they are asked to be, and lose columns in the order of their use.
 * Method: whole lines compared. */
#include "cli/top/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct snapshot_topic topic = {
    .name = "lab/camera", .publishers = 1, .viewers = 12, .age_ms = 40, .lost = 3};
static const struct rate_row row = {.topic = &topic,
                                    .known = true,
                                    .bytes_in = 125000,
                                    .bytes_out = 1500000,
                                    .messages = 25,
                                    .lost = 0.5};

static const char *written(struct table table, char what)
{
    const struct connection_row connection = {.topic = (char[]){"lab"},
                                              .address = (char[]){"192.0.2.1"},
                                              .agent = (char[]){"ua\033"},
                                              .can_read = true,
                                              .connected_s = 1000,
                                              .expires_s = 1700,
                                              .lost = 4};
    static char *text;
    size_t len;

    free(text);
    FILE *out = open_memstream(&text, &len);

    table.wall_s = 1060;
    if (what == 'h') {
        table_write_head(&table, out);
    } else if (what == 't') {
        table_write_topic(&table, &row, out);
    } else {
        table_write_connection(&table, &connection, out);
    }
    fclose(out);
    return text;
}

Test(table, topics_lose_columns_as_it_gets_narrow)
{
    static const struct {
        unsigned width;
        const char *head, *row;
    } cases[] = {
        {80, "TOPIC                     PUB  VIEW   AGE IN BIT/S OUT BIT/S MSG/S   LOST LOST/S",
         "lab/camera                  1    12  40ms     1.0M       12M    25      3    0.5"},
        {60, "TOPIC              PUB  VIEW   AGE IN BIT/S OUT BIT/S   LOST",
         "lab/camera           1    12  40ms     1.0M       12M      3"},
        {36, "TOPIC                 VIEW OUT BIT/S", "lab/camera              12       12M"},
        {24, "TOPIC               VIEW", "lab/camera            12"},
        {12, "TOPIC       ", "lab/camera  "},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct table table = {.width = cases[i].width};

        cr_expect_str_eq(written(table, 'h'), cases[i].head, "%s", written(table, 'h'));
        cr_expect_str_eq(written(table, 't'), cases[i].row, "%s", written(table, 't'));
    }
}

Test(table, rates_that_are_unknown_are_not_made_up)
{
    const struct rate_row unknown = {.topic = &topic};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    table_write_topic(&(const struct table){.width = 80}, &unknown, out);
    fclose(out);
    cr_expect_str_eq(
        text, "lab/camera                  1    12  40ms        -         -     -      3      -");
    free(text);
}

Test(table, connections_have_ages_and_no_controls)
{
    const struct table table = {.connections = true, .width = 90};

    cr_expect_str_eq(written(table, 'h'), "TOPIC                     RW SINCE  LEFT   LOST "
                                          "ADDRESS               AGENT               ");
    cr_expect_str_eq(written(table, 'c'), "lab                       r-   60s   10m      4 "
                                          "192.0.2.1             ua\\u001b            ");
}

Test(table, every_width_is_kept)
{
    for (unsigned width = TABLE_NAME_MIN; width < 200; width++) {
        for (unsigned connections = 0; connections < 2; connections++) {
            const struct table table = {.width = width, .connections = connections == 1};

            cr_expect_eq(strlen(written(table, 'h')), width);
            cr_expect_eq(strlen(written(table, connections == 1 ? 'c' : 't')), width);
        }
    }
}

Test(table, marks_what_is_sorted_by_and_what_is_bad)
{
    const struct table table = {.width = 80, .ansi = true, .sort = SORT_VIEWERS};

    cr_expect_not_null(strstr(written(table, 'h'), " \033[4mVIEW\033[24m "));
    cr_expect_not_null(strstr(written(table, 't'), " \033[1;31m     3\033[22;39m"));
}
