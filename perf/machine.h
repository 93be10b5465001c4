/* The machine that figures come from, for reports. Any thread. */
#pragma once

#include <jansson.h>

/* An object of the caller's: kernel, architecture, cpu_model, cpus. NULL when there is no memory.
 */
json_t *machine_json(void);
