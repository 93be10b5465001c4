#include "server/succession/terms.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/options/option_value.h"
#include "server/config_table.h"

enum { VALUE_SIZE = 512 };

/* Fields of HANDOVER_HELLO; their numbers stay. */
static const struct term {
    uint16_t field;
    const char *env;
    bool is_switch; /* only whether it has a value counts */
} terms[] = {
    {16, "RELAY_BIND_ADDRESS", false}, {17, "RELAY_PORT_ACCESS", false},
    {18, "RELAY_PORT_RELAY", false},   {19, "RELAY_ADMIN_LISTEN", false},
    {20, "RELAY_TLS_CERT", true},      {21, "RELAY_STORE", false},
};

static void value_of(const struct term *term, const struct server_config *config,
                     char text[static VALUE_SIZE])
{
    option_value_write(config_table_spec(term->env), config, text, VALUE_SIZE);
    if (term->is_switch) {
        snprintf(text, VALUE_SIZE, "%s", text_is_empty(text) ? "unset" : "set");
    }
}

void terms_write(const struct server_config *config, struct handover_writer *writer)
{
    for (size_t i = 0; i < ARRAY_LENGTH(terms); i++) {
        char text[VALUE_SIZE];

        value_of(&terms[i], config, text);
        handover_writer_bytes(writer, terms[i].field, bytes_of_text(text));
    }
}

bool terms_agree(const struct server_config *config, const struct handover_record *theirs,
                 char *error, size_t error_size)
{
    for (size_t i = 0; i < ARRAY_LENGTH(terms); i++) {
        char text[VALUE_SIZE];
        struct bytes value;

        value_of(&terms[i], config, text);
        if (handover_reader_bytes(theirs, terms[i].field, &value) &&
            !bytes_equal_text(value, text)) {
            snprintf(error, error_size,
                     "%s was changed from \"%s\" to \"%.*s\", which needs a restart", terms[i].env,
                     text, (int)value.len, (const char *)value.data);
            return false;
        }
    }
    return true;
}
