/* Goal: pages of the listed origins, and no others, may read answers; what is repeated from a
 * request cannot become more than a field.
 * Method: parsed requests, one table for each question. */
#include "server/access/cors.h"

#include "tests/unit/server/access/access_fixture.h"

enum { FIELDS_SIZE = 640 };

static struct http_request request;
static char fields[FIELDS_SIZE];

static void ask_cors(const char *origins, const char *method, const char *lines)
{
    parse_request(&request, method, "/session/t0", lines, NULL);
    memset(fields, 0xee, sizeof fields);
    cors_fields(origins, &request, fields, sizeof fields);
}

#define ALLOW(origin) "Access-Control-Allow-Origin: " origin "\r\nVary: Origin\r\n"

Test(cors, lets_listed_origins_read)
{
    static const struct {
        const char *origins;
        const char *lines;
        const char *fields;
    } cases[] = {
        {"", "Origin: https://a.example\r\n", ""},
        {NULL, "Origin: https://a.example\r\n", ""},
        {" , ,", "Origin: https://a.example\r\n", ""},
        {"*", "Origin: https://a.example\r\n", ALLOW("https://a.example")},
        {"*", "Origin: null\r\n", ALLOW("null")},
        {"*", "", ""},
        {"https://a.example", "Origin: https://a.example\r\n", ALLOW("https://a.example")},
        {"https://a.example", "origin:  https://a.example \r\n", ALLOW("https://a.example")},
        {"https://b.example,https://a.example", "Origin: https://a.example\r\n",
         ALLOW("https://a.example")},
        {"https://b.example,  https://a.example ", "Origin: https://a.example\r\n",
         ALLOW("https://a.example")},
        {"https://b.example *", "Origin: https://a.example\r\n", ALLOW("https://a.example")},
        {"https://a.example", "Origin: https://a.example.evil.example\r\n", ""},
        {"https://a.example", "Origin: https://a.exampl\r\n", ""},
        {"https://a.example", "Origin: http://a.example\r\n", ""},
        {"https://a.example", "Origin: https://a.example:8443\r\n", ""},
        {"https://a.example", "Origin: https://A.example\r\n", ""},
        {"https://*.example", "Origin: https://a.example\r\n", ""},
        {"https://a.example,https://b.example", "Origin: https://a.example,https://b.example\r\n",
         ""},
        {"https://a.example", "Origin:\r\n", ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ask_cors(cases[i].origins, "POST", cases[i].lines);
        cr_assert_str_eq(fields, cases[i].fields, "case %zu: %s", i, fields);
    }
}

static void ask_of_length(unsigned len)
{
    char lines[2048];

    snprintf(lines, sizeof lines, "Origin: https://%0*d\r\nAccess-Control-Request-Method: POST\r\n",
             (int)(len - strlen("https://")), 0);
    ask_cors("*", "OPTIONS", lines);
}

Test(cors, repeats_no_origin_that_is_too_long)
{
    for (unsigned len = CORS_ORIGIN_BYTES_MAX + 1; len < 1900; len++) {
        ask_of_length(len);
        cr_assert_str_eq(fields, "");
        cr_assert(!cors_is_preflight("*", &request, fields, sizeof fields));
    }
}

Test(cors, has_room_for_the_longest_origin)
{
    ask_of_length(CORS_ORIGIN_BYTES_MAX);
    cr_assert(cors_is_preflight("*", &request, fields, CORS_FIELDS_SIZE_MIN));
    cr_assert_not_null(strstr(fields, "Access-Control-Max-Age: 600\r\n"));
}

Test(cors, answers_the_question_before_the_request)
{
    static const char asked[] =
        "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: authorization\r\n";

    ask_cors("*", "OPTIONS", asked);
    cr_assert(cors_is_preflight("*", &request, fields, sizeof fields));
    cr_assert_str_eq(
        fields,
        ALLOW("https://a.example") "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
                                   "Access-Control-Allow-Headers: Authorization, Content-Type\r\n"
                                   "Access-Control-Max-Age: 600\r\n");
}

Test(cors, takes_nothing_else_for_that_question)
{
    static const struct {
        const char *origins;
        const char *method;
        const char *lines;
    } cases[] = {
        {"", "OPTIONS", "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"},
        {"https://b.example", "OPTIONS",
         "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"},
        {"*", "OPTIONS", "Access-Control-Request-Method: POST\r\n"},
        {"*", "OPTIONS", "Origin: https://a.example\r\n"},
        {"*", "POST", "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char before[FIELDS_SIZE];

        ask_cors(cases[i].origins, cases[i].method, cases[i].lines);
        memcpy(before, fields, sizeof before);
        cr_assert(!cors_is_preflight(cases[i].origins, &request, fields, sizeof fields));
        cr_assert_str_eq(fields, before, "case %zu", i);
    }
}

static struct office office;

static void open_office(void)
{
    office_open(&office);
    office.context.cors_origins = "https://a.example";
}

static void close_office(void)
{
    office_close(&office);
}

Test(cors, makes_errors_readable_too, .init = open_office, .fini = close_office)
{
    ask(&office, "POST", "/session/t0", NULL, "Origin: https://a.example\r\n", NULL);
    cr_assert_eq(office.reply.status, 401);
    cr_assert_str_eq(office.reply.fields, ALLOW("https://a.example"));
    ask(&office, "GET", "/session/t0", NULL, "Origin: https://a.example\r\n", NULL);
    cr_assert_eq(office.reply.status, 405);
    cr_assert_str_eq(office.reply.fields, ALLOW("https://a.example") "Allow: POST\r\n");
    ask(&office, "GET", "/nope", NULL, "Origin: https://b.example\r\n", NULL);
    cr_assert_eq(office.reply.status, 404);
    cr_assert_str_eq(office.reply.fields, "");
}

Test(cors, needs_no_token_for_the_question, .init = open_office, .fini = close_office)
{
    ask(&office, "OPTIONS", "/session/t0", NULL,
        "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    cr_assert_eq(office.reply.status, 204);
    cr_assert_null(office.reply.content_type);
    cr_assert_eq(office.reply.body_len, 0);
    ask(&office, "OPTIONS", "/session/t0", NULL, "Origin: https://b.example\r\n", NULL);
    cr_assert_eq(office.reply.status, 405);
}
