// SPDX-License-Identifier: MIT
// The only way out: the hosts that a manifest asks for and its provider agrees to, through a proxy,
// up to a number of bytes. Everything else stays as unreachable as without it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { drop, folder, limits, manifestOf, processesOf } from '../worker/support.mjs';
import { Host } from './host.mjs';
import { benchWith, curlImage, notPublic, sink, tls, wants, web } from './egress.mjs';
import { images } from './images.mjs';
import { begin, groups } from './probes.mjs';

const made = images.plain;
const mirror = 'mirror.egress.test';

for (const runtime of ['crun', 'runc']) {
    describe(runtime, () => {
        let bench, page, pit, secure, curl, dir;
        before(async () => {
            dir = folder('egress');
            [page, pit, secure] = [await web(), await sink(), await tls(dir)];
            curl = curlImage(secure.ca);
            bench = benchWith(runtime, [page.port, pit.port, secure.port]);
        });
        after(() => {
            for (const server of [page, pit, secure]) server.close();
            bench.close();
            drop(dir);
        });
        const run = (args, egress, changes = {}) =>
            bench.try(manifestOf(made, { command: ['/bin/hostile', ...args], ...(egress ? { egress } : {}), ...changes }), made.archive);
        /** What the proxy answers to each of these requests. */
        const ask = async (requests, egress = wants(page.port)) => {
            const r = await run(['egress-ask', ...requests], egress);
            assert.equal(r.end, 'ok', JSON.stringify(r));
            return requests.map((_, i) => r.json[i]);
        };
        const get = (host, path = '/') => `GET http://${host}:${page.port}${path} HTTP/1.1\r\nHost: ${host}:${page.port}\r\n\r\n`;

        test('an allowed host is served, also below a wildcard, in any case and with a dot at the end', async () => {
            page.seen.length = 0;
            const answers = await ask([get(mirror, '/a?b=c'), get('a.below.egress.test', '/w'), get('MIRROR.Egress.Test.', '/c')]);
            for (const a of answers) assert.match(a, /^HTTP\/1\.1 200 OK.*hello \//);
            assert.deepEqual(page.seen.map((r) => r.url), ['/a?b=c', '/w', '/c']);
            assert.equal(page.seen[0].headers.host, `${mirror}:${page.port}`);
            assert.equal(page.seen[0].headers.connection, 'close');
        });

        test('a tunnel carries what came with its request, and nothing but a tunnel answers', async () => {
            const [answer] = await ask([`CONNECT ${mirror}:${page.port} HTTP/1.1\r\n\r\nGET /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`]);
            assert.match(answer, /^HTTP\/1\.1 200 Connection established +HTTP\/1\.1 200 OK.*hello \/early$/);
        });

        test('curl of the machine, by its environment alone: http, and a tunnel that carries TLS', async () => {
            const fetch = (url, port) => bench.try(manifestOf(curl, {
                command: ['/usr/bin/curl', '-sS', '--max-time', '20', '--cacert', '/ca.pem', url], egress: wants(port), limits: { ...limits, memory_mb: 256 },
            }), curl.archive);
            const tunnelled = await fetch(`https://${mirror}:${secure.port}/model`, secure.port);
            assert.deepEqual(tunnelled.json, { over: 'tls', url: '/model' }, JSON.stringify(tunnelled));
            assert.ok(tunnelled.usage.egress_bytes > 500);
            const refused = await fetch(`https://other.egress.test:${secure.port}/`, secure.port);
            assert.equal(refused.end, 'exit');
            assert.match(refused.reason, /403/);
        });

        test('what the source is told: variables for HTTP and HTTPS; none without egress', async () => {
            const variables = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'no_proxy', 'ALL_PROXY'];
            const url = 'http://127.0.0.1:3128';
            const { json } = await run(['egress-env', ...variables], wants(page.port));
            assert.deepEqual(Object.values(json), [url, url, url, url, 'localhost,127.0.0.1', '']);
            const bare = await run(['egress-env', ...variables]);
            assert.deepEqual(Object.values(bare.json), ['', '', '', '', '', '']);
        });

        test('without egress there is no listener', async () => {
            const { json } = await run(['egress-ask', get(mirror)]);
            assert.deepEqual(json, { 0: 'errno 111' });
        });

        test('another host, another port, a name that only looks alike: 403', async () => {
            const hosts = ['other.egress.test', `x${mirror}`, 'below.egress.test', 'xbelow.egress.test', `${mirror}.evil.test`];
            const answers = await ask([...hosts.map((h) => get(h)), get(mirror).replaceAll(`:${page.port}`, ''),
                `CONNECT ${mirror}:22 HTTP/1.1\r\n\r\n`, `CONNECT other.egress.test:${page.port} HTTP/1.1\r\n\r\n`]);
            for (const a of answers) assert.match(a, /^HTTP\/1\.1 403 Forbidden.*the host is not on this source's list $/);
        });

        test('addresses in every form, users, other names: 403 without a look', async () => {
            const forms = ['127.0.0.1', '169.254.169.254', '10.1.2.3', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '[::1]',
                '[::ffff:127.0.0.1]', 'localhost', `user@${mirror}`, 'xn--mrror-3va.egress.test', 'mïrror.egress.test', 'a_b.egress.test'];
            const answers = await ask([...forms.map((h) => get(h)), ...forms.map((h) => `CONNECT ${h}:${page.port} HTTP/1.1\r\n\r\n`)]);
            for (const [i, a] of answers.entries()) assert.match(a, /^HTTP\/1\.1 40[03] /, `${forms[i % forms.length]}: ${a}`);
        });

        test('names that mean this machine, its networks, the metadata service: 403, and nothing arrives', async () => {
            page.seen.length = 0;
            const answers = await ask(notPublic.map((h) => get(h)));
            for (const [i, a] of answers.entries()) assert.match(a, /403 Forbidden.*an address that is not public/, `${notPublic[i]}: ${a}`);
            assert.deepEqual(page.seen, []);
        });

        test('smuggling: one request a connection, one reading of it', async () => {
            page.seen.length = 0;
            const host = `${mirror}:${page.port}`;
            const head = (more) => `POST http://${host}/s HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
            const second = `GET http://other.egress.test:${page.port}/second HTTP/1.1\r\nHost: other.egress.test\r\n\r\n`;
            const [two, body] = await ask([get(mirror, '/one') + second, head('Content-Length: 4\r\n') + `abcd${second}`]);
            assert.match(two, /200 OK.*hello \/one$/);
            assert.match(body, /200 OK.*hello \/s$/);
            assert.deepEqual(page.seen.map((r) => [r.url, r.body]), [['/one', ''], ['/s', 'abcd']]);
            const bad = await ask([
                get(mirror).replace(/Host: \S+/, 'Host: other.egress.test'), get(mirror).replace('Host:', 'Host: mirror.egress.test:1\r\nHost:'),
                head('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n'), head('Transfer-Encoding: chunked\r\n'), head('Content-Length: 4\r\nContent-Length: 5\r\n'),
                head('Content-Length: +4\r\n'), head('Content-Length : 4\r\n'), head('X: a\rHost: other.egress.test\r\n'), head('X: a\nHost: other.egress.test\r\n'),
                head(' folded: x\r\n'), 'GET / HTTP/1.1\r\nHost: mirror.egress.test\r\n\r\n', `GET https://${host}/ HTTP/1.1\r\n\r\n`, `GET http://${host}/ HTTP/2.0\r\n\r\n`,
                `GET http://${host}/a b HTTP/1.1\r\n\r\n`, `CONNECT ${mirror} HTTP/1.1\r\n\r\n`,
            ]);
            for (const [i, a] of bad.entries()) assert.match(a, /^HTTP\/1\.1 4(00|03|11) /, `${i}: ${a}`);
            assert.equal(page.seen.length, 2);
        });

        test('headers of the connection end at the proxy, the rest goes on', async () => {
            page.seen.length = 0;
            await ask([get(mirror).replace('\r\n\r\n', '\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\nX-End: 2\r\n\r\n')]);
            const { headers } = page.seen[0];
            assert.deepEqual(['x-hop', 'proxy-authorization', 'upgrade', 'x-end', 'connection'].map((n) => headers[n]), [undefined, undefined, undefined, '2', 'close']);
        });

        test('a head without an end: too large, or too slow', async () => {
            const huge = await run(['egress-huge'], wants(page.port));
            assert.match(huge.json[0], /^HTTP\/1\.1 431 /);
            const slow = await run(['egress-slow'], wants(page.port), { limits: { ...limits, timeout_s: 60 } });
            assert.match(slow.json[0], /^HTTP\/1\.1 408 /);
        });

        test('many connections at once: all are served, a few at a time', async () => {
            const { json } = await run(['egress-many', get(mirror), '100'], wants(page.port));
            assert.deepEqual(json, { good: 100 });
        });

        test('the byte cap is exact, and one more byte ends the run', async () => {
            const connect = `CONNECT ${mirror}:${pit.port} HTTP/1.1\r\n\r\n`;
            const push = (bytes, cap) => run(['egress-push', connect, String(bytes)], wants(pit.port, { max_bytes: cap }));
            pit.counts.length = 0;
            const cap = connect.length + 50000;
            const within = await push(50000, cap);
            assert.equal(within.end, 'ok', JSON.stringify(within));
            assert.equal(within.usage.egress_bytes, cap);
            const over = await push(50001, cap);
            assert.equal(over.end, 'egress_limit', JSON.stringify(over));
            assert.match(over.reason, /more than 5\d+ bytes over the network/);
            assert.equal(over.usage.egress_bytes, cap);
            assert.equal(pit.counts[0], 50000);
            assert.ok(pit.counts[1] <= 50000);
        });

        test('the cap counts both directions and all connections', async () => {
            const r = await run(['egress-ask', get(mirror, '/big1'), get(mirror, '/big2')], wants(page.port, { max_bytes: 500000 }));
            assert.equal(r.end, 'egress_limit', JSON.stringify(r));
            assert.equal(r.usage.egress_bytes, 500000);
        });

        test('the rest of the network is as far away as before, and the host is as it was', async () => {
            const host = await Host.open(bench);
            try {
                const group = groups.find((g) => g.act === 'network');
                const asking = { ...group, changes: { ...group.changes, egress: wants(page.port) } };
                const seen = { ...await begin(bench, images, asking, host), bench };
                assert.equal(seen.end, 'ok', JSON.stringify(seen.reason));
                for (const [, judge] of group.probes) judge(seen);
                assert.deepEqual(host.damage(), {});
            } finally {
                await host.close();
            }
            assert.deepEqual(processesOf(bench.base), []);
        });
    });
}
