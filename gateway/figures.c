/* SPDX-License-Identifier: MIT */
#include "gateway/figures.h"

#include "keeper/keeper.h"
#include "queue/thread.h"

static void one(struct buf *out, const char *name, const char *type, const char *help, double v)
{
    metrics_family(out, name, type, help);
    metrics_sample(out, name, NULL, v);
}

static void write_figures(struct buf *out, void *ctx)
{
    const struct app *app = ctx;
    struct keeper_stats k;

    keeper_stats(app->keeper, &k);
    one(out, "ogpu_redis_up", "gauge", "1 while the link to Redis is up.", queue_up(app->queue));
    one(out, "ogpu_book_losses_total", "counter",
        "How often the book of open slots may have lost some.", (double)queue_losses(app->queue));
    one(out, "ogpu_book_resyncs_total", "counter", "How often the book was filled from the rows.",
        (double)k.resyncs);
    one(out, "ogpu_tasks_expired_total", "counter", "Tasks this gateway expired.",
        (double)k.expired);
    one(out, "ogpu_tasks_exited_total", "counter", "Tasks this gateway closed for a forced exit.",
        (double)k.exited);
    one(out, "ogpu_leases_lapsed_total", "counter", "Attempts this gateway ended at their lease.",
        (double)k.lapsed);
    one(out, "ogpu_checks_running", "gauge", "Responses being checked here.", (double)k.checking);
    one(out, "ogpu_checks_adopted_total", "counter", "Checks taken over from a gone gateway.",
        (double)k.adopted);
    metrics_family(out, "ogpu_verdicts_total", "counter", "Verdicts booked by this gateway.");
    metrics_sample(out, "ogpu_verdicts_total", "verdict=\"passed\"", (double)k.passed);
    metrics_sample(out, "ogpu_verdicts_total", "verdict=\"rejected\"", (double)k.rejected);
    one(out, "ogpu_keeper_failures_total", "counter", "Background jobs that ended with an error.",
        (double)k.failures);
}

void figures_register(struct metrics *metrics, struct app *app)
{
    metrics_register(metrics, write_figures, app);
}
