/* Who asks: the token of the Authorization field, raw or behind "Bearer ". */
#pragma once

#include "server/access/access.h"

/* Verifies the token and its audience. True with call->claims filled, or false with the refusal in
 * reply. */
bool auth_check(struct access_call *call, struct access_reply *reply);
