/* Why a file of certificates or with a key cannot be used, for people who mixed up two files. Any
 * thread; blocks on the file. */
#pragma once

#include <stddef.h>

enum pem_file_content { PEM_FILE_CERTIFICATE, PEM_FILE_PRIVATE_KEY };

enum pem_file_sizes { PEM_FILE_FAULT_SIZE = 160 };

/* To be called when OpenSSL has refused the file; empties its queue of errors. One phrase without
 * the file's name, and nothing of its content. */
void pem_file_explain(const char *path, enum pem_file_content wanted,
                      char fault[static PEM_FILE_FAULT_SIZE]);
