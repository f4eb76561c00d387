/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "lib/hash.h"
#include "lib/json.h"
#include "lib/keytext.h"
#include "tests/support/eth_driver.h"

json_t *op_canonical(struct ask *ask)
{
    const char *s = ask_text(ask, "text");
    struct text out;
    json_t *v;
    enum err_code rc = json_parse(s, strlen(s), &v, &ask->err);

    if (rc != E_OK)
        return NULL;
    rc = json_canonical(v, ask->arena, &out, &ask->err);
    json_decref(v);
    return rc == E_OK ? json_stringn(out.s, out.n) : NULL;
}

json_t *op_sha256(struct ask *ask)
{
    struct bytes b = ask_bytes(ask, "data");
    struct digest d = sha256(b.p, b.n);

    return hex_json(d.b, 32);
}

json_t *op_key_make(struct ask *ask)
{
    char text[KEYTEXT_MAX];

    keytext_make(ask_text(ask, "prefix"), text);
    return json_string(text);
}

json_t *op_key_check(struct ask *ask)
{
    return json_boolean(keytext_check(ask_text(ask, "prefix"), text_of(ask_text(ask, "token"))));
}
