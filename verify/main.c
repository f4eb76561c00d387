/* SPDX-License-Identifier: MIT */
/*
 * ogpu-verify: checks what the gateway claims without trusting it. Knows the proof formats and,
 * when asked, one JSON-RPC node.
 *
 * exit: 0 verified, 1 refuted, 2 could not be checked
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "eth/address.h"
#include "lib/hex.h"
#include "verify/chain.h"
#include "verify/declared.h"
#include "verify/payout.h"
#include "verify/recount.h"
#include "verify/score.h"
#include "verify/task.h"

enum { VERIFIED = 0, REFUTED = 1, UNCHECKED = 2 };

struct options {
    const char *kind;
    const char *file;
    const char *root;
    const char *rpc;
    const char *contract;
    const char *events;
    const char *previous;
    const char *chain_id;
};

static int usage(FILE *to)
{
    fputs("usage: ogpu-verify payout|score|task FILE (--root 0xROOT | --rpc URL --contract "
          "0xADDRESS)\n"
          "       ogpu-verify score FILE --events FILE|URL [--previous FILE] …\n"
          "       ogpu-verify declared --rpc URL --contract 0xADDRESS [--from BLOCK]\n"
          "\n"
          "  payout  what GET /v1/proofs/{address} answered\n"
          "  score   what GET /v1/providers/{provider}/reputation/proof answered\n"
          "  task    what GET /v1/tasks/{task}/proof answered\n"
          "\n"
          "FILE - is standard input.\n"
          "--events    count the score again from its events: what GET "
          "/v1/providers/{provider}/reputation/events\n"
          "            answered (a page, or a list of pages), or the URL of the first page\n"
          "--previous  the proof of the score before, checked as well (--rpc); else it is as FILE "
          "says\n"
          "--root      check offline against a root you trust: the batch's, its score root, its "
          "log root\n"
          "--rpc       ask a node of your choice what the contract keeps\n"
          "--contract  the Settlement contract you trust (--settlement is the same)\n"
          "--chain-id  the chain that the node must be of\n"
          "\n"
          "exit: 0 verified, 1 refuted, 2 could not be checked, or not yet: inside its delay a\n"
          "      batch may be voided\n",
          to);
    return UNCHECKED;
}

static bool take_option(const char *name, const char *value, struct options *o)
{
    const struct {
        const char *name;
        const char **to;
    } known[] = {{"--root", &o->root},         {"--rpc", &o->rpc},
                 {"--contract", &o->contract}, {"--settlement", &o->contract},
                 {"--events", &o->events},     {"--previous", &o->previous},
                 {"--chain-id", &o->chain_id}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(name, known[i].name) == 0) {
            *known[i].to = value;
            return true;
        }
    return false;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    if (argc < 3)
        return false;
    o->kind = argv[1];
    o->file = argv[2];
    for (int i = 3; i < argc; i += 2)
        if (i + 1 >= argc || !take_option(argv[i], argv[i + 1], o))
            return false;
    if ((o->events && strcmp(o->kind, "score") != 0) || (o->previous && (!o->events || !o->rpc)))
        return false;
    return (o->root != NULL) != (o->rpc != NULL) && (o->rpc == NULL) == (o->contract == NULL);
}

/* What a check stands on: a root from the command line, or a chain. */
struct ground {
    const struct options *options;
    struct arena *arena;
    bool online;
    struct digest root;
    struct chain chain;
};

/* What only the chain knows of an id: whose it is, and what it has claimed. */
static enum err_code check_id(const struct ground *g, const struct payout *p, struct err *err)
{
    char address[ADDRESS_TEXT_MAX];
    struct address owner;
    uint64_t units;
    enum err_code rc = chain_owner(&g->chain, p->id, &owner, err);

