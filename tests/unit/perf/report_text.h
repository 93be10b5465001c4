/* A stream that keeps the text of a report. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* For the report to print into. When it is closed, *ret_text is whole, and to be freed. */
static inline FILE *report_text_open(char **ret_text)
{
    static size_t len; /* written until then */
    FILE *out = open_memstream(ret_text, &len);

    cr_assert_not_null(out);
    return out;
}
