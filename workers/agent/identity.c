/* SPDX-License-Identifier: MIT */
#include "workers/agent/identity.h"

#include <stdio.h>
#include <string.h>

#include "core/manifest.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "workers/agent/remote_signer.h"

#define VALID_FOR_S 600

static enum err_code read_master_binding(struct identity *me, const char *path, struct err *err)
{
    if (path[0] == '\0')
        return E_OK;
    json_t *v = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    const char *signature = json_string_value(json_object_get(v, "signature"));
    uint8_t bytes[SIGNATURE_SIZE];
    if (!json_is_integer(json_object_get(v, "nonce")) ||
        !json_is_integer(json_object_get(v, "deadline")) || !signature ||
        !hex_decode(signature, strlen(signature), bytes, sizeof(bytes))) {
        json_decref(v);
        return err_set(err, E_CONFIG,
                       "OGPU_MASTER_SIGNATURE_FILE %.80s is not JSON {nonce, deadline, signature}",
                       path);
    }
    me->master_binding = v;
    return E_OK;
}

static enum err_code find_key(struct identity *me, const struct options *o, struct err *err)
{
    me->signer_socket = o->signer_socket;
    if (!o->key_file[0] == !o->signer_socket[0])
        return err_set(err, E_CONFIG,
                       "OGPU_PROVIDER_KEY_FILE (or --provider-key-file) or OGPU_SIGNER_SOCKET is "
                       "required, and not both");
    if (o->signer_socket[0])
        return remote_signer_address(o->signer_socket, &me->address, err);
    enum err_code rc = signer_load(o->key_file, &me->signer, err);
    if (rc == E_OK)
        me->address = signer_address(me->signer);
    return rc;
}

enum err_code identity_open(struct identity *me, const struct options *o, unsigned environments,
                            struct err *err)
{
    memset(me, 0, sizeof(*me));
    me->environments = environments;
    me->domain.chain_id = (uint64_t)o->chain_id;
    pthread_mutex_init(&me->mutex, NULL);
    pthread_mutex_init(&me->renewal, NULL);
    if (!address_parse(text_of(o->master), &me->master))
        return err_set(err, E_CONFIG, "OGPU_MASTER is not an address");
    if (!address_parse(text_of(o->settlement), &me->domain.contract))
        return err_set(err, E_CONFIG, "L1_SETTLEMENT is not an address");
    enum err_code rc = find_key(me, o, err);
    if (rc != E_OK)
        return rc;
    return read_master_binding(me, o->master_signature_file, err);
}

void identity_close(struct identity *me)
{
    signer_free(me->signer);
    json_decref(me->master_binding);
    wipe(me->token, sizeof(me->token));
    pthread_mutex_destroy(&me->mutex);
    pthread_mutex_destroy(&me->renewal);
}

uint64_t identity_nonce(struct identity *me)
{
    pthread_mutex_lock(&me->mutex);
    uint64_t now = (uint64_t)clock_wall_us();
    me->last_nonce = now > me->last_nonce ? now : me->last_nonce + 1;
    uint64_t nonce = me->last_nonce;
    pthread_mutex_unlock(&me->mutex);
    return nonce;
}

uint64_t identity_deadline(void)
{
    return (uint64_t)(clock_wall_us() / 1000000) + VALID_FOR_S;
}

enum err_code identity_sign(const struct identity *me, struct digest digest,
                            char out[SIGNATURE_TEXT_MAX], struct err *err)
{
    struct signature s;
    enum err_code rc = E_OK;
    if (me->signer)
        s = signer_sign(me->signer, digest);
    else
        rc = remote_signer_sign(me->signer_socket, digest, &s, err);
    if (rc != E_OK)
        return rc;
    out[0] = '0';
    out[1] = 'x';
    hex_encode(s.b, sizeof(s.b), out + 2);
    return E_OK;
}

enum err_code identity_registration(struct identity *me, bool with_master, json_t **out,
                                    struct err *err)
{
    const json_t *m = with_master ? me->master_binding : NULL;
    struct eip712_binding b = {.provider = me->address, .master = me->master};
    char address[ADDRESS_TEXT_MAX];
    char master[ADDRESS_TEXT_MAX];
    char signature[SIGNATURE_TEXT_MAX];
    /* Both sign the same binding, so the master's choice of nonce and deadline is ours too. */
    b.nonce = m ? (uint64_t)json_integer_value(json_object_get(m, "nonce")) : identity_nonce(me);
    b.deadline =
        m ? (uint64_t)json_integer_value(json_object_get(m, "deadline")) : identity_deadline();
    enum err_code rc = identity_sign(me, eip712_binding_digest(&me->domain, &b), signature, err);
    if (rc != E_OK)
        return rc;
    address_format(me->address, address);
    address_format(me->master, master);
    json_t *v =
        json_pack("{s:s, s:s, s:o, s:I, s:I, s:s}", "address", address, "master", master,
                  "environments", environments_json(me->environments), "nonce", (json_int_t)b.nonce,
                  "deadline", (json_int_t)b.deadline, "signature", signature);
    if (m)
        json_object_set(v, "master_signature", json_object_get(m, "signature"));
    *out = v;
    return E_OK;
}

uint64_t identity_bearer(struct identity *me, char *out, size_t size)
{
    pthread_mutex_lock(&me->mutex);
    snprintf(out, size, "Authorization: Bearer %s", me->token);
    uint64_t generation = me->generation;
    pthread_mutex_unlock(&me->mutex);
    return generation;
}

enum err_code identity_accept(struct identity *me, const json_t *reply, struct err *err)
{
    const char *token = json_string_value(json_object_get(reply, "token"));
    const char *id = json_string_value(json_object_get(json_object_get(reply, "provider"), "id"));
    struct uuid uuid;
    if (!token || strlen(token) >= TOKEN_TEXT_MAX || strpbrk(token, "\r\n") || !id ||
        !id_parse(ID_PROVIDER, text_of(id), &uuid))
        return err_set(err, E_PEER,
                       "the gateway's answer to the registration is not what its contract says");
    pthread_mutex_lock(&me->mutex);
    snprintf(me->token, sizeof(me->token), "%s", token);
    snprintf(me->provider, sizeof(me->provider), "%s", id);
    me->generation++;
    pthread_mutex_unlock(&me->mutex);
    return E_OK;
}
