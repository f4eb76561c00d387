/* SPDX-License-Identifier: MIT */
/* `ogpu-relayer signer`: holds the key and signs, over a unix socket, what its policy admits. */
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "eth/address.h"
#include "eth/rpc_shape.h"
#include "lib/clock.h"
#include "lib/config.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/unix_socket.h"
#include "relayer/command.h"
#include "relayer/key.h"
#include "relayer/policy.h"
#include "relayer/wire.h"

struct options {
    const char *socket;
    const char *key_file;
    const char *password_file;
    const char *allow;
    const char *value_max;
    const char *cost_max;
    int64_t chain_id;
    int64_t rate;
};

/* Two coins: by the relayer's own defaults the largest batch may cost 1.53, 250,000 gas and 700 for
 * each of two times OGPU_BATCH_MAX entries at 500 gwei. */
#define COST_MAX "2000000000000000000"

static const struct config_row rows[] = {
    {"OGPU_SIGNER_SOCKET", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(socket),
     "unix socket to listen on"},
    {"OGPU_SETTLER_KEY_FILE", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(key_file),
     "the key, mode 0600: 64 hex digits, or a keystore V3"},
    {"OGPU_SETTLER_PASSWORD_FILE", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(password_file),
     "password of a keystore, mode 0600"},
    {"L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, CONFIG_AT(chain_id), "the only chain"},
    {"OGPU_SIGNER_ALLOW", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(allow),
     "addresses that a transaction may go to, behind commas; `create` among them: deployments; "
     "`voucher`: vouchers of these contracts"},
    {"OGPU_SIGNER_VALUE_MAX_WEI", CONFIG_TEXT, "0", 0, 0, false, CONFIG_AT(value_max),
     "wei that a transaction may carry"},
    {"OGPU_SIGNER_COST_MAX_WEI", CONFIG_TEXT, COST_MAX, 0, 0, false, CONFIG_AT(cost_max),
     "wei of gas that a transaction may cost; 0: no limit"},
    {"OGPU_SIGNER_RATE", CONFIG_INT, "240", 1, POLICY_RATE_MAX, false, CONFIG_AT(rate),
     "signatures an hour"},
};

struct server {
    struct signer *signer;
    struct policy policy;
};

static json_t *refusal(const struct err *err)
{
    return json_pack("{s:s}", "error", err->text);
}

static json_t *signed_with(struct server *s, struct digest digest)
{
    struct signature sig = signer_sign(s->signer, digest);

    return json_pack("{s:o}", "signature", shape_json(sig.b, sizeof(sig.b)));
}

static json_t *answer_voucher(struct server *s, const json_t *q)
{
    struct eip712_domain domain;
    struct eip712_voucher voucher;
    struct err err = {0};
    enum err_code rc = wire_read_voucher(q, &domain, &voucher, &err);

    if (rc == E_OK)
        rc = policy_admit_voucher(&s->policy, &domain, clock_mono_us(), &err);
    if (rc != E_OK) {
        log_warn("refused", "text=%s", err.text);
        return refusal(&err);
    }
    log_info("signed", "voucher=%u earned=%llu", voucher.id, (unsigned long long)voucher.earned);
    return signed_with(s, eip712_voucher_digest(&domain, &voucher));
}

static json_t *answer(struct server *s, const json_t *q)
{
    const char *op = json_string_value(json_object_get(q, "op"));
    struct address own = signer_address(s->signer);
    struct digest digest = {{0}};
    struct buf data = {0};
    struct err err = {0};
    struct tx tx;
    json_t *out;
    enum err_code rc;

    if (op && strcmp(op, "address") == 0)
        return json_pack("{s:o}", "address", shape_json(own.b, sizeof(own.b)));
    if (op && strcmp(op, "sign_voucher") == 0)
        return answer_voucher(s, q);
    if (!op || strcmp(op, "sign_tx") != 0)
        return json_pack("{s:s}", "error", "no such operation");
    rc = wire_read_tx(q, &tx, &data, &err);
    if (rc == E_OK)
        rc = policy_admit(&s->policy, &tx, clock_mono_us(), &err);
    if (rc == E_OK)
        rc = tx_sign_digest(&tx, &digest, &err);
    if (rc == E_OK) {
        log_info("signed", "nonce=%llu", (unsigned long long)tx.nonce);
        out = signed_with(s, digest);
    } else {
        log_warn("refused", "text=%s", err.text);
        out = refusal(&err);
    }
    buf_done(&data);
    return out;
}

/* Only the user that runs the signer, and root, may ask. */
static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void serve(struct server *s, int fd)
{
    struct buf line = {0};
    struct err err = {0};
    json_t *q = NULL;
    json_t *out;

    if (is_ours(fd) && wire_read_line(fd, &line, &err) == E_OK) {
        if (json_parse((const char *)line.p, line.n, &q, &err) == E_OK)
            out = answer(s, q);
        else
            out = refusal(&err);
        if (wire_write_line(fd, out, &err) != E_OK)
            log_warn("unread", "text=%s", err.text);
        json_decref(out);
        json_decref(q);
    }
    buf_done(&line);
    close(fd);
}

static enum err_code open_all(const struct options *o, struct server *s, int *fd, struct err *err)
{
    enum err_code rc = key_load(o->key_file, o->password_file, &s->signer, err);

    s->policy.chain_id = (uint64_t)o->chain_id;
    s->policy.rate = (uint32_t)o->rate;
    if (rc == E_OK)
        rc = policy_allow(&s->policy, o->allow, err);
    if (rc == E_OK && (!wei_parse(text_of(o->value_max), &s->policy.value_max) ||
                       !wei_parse(text_of(o->cost_max), &s->policy.cost_max)))
        rc = err_set(err, E_CONFIG, "the signer's caps must be numbers of wei");
    return rc == E_OK ? unix_listen(o->socket, fd, err) : rc;
}

int command_signer(int argc, char **argv)
{
    struct server *s = calloc(1, sizeof(*s));
    struct options o;
    struct err err = {0};
    int fd = -1;

    if (!s)
        abort();
    log_open("ogpu-signer", LOG_LEVEL_INFO);
    if (command_wants_help(argc, argv)) {
        puts("usage: ogpu-relayer signer [--option value]...\n");
        config_help(rows, ARRAY_LEN(rows));
        free(s);
        return 0;
    }
    if (config_load(rows, ARRAY_LEN(rows), argc, argv, &o, &err) != E_OK ||
        open_all(&o, s, &fd, &err) != E_OK) {
        signer_free(s->signer);
        free(s);
        return command_fail(&err);
    }
    log_info("started", "destinations=%zu rate=%u", s->policy.n_allow, s->policy.rate);
    while (!command_stopping()) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        /* cppcheck-suppress nullPointer ; accept4() takes NULL */
        int peer = poll(&p, 1, 500) > 0 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (peer >= 0)
            serve(s, peer);
    }
    close(fd);
    unlink(o.socket);
    signer_free(s->signer);
    free(s);
    log_info("stopped", NULL);
    return 0;
}
