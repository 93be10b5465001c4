/* Bytes that a terminal sends, as keys. Pure; any thread. */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

enum key {
    KEY_NONE,     /* a sequence that means nothing here */
    KEY_UP = 256, /* below: the character itself */
    KEY_DOWN,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
};

/* Takes the key at the front of what was typed off it. Input that is empty has none. */
int keys_take(struct bytes *input);
