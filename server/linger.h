/* SPDX-License-Identifier: MIT */
#ifndef SERVER_LINGER_H
#define SERVER_LINGER_H

#include "server/request.h"

/** Body bytes read and thrown away after a refusal was sent; a client that sends more is cut off.
 */
#define LINGER_MAX ((uint64_t)64 << 20)

/**
 * Send the refusal that is set while the body is still coming, which libmicrohttpd cannot do: the
 * answer goes straight to the socket, our sending side is closed, and what the client still sends
 * is read and dropped for a while. Closing at once instead would reset the connection, and the
 * reset would overtake the answer.
 *
 * To be called when nothing of a reply was given to libmicrohttpd yet and no step runs. The end of
 * the body, LINGER_MAX bytes, or the reaper end it.
 *
 * @return MHD_NO: the connection must be closed
 */
enum MHD_Result linger_begin(struct request *req);

#endif
