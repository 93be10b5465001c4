/* Explains why a file of certificates or a key file cannot be used, e.g. because two files were
 * mixed up. Any thread; blocks on the file. */
#pragma once

#include <stddef.h>

enum pem_file_content { PEM_FILE_CERTIFICATE, PEM_FILE_PRIVATE_KEY };

enum pem_file_sizes { PEM_FILE_FAULT_SIZE = 160 };

/* Call when OpenSSL has refused the file; empties its error queue. One phrase without the file's
 * name or content. */
void pem_file_explain(const char *path, enum pem_file_content wanted,
                      char fault[static PEM_FILE_FAULT_SIZE]);
