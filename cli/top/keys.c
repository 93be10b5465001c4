#include "cli/top/keys.h"

static const struct {
    const char *sequence;
    enum key key;
} sequences[] = {
    {"\033[A", KEY_UP},   {"\033OA", KEY_UP},       {"\033[B", KEY_DOWN},
    {"\033OB", KEY_DOWN}, {"\033[5~", KEY_PAGE_UP}, {"\033[6~", KEY_PAGE_DOWN},
    {"\033[H", KEY_HOME}, {"\033OH", KEY_HOME},     {"\033[1~", KEY_HOME},
    {"\033[F", KEY_END},  {"\033OF", KEY_END},      {"\033[4~", KEY_END},
};

/* ECMA-48: an introducer, parameters, and a byte from 0x40 on that ends it. */
static size_t sequence_len(struct bytes input)
{
    size_t len = 2;

    if (input.len < 2 || (input.data[1] != '[' && input.data[1] != 'O')) {
        return 1;
    }
    while (len < input.len && input.data[len] < 0x40) {
        len++;
    }
    return len < input.len ? len + 1 : len;
}

int keys_take(struct bytes *input)
{
    struct bytes sequence = *input;

    if (input->len == 0) {
        return KEY_NONE;
    }
    if (input->data[0] != '\033') {
        *input = bytes_skip(*input, 1);
        return sequence.data[0];
    }
    sequence.len = sequence_len(sequence);
    *input = bytes_skip(*input, sequence.len);
    for (size_t i = 0; i < ARRAY_LENGTH(sequences); i++) {
        if (bytes_equal_text(sequence, sequences[i].sequence)) {
            return (int)sequences[i].key;
        }
    }
    return KEY_NONE;
}
