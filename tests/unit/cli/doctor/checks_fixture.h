/* Findings into memory, as JSON, for tests of the checks. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/doctor/findings.h"

static struct findings findings;
static char *findings_text;
static size_t findings_len;

UNUSED static void open_findings(void)
{
    findings_begin(&findings, open_memstream(&findings_text, &findings_len), true);
}

UNUSED static void close_findings(void)
{
    fclose(findings.out);
    free(findings_text);
}

UNUSED static void expect_finding(const char *part)
{
    fflush(findings.out);
    cr_assert_not_null(strstr(findings_text, part), "%s is not in %s", part, findings_text);
}