    if (rc == E_OK && !address_eq(owner, p->address))
        rc = err_set(err, E_DIGEST_MISMATCH, "id %u is not this address's on chain", p->id);
    if (rc == E_OK)
        rc = chain_claimed(&g->chain, p->id, &units, err);
    if (rc != E_OK)
        return rc;
    address_format(owner, address);
    printf("id %u belongs to %s; claimed so far: %" PRIu64 " of %" PRIu64 " units\n", p->id,
           address, units, p->units);
    return E_OK;
}

static enum err_code verify_payout(const json_t *document, const struct ground *g, struct err *err)
{
    struct digest root = g->root;
    struct payout p;
    uint64_t settled = 0;
    enum err_code rc = payout_read(document, g->arena, &p, err);

    if (rc == E_OK && g->online)
        rc = chain_root(&g->chain, p.epoch, &root, &settled, err);
    if (rc == E_OK)
        rc = payout_check(&p, &root, err);
    if (rc == E_OK && g->online)
        rc = check_id(g, &p, err);
    if (rc == E_OK && g->online)
        rc = chain_ripe(&g->chain, p.epoch, settled, err);
    if (rc != E_OK)
        return rc;
    printf("verified: id %u earned %" PRIu64 " units%s\n", p.id, p.units,
           g->online ? "" : "; a root alone does not tell whose id it is");
    return E_OK;
}

/* A score's proof against what the contract keeps, or the given root. */
static enum err_code check_score(const json_t *document, const struct ground *g, struct score *out,
                                 struct err *err)
{
    uint8_t kept[SCORE_ROOT_KEPT];
    enum err_code rc = score_read(document, g->arena, out, err);

    if (rc == E_OK && g->online)
        rc = chain_scores(&g->chain, out->leaf.epoch, kept, err);
    if (rc == E_OK)
        rc = score_check(out, g->online ? kept : g->root.b,
                         g->online ? sizeof(kept) : sizeof(g->root.b), err);
    return rc;
}

/* The score before, proved like the one after. */
static enum err_code check_previous(const struct ground *g, const struct score *now,
                                    const struct before *before, struct err *err)
{
    json_t *document = NULL;
    struct score s;
    enum err_code rc = document_open(g->options->previous, g->arena, &document, err);

    if (rc == E_OK)
        rc = check_score(document, g, &s, err);
    if (rc == E_OK && (!address_eq(s.leaf.provider, now->leaf.provider) ||
                       s.leaf.epoch != before->epoch || s.leaf.score != before->score))
        rc = err_set(err, E_DIGEST_MISMATCH, "the score before is not the one that is told");
    json_decref(document);
    return rc;
}

static enum err_code recount(const json_t *document, const struct ground *g, const struct score *s,
                             struct err *err)
{
    struct before before;
    struct events events;
    enum err_code rc = before_read(document, &before, err);

    if (rc == E_OK && g->options->previous)
        rc = check_previous(g, s, &before, err);
    if (rc == E_OK)
        rc = events_read(g->options->events, g->arena, &events, err);
    if (rc == E_OK)
        rc = recount_check(&s->leaf, &events, &before, g->arena, err);
    if (rc != E_OK)
        return rc;
    printf("recounted: %zu events have the leaf's root and counts; from %" PRIu32
           " (%s) the formula gives %" PRIu32 "\n",
           events.n, before.score,
           before.epoch == 0      ? "where everyone begins"
           : g->options->previous ? "proved"
                                  : "as the document says",
           s->leaf.score);
    return E_OK;
}

static enum err_code verify_score(const json_t *document, const struct ground *g, struct err *err)
{
    char address[ADDRESS_TEXT_MAX];
    struct score s;
    enum err_code rc = check_score(document, g, &s, err);

    if (rc == E_OK && g->options->events)
        rc = recount(document, g, &s, err);
    if (rc != E_OK)
        return rc;
    address_format(s.leaf.provider, address);
    printf("verified: %s has the score %u after epoch %" PRIu64 " (accepted %" PRIu64
           ", rejected %" PRIu64 ", expired %" PRIu64 ")\n",
           address, s.leaf.score, s.leaf.epoch, s.leaf.accepted, s.leaf.rejected, s.leaf.expired);
    return E_OK;
}

