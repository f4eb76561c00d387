/* SPDX-License-Identifier: MIT */
#include "keeper/state.h"
#include "lib/log.h"
#include "server/blobs.h"

#define PAGE 200

/* An upload writes the bytes first and the row second: bytes this young may be one in between. */
#define UPLOAD_S 86400

/*
 * Rows first, bytes second: a crash in between leaves bytes without a row, which cost only room;
 * the other order would leave rows without bytes.
 */
enum err_code job_garbage(struct keeper *k, struct err *err)
{
    const struct sql_blob_garbage in = {.max = PAGE};
    size_t n;
    enum err_code rc;

    do {
        const struct sql_blob_garbage_row *gone;
        const void *rows;

        rc = db_run(k->conn, SQL_BLOB_GARBAGE, &in, 1, k->arena, &rows, &n, err);
        if (rc != E_OK)
            return rc;
        gone = rows;
        for (size_t i = 0; i < n; i++) {
            struct digest digest;
            struct err why;

            if (gone[i].digest.n != sizeof(digest.b))
                continue;
            memcpy(digest.b, gone[i].digest.p, sizeof(digest.b));
            if (blob_remove(k->app->blobs, &digest, UPLOAD_S, &why) != E_OK)
                log_warn("blob_not_deleted", "reason=%s", why.text);
        }
    } while (n == PAGE && !atomic_load(&k->stopping));
    return E_OK;
}
