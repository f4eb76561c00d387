/* SPDX-License-Identifier: MIT */
/* The proxy for a source's network: bytes in both directions, and which addresses it connects to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/egress_proxy.h"

static const struct egress_config patient = {
    .max_bytes = 1000, .times = {200, 1000, 200, 100000}, .connections = 2};

/* ---- both directions ---- */

/* A source and a host, each the far end of a connection that is relayed. */
struct relayed {
    int source[2];
    int host[2];
    struct egress_book book;
    struct egress_meter meter;
    uint8_t room[2][EGRESS_BUFFER];
    struct egress_flow up;
    struct egress_flow down;
};

static void begin_relay(struct relayed *r, int64_t budget)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->source), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->host), 0);
    r->meter = (struct egress_meter){.left = 1000, .book = &r->book, .control = -1};
    pthread_mutex_init(&r->meter.mutex, NULL);
    r->up = (struct egress_flow){.from = r->source[1],
                                 .to = r->host[1],
                                 .p = r->room[0],
                                 .budget = budget,
                                 .open = budget != 0};
    r->down = (struct egress_flow){
        .from = r->host[1], .to = r->source[1], .p = r->room[1], .budget = -1, .open = true};
}

static void end_relay(struct relayed *r)
{
    for (int i = 0; i < 2; i++) {
        close(r->source[i]);
        close(r->host[i]);
    }
    pthread_mutex_destroy(&r->meter.mutex);
}

static void test_relay(void **state)
{
    static struct relayed r;
    struct egress_config c = patient;
    char text[16] = "";
    (void)state;
    /* Plain HTTP: five bytes belong to the request, the rest stays where it is. */
    begin_relay(&r, 5);
    assert_int_equal(send(r.source[0], "helloSMUGGLED", 13, 0), 13);
    assert_int_equal(send(r.host[0], "answer", 6, 0), 6);
    shutdown(r.host[0], SHUT_WR);
    egress_relay(&c, &r.meter, &r.up, &r.down, clock_mono_us() + 60000000);
    assert_int_equal(recv(r.host[0], text, sizeof(text), 0), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(recv(r.source[0], text, sizeof(text), 0), 6);
    assert_memory_equal(text, "answer", 6);
    assert_int_equal(r.meter.left, 1000 - 11);
    end_relay(&r);
}

static void test_relay_ends(void **state)
{
    static struct relayed r;
    struct egress_config c = patient;
    char one;
    (void)state;
    /* A tunnel in which nobody says a word, and one that has had its time. */
    begin_relay(&r, -1);
    egress_relay(&c, &r.meter, &r.up, &r.down, clock_mono_us() + 60000000);
    assert_int_equal(recv(r.source[0], &one, 1, 0), -1);
    end_relay(&r);
    begin_relay(&r, -1);
    c.times.idle = 60000;
    egress_relay(&c, &r.meter, &r.up, &r.down, clock_mono_us() + 100000);
    end_relay(&r);
    /* A tunnel is over when both ends are. */
    begin_relay(&r, -1);
    shutdown(r.source[0], SHUT_WR);
    shutdown(r.host[0], SHUT_WR);
    egress_relay(&c, &r.meter, &r.up, &r.down, clock_mono_us() + 60000000);
    assert_int_equal(recv(r.source[0], &one, 1, 0), 0);
    end_relay(&r);
}

/* ---- addresses ---- */

static void add_network(struct egress_config *c, bool v6, const char *address, size_t bytes)
{
    struct egress_network *net = &c->networks[c->network_count++];
    *net = (struct egress_network){.v6 = v6};
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, address, net->address), 1);
    memset(net->mask, 0xff, bytes);
}

/* The resolver reads an address as itself. */
static int dialled(const struct egress_config *c, const char *address)
{
    struct egress_refusal no = {0, ""};
    int fd = egress_dial(c, address, 9, &no);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 200 : no.status;
}

static void test_addresses(void **state)
{
    static const char *const never[] = {"127.0.0.1",
                                        "10.0.0.1",
                                        "169.254.169.254",
                                        "192.168.1.1",
                                        "100.64.0.1",
                                        "0.0.0.0",
                                        "::1",
                                        "::",
                                        "fe80::1",
                                        "fd00::1",
                                        "::ffff:10.0.0.1",
                                        "::ffff:127.0.0.1",
                                        "64:ff9b::7f00:1",
                                        "2002:7f00:1::1",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "::127.0.0.1"};
    static const char *const own[] = {"8.8.8.8", "::ffff:8.8.8.9", "2a00:1450:4001::5"};
    struct egress_config c = patient;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (dialled(&c, never[i]) != 403)
            fail_msg("%s may be reached", never[i]);
    /* What is public, but the provider's own. */
    c.times.connect = 1;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (dialled(&c, own[i]) == 403)
            fail_msg("%s is nobody's own yet", own[i]);
    add_network(&c, false, "8.8.8.0", 3);
    add_network(&c, true, "2a00:1450:4001::", 8);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (dialled(&c, own[i]) != 403)
            fail_msg("%s is the provider's own", own[i]);
}

static void test_config(void **state)
{
    static struct egress_config c;
    static const uint8_t loopback[4] = {127, 0, 0, 0};
    struct err err;
    bool found = false;
    json_t *v = json_pack("{s:[s], s:[s, s], s:i}", "hosts", "*.a.org:8443", "private", "b.org",
                          "c.org", "max_bytes", 7);
    (void)state;
    assert_int_equal(egress_config_read(v, &c, &err), E_OK);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.private_count, 2);
    assert_int_equal(c.max_bytes, 7);
    assert_true(c.times.head > 0 && c.times.idle > 0 && c.times.total > 0 && c.connections > 0);
    /* The machine's networks are known; lo's is one of them. */
    for (size_t i = 0; i < c.network_count; i++)
        found = found || (!c.networks[i].v6 && memcmp(c.networks[i].address, loopback, 4) == 0);
    assert_true(found);
    json_object_set_new(v, "hosts", json_pack("[s]", "10.0.0.1"));
    assert_int_equal(egress_config_read(v, &c, &err), E_INTERNAL);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relay),
        cmocka_unit_test(test_relay_ends),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
