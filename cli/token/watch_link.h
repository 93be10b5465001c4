/* The address of the page that shows a topic (RELAY_WATCH_PAGE). Any thread. */
#pragma once

#include <stdio.h>

/* Writes "<audience>/watch#topic=…&token=…" and a newline. Topic and token stand in the fragment,
 * which browsers keep to themselves. Returns as fprintf does. */
int watch_link_print(FILE *out, const char *audience, const char *topic, const char *token);
