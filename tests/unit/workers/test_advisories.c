/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers/advisories.h"

static void test_compare(void **state)
{
    /* in order; as dpkg --compare-versions has it */
    static const char *const order[] = {"1.0.0~rc6+dfsg1-3",
                                        "1.0.0~rc93+ds1-5",
                                        "1.0.0~rc93+ds1-5+deb11u3",
                                        "1.0.0",
                                        "1.0.0+ds1",
                                        "1.1.5",
                                        "1.1.5+ds1-1",
                                        "1.1.5+ds1-1+deb12u1",
                                        "1.1.12",
                                        "1.2.0~rc3",
                                        "1.2.0",
                                        "1.2.8",
                                        "1.10"};
    size_t n = sizeof(order) / sizeof(order[0]);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int c = advisories_compare(order[i], order[k]);
            if ((c < 0) != (i < k) || (c > 0) != (i > k))
                fail_msg("%s against %s: %d", order[i], order[k], c);
        }
    }
    assert_int_equal(advisories_compare("1.02", "1.2"), 0);
}

static bool has(const char *version, const char *package, const char *id, bool *met)
{
    struct advisory list[ADVISORIES_MAX];
    size_t n = advisories_of(version, package, list);
    for (size_t i = 0; i < n; i++) {
        assert_true(list[i].id[0] && list[i].needs[0] && list[i].reason[0] && list[i].probe[0]);
        if (strcmp(list[i].id, id) == 0) {
            *met = list[i].met;
            return true;
        }
    }
    return false;
}

static void test_runtimes(void **state)
{
    static const struct {
        const char *version, *package, *id;
        bool has, met;
    } rows[] = {
        {"runc version 1.1.5+ds1", "", "CVE-2024-21626", true, true},
        {"runc version 1.1.5+ds1", "1.1.5+ds1-1+b5", "CVE-2024-21626", true, true},
        {"runc version 1.1.5+ds1", "1.1.5+ds1-1+deb12u1", "CVE-2024-21626", false, false},
        {"runc version 1.1.5+ds1", "1.1.5+ds1-1+deb12u2", "CVE-2024-21626", false, false},
        {"runc version 1.1.11", "", "CVE-2024-21626", true, true},
        {"runc version 1.1.12", "", "CVE-2024-21626", false, false},
        {"runc version 1.2.7", "", "CVE-2025-31133", true, false},
        {"runc version 1.2.8", "", "CVE-2025-31133", false, false},
        {"runc version 1.3.2", "", "CVE-2025-31133", true, false},
        {"runc version 1.3.3", "", "CVE-2025-31133", false, false},
        {"runc version 1.4.0-rc.2", "", "CVE-2025-31133", true, false},
        {"runc version 1.4.0-rc.3", "", "CVE-2025-31133", false, false},
        {"runc version 2.0.0", "", "CVE-2025-31133", false, false},
        {"runc version 1.3.5", "", "CVE-2026-41579", true, false},
        {"runc version 1.4.2", "", "CVE-2026-41579", true, false},
        {"runc version 1.4.3", "", "CVE-2026-41579", false, false},
        {"crun version 1.8.1", "1.8.1-1+deb12u1", "CVE-2025-24965", true, false},
        {"runsc version 0.0~20221219.0", "0.0~20221219.0-2+b3", "floor 20240729", true, true},
        {"runsc version release-20240722.0", "", "floor 20240729", true, true},
        {"runsc version 0.0~20240729.0", "0.0~20240729.0-4", "floor 20240729", false, false},
        {"runsc version release-20240729.0", "", "floor 20240729", false, false},
        {"runsc version release-20260105.0", "", "floor 20240729", false, false},
        {"crun version 1.20", "", "CVE-2025-24965", false, false},
        {"crun version 0.10.4", "", "CVE-2019-18837", true, true},
        {"crun version 1.8.1", "", "CVE-2024-21626", false, false},
        {"youki version 0.3", "", "CVE-2024-21626", false, false},
        {"nonsense", "", "CVE-2024-21626", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool met = false;
        bool got = has(rows[i].version, rows[i].package, rows[i].id, &met);
        if (got != rows[i].has || (got && met != rows[i].met))
            fail_msg("%s (%s), %s: %d %d", rows[i].version, rows[i].package, rows[i].id, got, met);
    }
}

static void test_packages(void **state)
{
    char path[] = "/tmp/ogpu-status-XXXXXX";
    char version[64] = "";
    static const char text[] =
        "Package: runc-doc\nVersion: 9\n\nPackage: runc\nStatus: install ok\n"
        "Version: 1.1.5+ds1-1+deb12u1\n\nPackage: crun\nVersion: 1.8.1-1\n";
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_true(advisories_package("/usr/bin/crun", path, version, sizeof(version)));
    assert_string_equal(version, "1.8.1-1");
    assert_true(advisories_package("/usr/sbin/runc", path, version, sizeof(version)));
    assert_string_equal(version, "1.1.5+ds1-1+deb12u1");
    assert_false(advisories_package("/usr/local/bin/runc", path, version, sizeof(version)));
    assert_false(advisories_package("/usr/bin/x/runc", path, version, sizeof(version)));
    assert_false(advisories_package("/usr/bin/other", path, version, sizeof(version)));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_runtimes),
        cmocka_unit_test(test_packages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