/* The domain that was signed must be the chain and contract that are asked. */
static enum err_code check_domain(const struct ground *g, const struct task *t, struct err *err)
{
    uint64_t chain_id;
    enum err_code rc = rpc_chain_id(g->chain.rpc, &chain_id, err);

    if (rc != E_OK)
        return rc;
    if (chain_id != t->domain.chain_id || !address_eq(t->domain.contract, g->chain.settlement))
        return err_set(err, E_DIGEST_MISMATCH, "it was signed for another chain or contract");
    return E_OK;
}

static enum err_code verify_task(const json_t *document, const struct ground *g, struct err *err)
{
    char provider[ADDRESS_TEXT_MAX];
    char payee[ADDRESS_TEXT_MAX];
    char amount[AMOUNT_TEXT_MAX];
    struct digest root = g->root;
    struct task t;
    uint64_t settled = 0;
    enum err_code rc = task_read(document, g->arena, &t, err);

    if (rc == E_OK && g->online)
        rc = check_domain(g, &t, err);
    if (rc == E_OK && g->online)
        rc = chain_log_root(&g->chain, t.tx, t.epoch, &root, &settled, err);
    if (rc == E_OK)
        rc = task_check(&t, &root, err);
    if (rc == E_OK && g->online)
        rc = chain_ripe(&g->chain, t.epoch, settled, err);
    if (rc != E_OK)
        return rc;
    address_format(t.response.provider, provider);
    address_format(t.payee, payee);
    task_amount(t.event.amount, amount);
    printf("verified: %s signed the response, accepted in epoch %" PRIu64 "; %s was due %s wei\n",
           provider, t.epoch, payee, amount);
    return E_OK;
}

typedef enum err_code verify_fn(const json_t *document, const struct ground *g, struct err *err);

static verify_fn *verifier(const char *kind)
{
    const struct {
        const char *kind;
        verify_fn *run;
    } known[] = {{"payout", verify_payout}, {"score", verify_score}, {"task", verify_task}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(kind, known[i].kind) == 0)
            return known[i].run;
    return NULL;
}

static enum err_code stand(struct ground *g, struct err *err)
{
    const struct options *o = g->options;

    g->online = o->rpc != NULL;
    if (!g->online && !hex_decode(o->root, strlen(o->root), g->root.b, sizeof(g->root.b)))
        return err_set(err, E_CONFIG, "--root is not 32 bytes of hex");
    if (g->online && !address_parse(text_of(o->contract), &g->chain.settlement))
        return err_set(err, E_CONFIG, "--contract is not an address");
    return E_OK;
}

static enum err_code run(verify_fn *verify, struct ground *g, struct err *err)
{
    json_t *document = NULL;
    enum err_code rc = stand(g, err);

    if (rc == E_OK)
        rc = document_open(g->options->file, g->arena, &document, err);
    if (rc == E_OK && g->online) {
        g->chain.arena = g->arena;
        g->chain.rpc = rpc_new(g->options->rpc, 10000);
        rc = chain_meet(g->chain.rpc, g->options->chain_id, err);
    }
    if (rc == E_OK)
        rc = verify(document, g, err);
    if (g->chain.rpc)
        rpc_free(g->chain.rpc);
    json_decref(document);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct ground g = {.options = &o};
    struct err err = {0};
    enum err_code rc;

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return usage(stdout), 0;
    if (argc > 1 && strcmp(argv[1], "declared") == 0)
        return declared_main(argc, argv);
    if (!read_options(argc, argv, &o) || !verifier(o.kind))
        return usage(stderr);
    g.arena = arena_new();
    rc = run(verifier(o.kind), &g, &err);
    if (rc != E_OK)
        fprintf(stderr, "ogpu-verify: %s: %s\n",
                rc == E_DIGEST_MISMATCH ? "refuted" : "not checked", err.text);
    arena_free(g.arena);
    return rc == E_OK ? VERIFIED : rc == E_DIGEST_MISMATCH ? REFUTED : UNCHECKED;
}
