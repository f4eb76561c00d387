/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_PEER_H
#define TESTS_SUPPORT_FAKE_PEER_H

#include <stddef.h>

/** An HTTP peer that answers each request with the next thing it was told to say, byte for byte. */
struct peer;

/** Listens on a free port of 127.0.0.1. */
struct peer *peer_start(void);
void peer_stop(struct peer *p);

/** "http://127.0.0.1:port" */
const char *peer_url(const struct peer *p);

/** Say these bytes next, as they are. The connection stays open after them. */
void peer_say_raw(struct peer *p, const char *bytes, size_t n);

/** Say 200 with this JSON text. */
void peer_say(struct peer *p, const char *json);

/** Say nothing and close the connection. */
void peer_drop(struct peer *p);

/** Say nothing and keep the connection open. */
void peer_hang(struct peer *p);

/** The last request, headers and body; requests so far; connections so far. */
const char *peer_heard(struct peer *p);
int peer_requests(struct peer *p);
int peer_connections(struct peer *p);

#endif
