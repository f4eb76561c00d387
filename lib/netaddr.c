/* SPDX-License-Identifier: MIT */
#include "lib/netaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/err.h"

/* IPv4 networks that are somebody's own, somewhere else's, or nobody's. */
static const struct {
    uint32_t net;
    unsigned bits;
} special[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* carrier-grade NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, clouds' metadata services among it */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarking */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool public_v4(uint32_t a)
{
    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if ((a ^ special[i].net) >> (32 - special[i].bits) == 0)
            return false;
    return true;
}

/* Only 2000::/3 is given out; in it, what tunnels IPv4 or documents is not a host of its own. */
static bool public_v6(const uint8_t a[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const uint32_t first = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];

    if (memcmp(a, mapped, sizeof(mapped)) == 0)
        return public_v4((uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 |
                         a[15]);
    if (first >> 29 != 1)
        return false;
    return first >> 9 != 0x20010000 >> 9       /* 2001::/23: protocols, Teredo */
           && first != 0x20010db8              /* documentation */
           && first >> 16 != 0x2002            /* 6to4 */
           && first >> 12 != 0x3fff0000 >> 12; /* documentation */
}

bool netaddr_public(const struct sockaddr *sa)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof(v4));
        return public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (sa->sa_family != AF_INET6)
        return false;
    memcpy(&v6, sa, sizeof(v6));
    return public_v6(v6.sin6_addr.s6_addr);
}
