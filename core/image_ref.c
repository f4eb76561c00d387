/* SPDX-License-Identifier: MIT */
#include "core/image_ref.h"

#define HUB "registry-1.docker.io"

static bool is_hex_lower(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
    return true;
}

bool image_digest_ok(struct text t)
{
    return t.s && t.n == IMAGE_DIGEST_LEN && memcmp(t.s, "sha256:", 7) == 0 &&
           is_hex_lower(t.s + 7, 64);
}

/* host[:port]/name[/name…] — what stands before the digest. */
static bool is_repository(const char *s, size_t n)
{
    size_t slashes = 0;
    char before = '/';

    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (c == '/')
            slashes++;
        if (before == '/' && !plain)
            return false; /* parts start with a letter or digit; none is empty */
        if (c == ':' && slashes == 0) {
            size_t digits = strspn(s + i + 1, "0123456789");

            if (digits == 0 || i + 1 + digits >= n || s[i + 1 + digits] != '/')
                return false;
        } else if (c == '_' && slashes == 0) {
            return false; /* not in a host name */
        } else if (!plain && !strchr("./-_", c)) {
            return false;
        }
        before = c;
    }
    return slashes > 0 && before != '/';
}

bool image_ref_ok(struct text t)
{
    if (!t.s || t.n > IMAGE_REF_MAX || t.n <= IMAGE_DIGEST_LEN + 1)
        return false;
    size_t head = t.n - IMAGE_DIGEST_LEN - 1;
    return t.s[head] == '@' && is_repository(t.s, head) &&
           image_digest_ok((struct text){t.s + head + 1, IMAGE_DIGEST_LEN});
}

static bool is_tag(const char *s, size_t n)
{
    if (n == 0 || n > 128)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9') || strchr("._-", s[i])))
            return false;
    return true;
}

/* How long the name is without its tag; 0 when the tag is none. */
static size_t without_tag(const char *s, size_t n)
{
    size_t at = n;

    while (at > 0 && s[at - 1] != ':' && s[at - 1] != '/')
        at--;
    if (at == 0 || s[at - 1] == '/')
        return n;
    return is_tag(s + at, n - at) ? at - 1 : 0;
}

/* A first part with a dot or a port, or "localhost", is a host; else it belongs to the name. */
static bool has_host(const char *s, size_t n)
{
    const char *slash = memchr(s, '/', n);
    size_t part = slash ? (size_t)(slash - s) : 0;

    return part > 0 && (memchr(s, '.', part) || memchr(s, ':', part) ||
                        (part == 9 && !memcmp(s, "localhost", 9)));
}

bool image_ref_full(struct text t, struct arena *a, struct text *out)
{
    static const char docker[] = "docker.io/";
    const char *host = "";

    if (!t.s || t.n <= IMAGE_DIGEST_LEN + 1 || t.n > IMAGE_REF_MAX - 40)
        return false;
    const char *digest = t.s + t.n - IMAGE_DIGEST_LEN;
    size_t n = without_tag(t.s, t.n - IMAGE_DIGEST_LEN - 1);
    const char *s = t.s;

    if (digest[-1] != '@' || n == 0)
        return false;
    if (n > strlen(docker) && memcmp(s, docker, strlen(docker)) == 0) {
        s += strlen(docker);
        n -= strlen(docker);
        host = HUB "/";
    } else if (!has_host(s, n)) {
        host = HUB "/";
    }
    if (host[0] && !memchr(s, '/', n))
        host = HUB "/library/";
    *out = text_of(arena_printf(a, "%s%.*s@%.*s", host, (int)n, s, IMAGE_DIGEST_LEN, digest));
    return image_ref_ok(*out);
}
