/* Secrets from files, and the faults of such files that an editor does not show. Any thread; blocks
 * on the file. */
#pragma once

#include "base/attributes.h"

/* Reads a small secret file, a name without a slash from the credentials of systemd if it is one of
 * them (base/systemd/credential.h): whole content less trailing newlines, at most 64 KiB. On
 * success *ret_text is malloc'ed and to be wiped and freed. -errno otherwise: -EFBIG when it is
 * longer, -EINVAL when it holds a NUL. */
MUST_USE int secret_file_read(const char *path, char **ret_text);

/* The same for a file that holds one secret, of which characters that no editor shows would be a
 * part: -ENODATA when it is empty, -EILSEQ when it begins with a byte order mark, -EBADMSG when
 * blanks surround it. */
MUST_USE int secret_file_read_one(const char *path, char **ret_text);

/* Why one of the two failed, with the cure where there is one. */
const char *secret_file_reason(int failed);
