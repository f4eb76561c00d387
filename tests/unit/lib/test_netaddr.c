/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/err.h"
#include "lib/netaddr.h"

static bool judge(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return netaddr_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return netaddr_public((const struct sockaddr *)&v6);
}

static void test_hosts_of_the_internet(void **state)
{
    static const char *const yes[] = {
        "1.1.1.1",     "9.255.255.255", "11.0.0.0",    "100.63.255.255", "100.128.0.0",
        "126.0.0.1",   "128.0.0.1",     "169.253.0.1", "172.15.255.255", "172.32.0.0",
        "192.167.0.1", "192.169.0.0",   "198.17.0.1",  "198.20.0.0",     "223.255.255.255",
        "2606:4700::", "2a00:1450::1",  "2001:200::1", "::ffff:8.8.8.8", "2001:db9::1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (!judge(yes[i]))
            fail_msg("%s is public", yes[i]);
}

static void test_what_is_somebodys_own(void **state)
{
    static const char *const no[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.1.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.0.1",
        "192.0.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "3fff::1",
    };
    const struct sockaddr unix_socket = {.sa_family = AF_UNIX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (judge(no[i]))
            fail_msg("%s is not public", no[i]);
    assert_false(netaddr_public(&unix_socket));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_of_the_internet),
        cmocka_unit_test(test_what_is_somebodys_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
