/* Goal: the API's description is served to all, whole, and under the path of its public URL. */
#include <jansson.h>

#include "embedded/docs_openapi.h"
#include "embedded/docs_page.h"
#include "embedded/docs_swagger.h"
#include "tests/unit/server/access/access_fixture.h"

static struct office office;

static void open_office(void)
{
    office_open(&office);
}

static void close_office(void)
{
    free(office.reply.long_body);
    office_close(&office);
}

TestSuite(docs, .init = open_office, .fini = close_office);

static void get(const char *target)
{
    ask(&office, "GET", target, NULL, "Accept: text/html\r\n", NULL);
    cr_assert_eq(office.reply.status, 200);
    cr_assert_not_null(office.reply.long_body);
}

Test(docs, the_page_is_the_embedded_one_and_may_load_nothing)
{
    get("/docs");
    cr_expect_str_eq(office.reply.content_type, "text/html; charset=utf-8");
    cr_expect_eq(office.reply.body_len, sizeof docs_page);
    cr_expect_arr_eq(office.reply.long_body, docs_page, sizeof docs_page);
    cr_expect_not_null(strstr(office.reply.fields,
                              "Content-Security-Policy: default-src 'none'; style-src "
                              "'unsafe-inline'\r\n"));
}

static json_t *swagger_take(void)
{
    json_error_t error;

    get("/swagger.json");
    cr_expect_str_eq(office.reply.content_type, "application/json");
    json_t *swagger =
        json_loadb(office.reply.long_body, office.reply.body_len, JSON_REJECT_DUPLICATES, &error);

    cr_assert_not_null(swagger, "%s", error.text);
    return swagger;
}

/* Swagger 2.0: basePath must start with a slash; it is the prefix of every path. */
Test(docs, swagger_is_under_the_path_of_the_public_url)
{
    json_t *swagger = swagger_take();

    cr_expect_str_eq(json_string_value(json_object_get(swagger, "basePath")), "/ed0/access");
    cr_expect_str_eq(json_string_value(json_object_get(swagger, "swagger")), "2.0");
    cr_expect(json_object_size(json_object_get(swagger, "paths")) > 0);
    json_decref(swagger);
}

Test(docs, swagger_without_a_path_is_at_the_root)
{
    office.context.audience = "https://app.example.org";
    json_t *swagger = swagger_take();

    cr_expect_str_eq(json_string_value(json_object_get(swagger, "basePath")), "/");
    json_decref(swagger);
}

Test(docs, a_path_is_quoted_for_json)
{
    office.context.audience = "https://app.example.org/a\"b\\c";
    json_t *swagger = swagger_take();

    cr_expect_str_eq(json_string_value(json_object_get(swagger, "basePath")), "/a\"b\\c");
    json_decref(swagger);
}

/* Only the path changes, so every other byte is the file's. */
Test(docs, the_rest_of_swagger_is_the_embedded_text)
{
    office.context.audience = "https://app.example.org";
    get("/swagger.json");
    cr_expect_eq(office.reply.body_len, sizeof docs_swagger);
    cr_expect_arr_eq(office.reply.long_body, docs_swagger, sizeof docs_swagger);
}

Test(docs, openapi_is_under_the_path_of_the_public_url)
{
    json_error_t error;

    get("/openapi.json");
    cr_expect_str_eq(office.reply.content_type, "application/json");
    json_t *openapi =
        json_loadb(office.reply.long_body, office.reply.body_len, JSON_REJECT_DUPLICATES, &error);

    cr_assert_not_null(openapi, "%s", error.text);
    json_t *server = json_array_get(json_object_get(openapi, "servers"), 0);

    cr_expect_str_eq(json_string_value(json_object_get(server, "url")), "/ed0/access");
    cr_expect_str_eq(json_string_value(json_object_get(openapi, "openapi")), "3.1.0");
    cr_expect_eq(office.reply.body_len, sizeof docs_openapi + strlen("/ed0/access") - strlen("/"));
    json_decref(openapi);
}
