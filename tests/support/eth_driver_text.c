/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/attempt_fsm.h"
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

    return shape_json(d.b, 32);
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

/* The state machines as data, for the tests that hold the schema and the statements against them.
 */
json_t *op_states(struct ask *ask)
{
    json_t *tasks = json_array();
    json_t *open = json_array();
    json_t *attempts = json_array();
    json_t *slots = json_array();
    json_t *penalties = json_array();

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
        if (attempt_has_penalty(s))
            json_array_append_new(penalties, json_string(attempt_state_name(s)));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "tasks", tasks, "open", open, "attempts",
                     attempts, "slots", slots, "penalties", penalties);
}

static json_t *actors_json(unsigned mask)
{
    static const char *const names[] = {"client", "provider", "checker", "keeper", "chain"};
    json_t *out = json_array();

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (mask & 1U << i)
            json_array_append_new(out, json_string(names[i]));
    return out;
}

json_t *op_edges(struct ask *ask)
{
    static const char *const rests[TASK_REST_COUNT] = {"none", "live", "checking"};
    json_t *tasks = json_array();
    json_t *attempts = json_array();
    size_t n;
    const struct task_edge *t = task_edges(&n);
    const struct attempt_edge *a;

    (void)ask;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            tasks, json_pack("{s:s, s:s, s:s, s:s, s:o}", "from", task_status_name(t[i].from),
                             "event", task_event_name(t[i].event), "rest", rests[t[i].rest], "to",
                             task_status_name(t[i].to), "actors", actors_json(t[i].actors)));
    a = attempt_edges(&n);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            attempts, json_pack("{s:s, s:s, s:s, s:o}", "from", attempt_state_name(a[i].from),
                                "event", attempt_event_name(a[i].event), "to",
                                attempt_state_name(a[i].to), "actors", actors_json(a[i].actors)));
    return json_pack("{s:o, s:o}", "tasks", tasks, "attempts", attempts);
}
