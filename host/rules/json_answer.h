/* JSON as Go's json.Marshal writes it, of any length, and the reading of members into texts as its
 * json.Unmarshal does, with its errors. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/json_writer.h"
#include "wire/json_reader.h"

enum json_answer_sizes { JSON_ANSWER_ERROR_SIZE = 160 };

/* The text that write makes, terminated and malloc'ed; json_answer_free releases it. NULL: no
 * memory. */
MUST_USE char *json_answer_make(void (*write)(struct json_writer *json, const void *context),
                                const void *context);

/* Wipes it first, for it may hold tokens. Accepts NULL. */
void json_answer_free(char *text);

/* A text, or an object of one member: {"error":"…"}. NULL: no memory. */
MUST_USE char *json_answer_of_text(const char *text);
MUST_USE char *json_answer_of_pair(const char *name, const char *text);

/* Whether the value can be a struct of Go's: an object, or null. False: error is filled in. type:
 * "rwc.Rule". */
MUST_USE bool json_answer_check_struct(struct json_value value, const char *type,
                                       char error[static JSON_ANSWER_ERROR_SIZE]);

/* Puts a string in place of *text, which is wiped; null changes nothing. False: error is filled in.
 * member: "Rule.id"; type: the type of it. */
MUST_USE bool json_answer_take_text(struct json_value value, const char *member, char **text,
                                    char error[static JSON_ANSWER_ERROR_SIZE]);

/* "json: cannot unmarshal number into Go struct field Rule.id of type string". Returns false. */
bool json_answer_refuse(struct json_value value, const char *member, const char *type,
                        char error[static JSON_ANSWER_ERROR_SIZE]);
