/* SPDX-License-Identifier: MIT */
#ifndef LIB_NETADDR_H
#define LIB_NETADDR_H

#include <stdbool.h>
#include <sys/socket.h>

/**
 * Whether an address is on the public internet: IPv4 or IPv6 outside the IANA special-purpose
 * registries (RFC 6890), multicast and reserved space. IPv4 inside IPv6 (mapped, NAT64, 6to4) is
 * judged as what it holds or refused.
 *
 * @sa  AF_INET or AF_INET6; any other family is not public
 */
bool netaddr_public(const struct sockaddr *sa);

#endif
