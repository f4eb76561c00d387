/* SPDX-License-Identifier: MIT */
#include "eth/rpc.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eth/rpc_node.h"
#include "lib/json.h"

#define REPLY_MAX ((size_t)32 << 20)

int64_t rpc_error_code(const struct rpc *r)
{
    return r->error;
}

void rpc_tag(uint64_t number, char *out)
{
    snprintf(out, RPC_TAG_MAX, "0x%" PRIx64, number);
}

/* Nodes quote a revert's raw bytes in their error texts, NULs too, which our parser takes from
 * nobody. A blank in its place harms no figure: hex holds neither. */
static void blank_nuls(char *s, size_t n)
{
    for (size_t i = 0; i + 6 <= n; i++) {
        if (s[i] != '\\')
            continue;
        if (memcmp(s + i + 1, "u0000", 5) == 0)
            s[i + 4] = '2';
        i++; /* what was escaped begins no escape */
    }
}

/* Send one JSON text, parse what comes back. Takes `body` over. */
static enum err_code exchange(const struct rpc *r, struct rpc_node *node, json_t *body,
                              json_t **out, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Accept: application/json", NULL};
    char *text = json_dumps(body, JSON_COMPACT);
    struct http_call call = {.method = "POST",
                             .url = node->url,
                             .headers = headers,
                             .body = text,
                             .timeout_ms = r->timeout_ms,
                             .max_reply = REPLY_MAX};
    struct http_reply reply = {.status = 0};
    enum err_code rc;

    json_decref(body);
    if (!text)
        return err_set(err, E_INTERNAL, "a call's parameters are no JSON");
    call.body_len = strlen(text);
    rc = http_do(node->http, &call, &reply, err);
    free(text);
    if (rc == E_TOO_LARGE)
        rc = err_set(err, E_PEER, "the node's answer is too large");
    if (rc == E_OK) {
        blank_nuls((char *)reply.body.p, reply.body.n);
        rc = json_parse((const char *)reply.body.p, reply.body.n, out, NULL);
        if (rc != E_OK)
            rc = err_set(err, E_PEER, "the node answered %d with no JSON", reply.status);
    }
    buf_done(&reply.body);
    if (rc == E_OK)
        rpc_node_up(node);
    else
        rpc_node_down(node);
    return rc;
}

static json_t *request(json_int_t id, const char *method, json_t *params)
{
    json_t *v = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", id, "method", method,
                          "params", params);

    if (!v)
        abort();
    return v;
}

/* A node's words as printable text for our log. */
static void clean(const char *s, char *out, size_t room)
{
    size_t n = 0;

    for (; s && *s && n < room - 1; s++)
        out[n++] = isprint((unsigned char)*s) ? *s : '?';
    out[n] = '\0';
}

/* One answer: exactly one of a result (a new reference) and an error object. */
static enum err_code open_answer(const json_t *answer, const char *method, json_t **result,
                                 int64_t *error, struct err *err)
{
    const json_t *e = json_object_get(answer, "error");
    json_t *v = json_object_get(answer, "result");
    char words[120];

    if (e && !json_is_null(e)) {
        const json_t *code = json_object_get(e, "code");

        if (!json_is_integer(code))
            return err_set(err, E_PEER, "%s: an error without a code", method);
        *error = json_integer_value(code) != 0 ? json_integer_value(code) : -1;
        clean(json_string_value(json_object_get(e, "message")), words, sizeof(words));
        return err_set(err, E_PEER, "%s: node error %" PRId64 ": %s", method, *error, words);
    }
    if (!v)
        return err_set(err, E_PEER, "%s: neither result nor error", method);
    *result = json_incref(v);
    return E_OK;
}

enum err_code rpc_ask(struct rpc *r, struct rpc_node *node, const char *method, json_t *params,
                      json_t **out, struct err *err)
{
    json_int_t id = r->next_id++;
    json_t *answer = NULL;
    const json_t *got;
    enum err_code rc;

    r->error = 0;
    rc = exchange(r, node, request(id, method, json_incref(params)), &answer, err);
    if (rc != E_OK)
        return rc;
    got = json_object_get(answer, "id");
    if (!json_is_object(answer))
        rc = err_set(err, E_PEER, "%s: the answer is no object", method);
    else if (json_object_get(answer, "result") &&
             (!json_is_integer(got) || json_integer_value(got) != id))
        rc = err_set(err, E_PEER, "%s: the answer is to another call", method);
    else
        rc = open_answer(answer, method, out, &r->error, err);
    json_decref(answer);
    return rc;
}
