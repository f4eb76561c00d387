/* SPDX-License-Identifier: MIT */
#include "relayer/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "eth/address.h"
#include "eth/rpc_shape.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/unix_socket.h"

#define WAIT_US 5000000

/* Waits for the socket to be ready. */
static enum err_code ready(int fd, short events, int64_t deadline, struct err *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline - clock_mono_us();
        int rc = left > 0 ? poll(&p, 1, (int)(left / 1000) + 1) : 0;

        if (rc > 0)
            return E_OK;
        if (rc == 0)
            return err_set(err, E_TIMEOUT, "the other end of the socket is silent");
        if (errno != EINTR)
            return err_set(err, E_PEER, "poll: errno %d", errno);
    }
}

enum err_code wire_read_line(int fd, struct buf *out, struct err *err)
{
    int64_t deadline = clock_mono_us() + WAIT_US;

    out->cap = WIRE_LINE_MAX;
    for (;;) {
        char part[4096];
        enum err_code rc = ready(fd, POLLIN, deadline, err);
        ssize_t n = rc == E_OK ? read(fd, part, sizeof(part)) : -1;

        if (rc != E_OK)
            return rc;
        if (n <= 0)
            return err_set(err, E_PEER, "the socket was closed within a line");
        rc = buf_add(out, part, (size_t)n, err);
        if (rc != E_OK)
            return rc;
        if (part[n - 1] == '\n')
            return E_OK;
    }
}

enum err_code wire_write_line(int fd, const json_t *v, struct err *err)
{
    int64_t deadline = clock_mono_us() + WAIT_US;
    char *text = json_dumps(v, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;
    size_t at = 0;
    enum err_code rc = E_OK;

    if (!text)
        abort();
    text[n++] = '\n'; /* in the place of the NUL */
    while (rc == E_OK && at < n) {
        ssize_t put;

        rc = ready(fd, POLLOUT, deadline, err);
        if (rc != E_OK)
            break;
        put = send(fd, text + at, n - at, MSG_NOSIGNAL);
        if (put < 0)
            rc = err_set(err, E_PEER, "the socket was closed: errno %d", errno);
        else
            at += (size_t)put;
    }
    free(text);
    return rc;
}

/* One question, taken over; @out a new reference */
static enum err_code ask(const char *path, json_t *question, json_t **out, struct err *err)
{
    struct buf line = {0};
    struct err why;
    int fd = -1;
    enum err_code rc = unix_connect(path, &fd, &why);

    rc = rc == E_OK ? wire_write_line(fd, question, err)
                    : err_set(err, rc, "no signer at %.150s", why.text);
    if (rc == E_OK)
        rc = wire_read_line(fd, &line, err);
    if (rc == E_OK && json_parse((const char *)line.p, line.n, out, NULL) != E_OK)
        rc = err_set(err, E_PEER, "the signer's answer is no JSON");
    if (rc == E_OK && json_is_string(json_object_get(*out, "error"))) {
        rc = err_set(err, E_SCOPE_DENIED, "the signer refuses: %s",
                     json_string_value(json_object_get(*out, "error")));
        json_decref(*out);
    }
    if (fd >= 0)
        close(fd);
    buf_done(&line);
    json_decref(question);
    return rc;
}

enum err_code wire_ask_address(const char *path, struct address *out, struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = ask(path, json_pack("{s:s}", "op", "address"), &v, err);

    if (rc != E_OK)
        return rc;
    rc = shape_fixed(json_object_get(v, "address"), "the signer's address", out->b, sizeof(out->b),
                     err);
    json_decref(v);
    return rc;
}

static json_t *number(uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "0x%" PRIx64, v);
    return json_string(text);
}

/* @q  taken over */
static enum err_code ask_signature(const char *path, json_t *q, struct signature *out,
                                   struct err *err)
{
    json_t *v = NULL;
    enum err_code rc;

