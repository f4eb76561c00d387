/* SPDX-License-Identifier: MIT */
#include "relayer/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eth/address.h"
#include "eth/rpc_shape.h"

#define PATH_ROOM 4096

static json_t *address_json(struct address a)
{
    char text[ADDRESS_TEXT_MAX];

    address_format(a, text);
    return json_string(text);
}

static json_t *number(uint64_t v)
{
    return json_integer((json_int_t)v);
}

static json_t *txs_json(const struct record *rec)
{
    json_t *out = json_array();

    for (size_t i = 0; i < rec->n_txs; i++) {
        const struct record_tx *tx = &rec->txs[i];
        json_t *one =
            json_pack("{s:o, s:o, s:o, s:o}", "hash", shape_json(tx->hash.b, sizeof(tx->hash.b)),
                      "max_fee", number(tx->fees.max_fee), "tip", number(tx->fees.tip), "raw",
                      shape_json(tx->raw.p, tx->raw.n));

        if (json_array_append_new(out, one) != 0)
            abort();
    }
    return out;
}

json_t *record_json(const struct record *rec, bool raw)
{
    json_t *out =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "chain_id",
                  number(rec->chain_id), "settlement", address_json(rec->settlement), "vault",
                  address_json(rec->vault), "admin_lock", address_json(rec->lock), "deployer",
                  address_json(rec->deployer), "nonce", number(rec->nonce), "gas", number(rec->gas),
                  "init_code_hash", shape_json(rec->init.b, sizeof(rec->init.b)), "terms",
                  terms_json(&rec->terms), "final", rec->final);
    int rc = out ? 0 : -1;

    if (rc == 0 && rec->final)
        rc = json_object_set_new(out, "block", number(rec->block)) |
             json_object_set_new(out, "tx", shape_json(rec->tx.b, sizeof(rec->tx.b)));
    else if (rc == 0 && raw)
        rc = json_object_set_new(out, "transactions", txs_json(rec));
    if (rc != 0)
        abort();
    return out;
}

static enum err_code put(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, text, n);

        if (k < 0)
            return E_IO;
        text += k;
        n -= (size_t)k;
    }
    return fsync(fd) == 0 ? E_OK : E_IO;
}

/* The name of a file is as lasting as its folder says. */
static enum err_code settle_folder(const char *path)
{
    char folder[PATH_ROOM];
    char *slash;
    enum err_code rc;
    int fd;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return E_IO;
    rc = fsync(fd) == 0 ? E_OK : E_IO;
    close(fd);
    return rc;
}

enum err_code record_write(const char *path, const struct record *rec, struct err *err)
{
    json_t *v = record_json(rec, true);
    char *text = json_dumps(v, JSON_INDENT(2));
    char fresh[PATH_ROOM];
    int n = snprintf(fresh, sizeof(fresh), "%s.new", path);
    enum err_code rc = E_IO;
    int fd = -1;

    json_decref(v);
    if (!text)
        abort();
    if (n > 0 && n < PATH_ROOM)
        fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0) {
        rc = put(fd, text, strlen(text));
        close(fd);
    }
    if (rc == E_OK && rename(fresh, path) != 0)
        rc = E_IO;
    if (rc == E_OK)
        rc = settle_folder(path);
    free(text);
    return rc == E_OK
               ? E_OK
               : err_set(err, E_CONFIG, "the record '%s' cannot be written: errno %d", path, errno);
}

static enum err_code read_address(const json_t *v, const char *name, struct address *out,
                                  struct err *err)
{
    return shape_fixed(json_object_get(v, name), name, out->b, sizeof(out->b), err);
}

static enum err_code read_number(const json_t *v, const char *name, uint64_t *out, struct err *err)
{
    const json_t *n = json_object_get(v, name);

    if (!json_is_integer(n) || json_integer_value(n) < 0)
        return err_set(err, E_CONFIG, "%s: no number", name);
    *out = (uint64_t)json_integer_value(n);
    return E_OK;
}

static enum err_code read_tx(const json_t *v, struct arena *a, struct record_tx *out,
                             struct err *err)
{
    enum err_code rc = read_number(v, "max_fee", &out->fees.max_fee, err);

    if (rc == E_OK)
        rc = read_number(v, "tip", &out->fees.tip, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "hash"), "hash", out->hash.b, sizeof(out->hash.b), err);
    if (rc == E_OK)
        rc = shape_bytes(json_object_get(v, "raw"), "raw", a, &out->raw, err);
    return rc;
}

/* Who and what it is. */
static enum err_code read_identity(const json_t *v, struct record *rec, struct err *err)
{
    enum err_code rc = read_number(v, "chain_id", &rec->chain_id, err);

    if (rc == E_OK)
        rc = read_number(v, "nonce", &rec->nonce, err);
    if (rc == E_OK)
        rc = read_number(v, "gas", &rec->gas, err);
    if (rc == E_OK)
        rc = read_address(v, "deployer", &rec->deployer, err);
    if (rc == E_OK)
        rc = read_address(v, "settlement", &rec->settlement, err);
    if (rc == E_OK)
        rc = read_address(v, "vault", &rec->vault, err);
    if (rc == E_OK)
        rc = read_address(v, "admin_lock", &rec->lock, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "init_code_hash"), "init_code_hash", rec->init.b,
                         sizeof(rec->init.b), err);
    return rc == E_OK ? terms_read(json_object_get(v, "terms"), &rec->terms, err) : rc;
}

/* How far it is. */
static enum err_code read_course(const json_t *v, struct arena *a, struct record *rec,
                                 struct err *err)
{
    const json_t *txs = json_object_get(v, "transactions");
    enum err_code rc = E_OK;

    rec->final = json_is_true(json_object_get(v, "final"));
    if (rec->final) {
        rc = read_number(v, "block", &rec->block, err);
        if (rc == E_OK)
            rc = shape_fixed(json_object_get(v, "tx"), "tx", rec->tx.b, sizeof(rec->tx.b), err);
        return rc;
    }
    rec->n_txs = json_array_size(txs);
    if (rec->n_txs < 1 || rec->n_txs > RECORD_TXS_MAX)
        return err_set(err, E_CONFIG, "%zu transactions", rec->n_txs);
    for (size_t i = 0; i < rec->n_txs && rc == E_OK; i++)
        rc = read_tx(json_array_get(txs, i), a, &rec->txs[i], err);
    return rc;
}

enum err_code record_read(const char *path, struct arena *a, struct record *out, struct err *err)
{
    struct record *rec = arena_alloc(a, sizeof(*rec));
    struct err why = {0};
    json_error_t where;
    json_t *v;
    enum err_code rc;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return err_set(err, E_NOT_FOUND, "there is no '%s'", path);
    v = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    rc = v ? read_identity(v, rec, &why) : err_set(&why, E_CONFIG, "%s", where.text);
    if (rc == E_OK)
        rc = read_course(v, a, rec, &why);
    json_decref(v);
    if (rc != E_OK)
        return err_set(err, E_CONFIG, "'%s' is no record of a deployment: %s", path, why.text);
    *out = *rec;
    return E_OK;
}
