/* Options that a hand-over cannot change (docs/handover.md): the new program says its own, the
 * running one compares them before anything moves. Pure. */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "server/config.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"

/* Fields of the record that is open. */
void terms_write(const struct server_config *config, struct handover_writer *writer);

/* False, with one line in error, that another program's terms differ from those of config. A term
 * that it does not know is no difference. */
MUST_USE bool terms_agree(const struct server_config *config, const struct handover_record *theirs,
                          char *error, size_t error_size);
