/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/attempt_fsm.h"
#include "core/verify.h"
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

/* The state machines as data, for the test that holds the schema against them. */
json_t *op_states(struct ask *ask)
{
    json_t *tasks = json_array();
    json_t *open = json_array();
    json_t *attempts = json_array();
    json_t *slots = json_array();

    (void)ask;
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        enum task_status s = (enum task_status)i;

        json_array_append_new(tasks, json_string(task_status_name(s)));
        if (task_is_open(s))
            json_array_append_new(open, json_string(task_status_name(s)));
    }
    for (int i = 0; i < ATTEMPT_STATE_COUNT; i++) {
        enum attempt_state s = (enum attempt_state)i;

        json_array_append_new(attempts, json_string(attempt_state_name(s)));
        if (attempt_holds_slot(s))
            json_array_append_new(slots, json_string(attempt_state_name(s)));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:b}", "tasks", tasks, "open", open, "attempts",
                     attempts, "slots", slots, "first_valid",
                     delivery_policy(text_of("first_valid")) != NULL);
}
