/* SPDX-License-Identifier: MIT */
/*
 * ogpu-verify: checks what the gateway claims without trusting it. Knows the proof format and, when
 * asked, one JSON-RPC node.
 *
 * exit: 0 verified, 1 refuted, 2 could not be checked
 */
#include <stdio.h>
#include <string.h>

#include "eth/abi.h"
#include "eth/address.h"
#include "eth/rpc.h"
#include "lib/hex.h"
#include "verify/declared.h"
#include "verify/payout.h"

#define DOCUMENT_MAX 65536

enum { VERIFIED = 0, REFUTED = 1, UNCHECKED = 2 };

struct options {
    const char *file;
    const char *root;
    const char *rpc;
    const char *settlement;
    const char *vault;
};

static int usage(FILE *to)
{
    fputs("usage: ogpu-verify payout FILE (--root 0xROOT | --rpc URL --settlement 0xADDRESS "
          "[--vault 0xADDRESS])\n"
          "       ogpu-verify declared --rpc URL --settlement 0xADDRESS [--from BLOCK]\n"
          "\n"
          "FILE holds what GET /v1/proofs/{address} answered; - reads standard input.\n"
          "--root   check offline against a root you trust\n"
          "--rpc    ask a node of your choice for the root and what was claimed; with --vault also "
          "whose id it is\n",
          to);
    return UNCHECKED;
}

static bool take_option(const char *name, const char *value, struct options *o)
{
    const struct {
        const char *name;
        const char **to;
    } known[] = {{"--root", &o->root},
                 {"--rpc", &o->rpc},
                 {"--settlement", &o->settlement},
                 {"--vault", &o->vault}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(name, known[i].name) == 0) {
            *known[i].to = value;
            return true;
        }
    return false;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    if (argc < 3 || strcmp(argv[1], "payout") != 0)
        return false;
    o->file = argv[2];
    for (int i = 3; i < argc; i += 2)
        if (i + 1 >= argc || !take_option(argv[i], argv[i + 1], o))
            return false;
    return (o->root != NULL) != (o->rpc != NULL) && (o->rpc == NULL) == (o->settlement == NULL);
}

static enum err_code read_document(const char *path, struct arena *a, struct payout *out,
                                   struct err *err)
{
    char *text = arena_alloc(a, DOCUMENT_MAX);
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    json_t *document = NULL;
    size_t n;
    enum err_code rc;

    if (!f)
        return err_set(err, E_IO, "cannot open '%s'", path);
    n = fread(text, 1, DOCUMENT_MAX, f);
    if (f != stdin)
        fclose(f);
    rc = json_parse(text, n, &document, err);
    if (rc == E_OK)
        rc = payout_read(document, a, out, err);
    json_decref(document);
    return rc;
}

/* A node of the user's choice and the memory of its answers. */
struct node {
    struct rpc *rpc;
    struct arena *arena;
};

/* A view function of one numeric argument. */
struct question {
    const char *call;
    const char *returns;
    uint64_t argument;
};

static const struct question root_of = {ABI_ROOT_OF, "(bytes32,uint64)", 0};
static const struct question account_of = {ABI_VAULT_ACCOUNT_OF, "(address)", 0};
static const struct question claimed_of = {ABI_CLAIMED, "(uint64)", 0};

/* Asks a contract; the answer's values. */
static enum err_code ask(const struct node *node, struct address contract, struct question q,
                         struct abi_value *out, size_t n, struct err *err)
{
    struct abi_value arg = abi_u64(q.argument);
    struct buf data = {0};
    struct bytes answer = {0};
    enum err_code rc = abi_call(q.call, &arg, 1, &data, err);

    if (rc == E_OK) {
        struct rpc_view view = {contract, bytes_of(data.p, data.n), "latest"};

        rc = rpc_read(node->rpc, &view, node->arena, &answer, err);
    }
    if (rc == E_OK)
        rc = abi_decode(q.returns, answer, out, n, err);
    buf_done(&data);
    return rc;
}

static struct question about(struct question q, uint64_t argument)
{
    q.argument = argument;
    return q;
}

static enum err_code check_owner(const struct node *node, const char *vault, const struct payout *p,
                                 struct err *err)
{
    struct address where;
    struct address owner;
    struct abi_value v;
    enum err_code rc;

    if (!address_parse(text_of(vault), &where))
        return err_set(err, E_CONFIG, "--vault is not an address");
    rc = ask(node, where, about(account_of, p->id), &v, 1, err);
    if (rc != E_OK)
        return rc;
    owner = abi_to_address(&v);
    if (!address_eq(owner, p->address))
        return err_set(err, E_DIGEST_MISMATCH, "id %u is not this address's on chain", p->id);
    printf("id %u belongs to the address on chain\n", p->id);
    return E_OK;
}

/* The proof against the root that the chain keeps for the epoch, and what was claimed of it. */
static enum err_code check_at_node(const struct options *o, const struct node *node,
                                   const struct payout *p, struct err *err)
{
    struct address settlement;
    struct abi_value v[2];
    struct digest root;
    uint64_t units;
    enum err_code rc;

    if (!address_parse(text_of(o->settlement), &settlement))
        return err_set(err, E_CONFIG, "--settlement is not an address");
    rc = ask(node, settlement, about(root_of, p->epoch), v, 2, err);
    if (rc != E_OK)
        return rc;
    root = abi_to_digest(&v[0]);
    rc = payout_check(p, &root, err);
    if (rc == E_OK && o->vault)
        rc = check_owner(node, o->vault, p, err);
    if (rc == E_OK)
        rc = ask(node, settlement, about(claimed_of, p->id), v, 1, err);
    if (rc == E_OK && abi_to_u64(&v[0], &units))
        printf("claimed so far: %llu of %llu units\n", (unsigned long long)units,
               (unsigned long long)p->units);
    return rc;
}

static enum err_code check_on_chain(const struct options *o, const struct payout *p,
                                    struct arena *a, struct err *err)
{
    struct node node = {rpc_new(o->rpc, 10000), a};
    enum err_code rc = check_at_node(o, &node, p, err);

    rpc_free(node.rpc);
    return rc;
}

static enum err_code check_offline(const struct options *o, const struct payout *p, struct err *err)
{
    struct digest root;

    if (!hex_decode(o->root, strlen(o->root), root.b, sizeof(root.b)))
        return err_set(err, E_CONFIG, "--root is not 32 bytes of hex");
    return payout_check(p, &root, err);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct payout p = {.id = 0};
    struct err err = {0};
    struct arena *a;
    char address[ADDRESS_TEXT_MAX];
    enum err_code rc;

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return usage(stdout), 0;
    if (argc > 1 && strcmp(argv[1], "declared") == 0)
        return declared_main(argc, argv);
    if (!read_options(argc, argv, &o))
        return usage(stderr);
    a = arena_new();
    rc = read_document(o.file, a, &p, &err);
    if (rc == E_OK)
        rc = o.rpc ? check_on_chain(&o, &p, a, &err) : check_offline(&o, &p, &err);
    if (rc == E_OK) {
        address_format(p.address, address);
        printf("verified: %s earned %llu units up to epoch %llu\n", address,
               (unsigned long long)p.units, (unsigned long long)p.epoch);
    } else {
        fprintf(stderr, "ogpu-verify: %s: %s\n",
                rc == E_DIGEST_MISMATCH ? "refuted" : "not checked", err.text);
    }
    arena_free(a);
    return rc == E_OK ? VERIFIED : rc == E_DIGEST_MISMATCH ? REFUTED : UNCHECKED;
}
