/* Completion of commands, flags and choices for shells, from the tables of options. Main thread;
 * writes to out. */
#pragma once

#include <stdio.h>

#include "cli/generate/catalogue.h"

void completion_bash_print(const struct catalogue *catalogue, FILE *out);
void completion_zsh_print(const struct catalogue *catalogue, FILE *out);
void completion_fish_print(const struct catalogue *catalogue, FILE *out);
