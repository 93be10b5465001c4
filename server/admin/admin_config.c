/* GET /config: the options in effect, and where each comes from. Secrets are left out. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/options/option_value.h"
#include "server/admin/admin.h"

enum { VALUE_SIZE = 8192, NAME_SIZE = 128 };

static const char *origin_name(enum option_origin origin)
{
    switch (origin) {
    case OPTION_ORIGIN_DEFAULT:
        return "default";
    case OPTION_ORIGIN_FILE:
        return "file";
    case OPTION_ORIGIN_ENVIRONMENT:
        return "environment";
    case OPTION_ORIGIN_FLAG:
        return "flag";
    }
    UNREACHABLE();
}

static void write_option(struct json_writer *json, const struct option_spec *spec,
                         const struct server_config *config, enum option_origin origin)
{
    char value[VALUE_SIZE];

    option_value_write(spec, config, value, sizeof value);
    json_writer_text(json, spec->env);
    json_writer_raw(json, ":{\"value\":");
    json_writer_text(json, value);
    json_writer_raw(json, ",\"origin\":");
    json_writer_text(json, origin_name(origin));
    json_writer_raw(json, "}");
}

/* A value of VALUE_SIZE, each byte of it escaped, always fits. */
static size_t size_for(const struct option_table *table)
{
    return table->specs_count * (6 * VALUE_SIZE + NAME_SIZE) + NAME_SIZE;
}

void admin_config_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    const struct conn_shared *shared = conn->table->shared;
    const struct option_table *table = shared->options;
    size_t size = size_for(table);
    char *text = malloc(size);
    struct json_writer json;

    if (text == NULL) {
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    json_writer_init(&json, text, size);
    for (size_t i = 0; i < table->specs_count; i++) {
        json_writer_raw(&json, i == 0 ? "{" : ",");
        write_option(&json, &table->specs[i], shared->config, shared->config->origins[i]);
    }
    json_writer_raw(&json, "}\n");
    CHECK(!json.overflow);
    access_reply_long(reply, 200, "application/json", text, json.len);
}