    if (!q)
        abort();
    rc = ask(path, q, &v, err);
    if (rc != E_OK)
        return rc;
    rc = shape_fixed(json_object_get(v, "signature"), "the signature", out->b, sizeof(out->b), err);
    json_decref(v);
    return rc;
}

enum err_code wire_ask_signature(const char *path, const struct tx *tx, struct signature *out,
                                 struct err *err)
{
    json_t *q = json_pack(
        "{s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "op", "sign_tx", "legacy",
        tx->type == TX_LEGACY, "create", tx->create, "chain_id", number(tx->chain_id), "nonce",
        number(tx->nonce), "gas", number(tx->gas), "max_fee", number(tx->max_fee), "priority_fee",
        number(tx->priority_fee), "to", shape_json(tx->to.b, sizeof(tx->to.b)), "value",
        shape_json(tx->value, sizeof(tx->value)), "data", shape_json(tx->data.p, tx->data.n));

    return ask_signature(path, q, out, err);
}

enum err_code wire_ask_voucher(const char *path, const struct eip712_domain *domain,
                               const struct eip712_voucher *voucher, struct signature *out,
                               struct err *err)
{
    return ask_signature(path,
                         json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "op", "sign_voucher",
                                   "chain_id", number(domain->chain_id), "settlement",
                                   shape_json(domain->contract.b, sizeof(domain->contract.b)), "id",
                                   number(voucher->id), "earned", number(voucher->earned),
                                   "deadline", number(voucher->deadline)),
                         out, err);
}

enum err_code wire_read_voucher(const json_t *q, struct eip712_domain *domain,
                                struct eip712_voucher *out, struct err *err)
{
    struct eip712_domain of = {.chain_id = 0};
    struct eip712_voucher v = {.id = 0};
    uint64_t id = 0;
    enum err_code rc = shape_u64(json_object_get(q, "chain_id"), "chain_id", &of.chain_id, err);

    if (rc == E_OK)
        rc = shape_fixed(json_object_get(q, "settlement"), "settlement", of.contract.b,
                         sizeof(of.contract.b), err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(q, "id"), "id", &id, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(q, "earned"), "earned", &v.earned, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(q, "deadline"), "deadline", &v.deadline, err);
    if (rc == E_OK && (id > UINT32_MAX || v.earned >> 48 != 0))
        rc = err_set(err, E_BAD_REQUEST, "the voucher's id or figure is too large");
    if (rc != E_OK)
        return rc;
    v.id = (uint32_t)id;
    *domain = of;
    *out = v;
    return E_OK;
}

enum err_code wire_read_tx(const json_t *q, struct tx *out, struct buf *data, struct err *err)
{
    struct tx tx = {.type = json_is_true(json_object_get(q, "legacy")) ? TX_LEGACY : TX_EIP1559,
                    .create = json_is_true(json_object_get(q, "create"))};
    struct arena *a = arena_new();
    struct bytes bytes = {0};
    enum err_code rc = shape_u64(json_object_get(q, "chain_id"), "chain_id", &tx.chain_id, err);

    if (rc == E_OK)
        rc = shape_u64(json_object_get(q, "nonce"), "nonce", &tx.nonce, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(q, "gas"), "gas", &tx.gas, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(q, "max_fee"), "max_fee", &tx.max_fee, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(q, "priority_fee"), "priority_fee", &tx.priority_fee, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(q, "to"), "to", tx.to.b, sizeof(tx.to.b), err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(q, "value"), "value", tx.value, sizeof(tx.value), err);
    if (rc == E_OK)
        rc = shape_bytes(json_object_get(q, "data"), "data", a, &bytes, err);
    if (rc == E_OK)
        rc = buf_add(data, bytes.p, bytes.n, err);
    arena_free(a);
    if (rc != E_OK)
        return rc;
    tx.data = bytes_of(data->p, data->n);
    *out = tx;
    return E_OK;
}
