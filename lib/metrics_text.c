/* SPDX-License-Identifier: MIT */
#include "lib/metrics_text.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/metrics_http.h"

struct metrics_text {
    struct metrics_http http;
    pthread_mutex_t lock;
    struct buf text; /* under the lock */
};

static enum err_code fill(void *ctx, struct buf *out, struct err *err)
{
    struct metrics_text *m = ctx;
    enum err_code rc;

    pthread_mutex_lock(&m->lock);
    rc = buf_add(out, m->text.p, m->text.n, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

enum err_code metrics_text_start(const char *at, struct metrics_text **out, struct err *err)
{
    struct metrics_text *m = calloc(1, sizeof(*m));
    enum err_code rc;

    if (!m)
        abort();
    pthread_mutex_init(&m->lock, NULL);
    rc = metrics_http_open(&m->http, "OGPU_METRICS_LISTEN", at, err);
    if (rc == E_OK)
        rc = metrics_http_start(&m->http, fill, m, err);
    if (rc == E_OK)
        *out = m;
    else
        metrics_text_stop(m);
    return rc;
}

void metrics_text_set(struct metrics_text *m, struct buf *text)
{
    struct buf old;

    pthread_mutex_lock(&m->lock);
    old = m->text;
    m->text = *text;
    *text = old;
    pthread_mutex_unlock(&m->lock);
}

void metrics_text_stop(struct metrics_text *m)
{
    if (!m)
        return;
    metrics_http_close(&m->http);
    pthread_mutex_destroy(&m->lock);
    buf_done(&m->text);
    free(m);
}
