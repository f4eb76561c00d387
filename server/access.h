/* SPDX-License-Identifier: MIT */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "server/request.h"

/** A request is over: count it, and write its line unless its route is quiet and all went well. */
void access_done(struct request *req);

#endif
