// SPDX-License-Identifier: MIT
// The probes: what a hostile source tries, and what must come of it. A group is one container start;
// each probe judges one thing in what it told. prove.test.mjs takes protections away and sees which
// probes notice.
import assert from 'node:assert/strict';
import { slow } from '../worker/support.mjs';

const E = { EPERM: 1, ENOENT: 2, ESRCH: 3, EBADF: 9, EACCES: 13, EINVAL: 22, ENOTTY: 25, EFBIG: 27, ENOSPC: 28, EROFS: 30, ENOSYS: 38,
    EAFNOSUPPORT: 97, EPROTONOSUPPORT: 93, ENETUNREACH: 101, ECONNREFUSED: 111, EADDRNOTAVAIL: 99, EISDIR: 21, ETXTBSY: 26, ENXIO: 6, ENODEV: 19, EIO: 5 };
const one = (...names) => (value, what) => assert.ok(names.some((n) => E[n] === value), `${what}: ${value}, not ${names.join(' or ')}`);

/** One probe for each of these members of what was told. */
const each = (names, judge, prefix) => names.map((name) => [`${prefix}${name}`, ({ json }) => judge(json[name], name)]);
const is = (name, key, value) => [name, ({ json }) => assert.deepEqual(json[key], value, key)];
const probe = (name, judge) => [name, judge];

const refused = ['ptrace', 'mount', 'umount', 'pivot_root', 'chroot', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'open_tree', 'move_mount',
    'mount_setattr', 'unshare_user', 'unshare_net', 'unshare_mount', 'setns', 'keyctl', 'add_key', 'request_key', 'bpf', 'perf', 'userfaultfd', 'fanotify',
    'vmsplice', 'mknod', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'pidfd_getfd', 'kcmp', 'kexec', 'kexec_file', 'reboot', 'syslog', 'settime',
    'settimeofday', 'adjtimex', 'clock_adjtime', 'acct', 'quotactl', 'open_by_handle', 'name_to_handle', 'init_module', 'finit_module', 'delete_module', 'swapon',
    'swapoff', 'sethostname', 'setdomainname', 'memfd_secret', 'mbind', 'set_mempolicy', 'move_pages', 'migrate_pages', 'lookup_dcookie', 'vhangup', 'iopl',
    'ioperm', 'modify_ldt'].filter((n) => process.arch === 'x64' || !['iopl', 'ioperm', 'modify_ldt'].includes(n));
const unknown = ['clone_newuser', 'clone_newnet', 'clone3', 'io_uring', 'io_uring_enter', 'io_uring_register', 'personality', 'unknown'];
const families = ['vsock', 'packet', 'netlink', 'alg', 'xdp', 'tipc', 'rds', 'smc', 'bluetooth', 'can', 'socketpair_tipc'];
const masked = ['/proc/kcore', '/proc/keys', '/proc/kallsyms', '/proc/config.gz', '/proc/cmdline', '/proc/timer_list', '/proc/modules', '/proc/partitions'];
const absent = ['/etc/shadow', '/root', '/home', '/dev/mem', '/dev/vda', '/dev/kvm', '/dev/fuse', '/sys/fs/cgroup', '/run/box', '/proc/1/root/etc/shadow'];
const kernelFiles = ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/kernel/hostname', '/proc/sys/kernel/panic',
    '/proc/sys/vm/drop_caches', '/proc/sys/vm/overcommit_memory', '/proc/sys/net/ipv4/ip_forward', '/proc/sys/fs/file-max', '/proc/sys/fs/binfmt_misc/register',
    '/proc/irq/default_smp_affinity', '/proc/kcore', '/proc/self/uid_map', '/proc/self/gid_map', '/proc/self/setgroups', '/proc/1/mem', '/proc/bus/pci/00/00.0',
    '/proc/acpi/wakeup', '/sys/kernel/uevent_helper', '/sys/power/state', '/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/memory/release_agent',
    '/dev/mem', '/dev/kmsg', '/dev/port', '/etc/hosts', '/etc/passwd', '/bin/hostile', '/proc/1/exe'];
const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts', 'fd', 'stdin', 'stdout', 'stderr', 'shm', 'mqueue', 'core', 'console'];

export const groups = [
    { act: 'calls', end: 'ok', probes: [
        ...each(refused, one('EPERM'), 'call: '),
        ...each(unknown, one('ENOSYS'), 'call: '),
    ] },
    { act: 'network', end: 'ok', host: true, probes: [
        ...each(['public', 'public_udp', 'metadata', 'host_address', 'gateway'], one('ENETUNREACH'), 'way out: '),
        ...each(['public_v6'], one('ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'), 'way out: '),
        ...each(['host_loopback', 'abstract'], one('ECONNREFUSED'), 'way to the host: '),
        ...each(families, one('ENOSYS'), 'socket family: '),
        ...each(['raw'], one('EPERM', 'EACCES', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'), 'socket: '),
        probe('only its own loopback', ({ json }) => assert.equal(json.interfaces.trim(), 'lo')),
    ] },
    { act: 'look', end: 'ok', probes: [
        ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => [`no capability: ${set}`, ({ json }) => assert.equal(Number(`0x${json[set]}`), 0)]),
        is('no new privileges', 'NoNewPrivs', '1'),
        is('seccomp in force', 'Seccomp', '2'),
        is('an ordinary user', 'Uid', '1000'),
        probe('host ids of its own', ({ json, bench }) => assert.deepEqual(json.uid_map.trim().split(/\s+/).map(Number), [0, bench.base, 65536])),
        is('sees no other process', 'pids', 1),
        probe('gets no open file of ours', ({ json }) => assert.ok(json.fds <= 4, `${json.fds}`)),
        ...each(masked, (v) => assert.ok(v <= 0, `${v}`), 'shows nothing: '),
        is('drivers tell nothing', '/proc/driver', 1),
        ...each(absent, one('ENOENT'), 'not there: '),
        is('/tmp is bounded', '/tmp size', 16 << 20),
        is('/dev/shm is bounded', '/dev/shm size', 16 << 20),
        probe('/out is bounded', ({ json }) => assert.ok(json['/out size'] <= (8 << 20) + 65536)),
        ...['/tmp', '/out', '/dev/shm'].map((place) => is(`no programs from ${place}`, `${place} noexec`, 1)),
        ...each(['oom_score_adj', 'setrlimit', 'realtime', 'nice'], one('EPERM', 'EACCES'), 'may not: '),
        is('nobody else to signal', 'kill_all', E.ESRCH),
        ...each(['/bin/new'], one('EROFS', 'EACCES'), 'may not write: '),
    ] },
    { act: 'writes', end: 'ok', probes: [
        ...each(kernelFiles, one('EACCES', 'EROFS', 'ENOENT', 'EPERM', 'ETXTBSY', 'EIO', 'EINVAL', 'EISDIR', 'ENXIO'), 'may not write: '),
        probe('/dev holds nothing of the host', ({ json }) => assert.deepEqual(json.dev.trim().split(/\s+/).filter((d) => !devices.includes(d)), [])),
    ] },
    { act: 'privileges', end: 'ok', image: 'root', probes: [
        ...each(['setuid', 'setgid', 'setresuid', 'setgroups', 'capset', 'ambient', 'securebits', 'chown_root', 'files_limit', 'core_limit'],
            one('EPERM'), 'may not: '),
        ...each(['new_privs'], one('EINVAL'), 'may not: '),
        is('a set-id program of the image is an ordinary one', 'setuid_program', 1000),
        ...each(['exec_tmp'], one('EACCES'), 'may not: '),
    ] },
    { act: 'stand', end: 'ok', probes: [
        is('no folder above its root', 'up', E.ENOENT),
        is('no open folder of ours', 'leaked', 0),
        is('no parent that it knows', 'ppid', 0),
        is('no root of another process', '/proc/1/root/etc/shadow', undefined),
    ] },
    { act: 'signals', end: 'ok', probes: [
        is('kills nobody by number', 'reached', 0),
        ...each(['all', 'tgkill', 'queue', 'pidfd', 'priority'], one('ESRCH', 'EINVAL', 'EPERM'), 'reaches nobody: '),
        is('kills no parent', 'parent', 0),
    ] },
    { act: 'forks', end: 'ok', probes: [
        probe('fork bomb: stops at its limit', ({ json, usage }) => assert.ok(json.children < 64 && json.children > 30 && usage.pids_refused > 0, `${json.children}`)),
    ] },
    { act: 'threads', end: 'ok', probes: [probe('thread bomb: stops at its limit', ({ json }) => assert.ok(json.threads < 64 && json.threads > 30, `${json.threads}`))] },
    { act: 'memory', end: 'out_of_memory', probes: [
        probe('memory bomb: killed at its limit', ({ usage }) => assert.ok(usage.memory_peak <= 128 << 20 && usage.memory_peak > 100 << 20, `${usage.memory_peak}`)),
        probe('memory bomb: counted', ({ usage }) => assert.ok(usage.oom_kills >= 1)),
        probe('memory bomb: the host keeps its memory', ({ freed }) => assert.ok(freed < 256, `${freed} MiB less`)),
    ] },
    { act: 'memfd', end: 'ok', probes: [probe('memory as a file: stops at its limit', ({ json }) => assert.ok(json.memfd <= 16, `${json.memfd} MiB`))] },
    { act: 'disk', end: 'ok', probes: [
        ...['/tmp/a', '/dev/shm/a'].map((p) => probe(`disk fill: ${p}`, ({ json }) => assert.ok(json[`${p} bytes`] <= 16 << 20, `${json[`${p} bytes`]}`))),
        probe('disk fill: /out/a', ({ json }) => assert.ok(json['/out/a bytes'] <= (8 << 20) + 65536)),
        ...each(['/a', '/var/a', '/in/a', '/dev/a', '/proc/a'], one('EROFS', 'EACCES', 'ENOENT'), 'disk fill: '),
    ] },
    { act: 'inodes', end: 'ok', probes: [probe('inode fill', ({ json }) => assert.ok(json.files <= 4096, `${json.files}`))] },
    { act: 'descriptors', end: 'ok', probes: [probe('descriptors', ({ json }) => assert.ok(json.descriptors < 1024, `${json.descriptors}`))] },
    { act: 'inotify', end: 'ok', probes: [probe('inotify flood: stops', ({ json }) => assert.ok(json.instances < 1024, `${json.instances}`))] },
    { act: 'flood', end: 'output_limit', probes: [probe('output flood: cut off', ({ usage }) => assert.ok(usage.wall_ms < 5000))] },
    { act: 'logs', end: 'timeout', changes: { limits: { timeout_s: 1 } }, probes: [
        probe('log flood: kept short', ({ reason, stderr }) => assert.ok(reason.length < 256 && stderr.length < 65536)),
    ] },
    { act: 'hang', end: 'timeout', changes: { limits: { timeout_s: 1 } }, probes: [
        probe('ignores every signal: ended by the clock', ({ usage }) => assert.ok(usage.wall_ms >= 950 && usage.wall_ms < 3000, `${usage.wall_ms}`)),
    ] },
    // its runtime's own start is in the figure, and emulated it takes a second
    { act: 'busy', end: 'timeout', changes: { limits: { timeout_s: 2 * slow, cpu_millis: 20 } }, probes: [
        probe('busy: its share of the CPU and no more', ({ usage }) => assert.ok(usage.cpu_us < (slow > 1 ? 240_000 : 120_000) * slow, `${usage.cpu_us}`)),
    ] },
    { act: 'daemon', end: 'ok', probes: [probe('a daemon dies with its source', ({ damage }) => assert.equal(damage.processes, undefined))] },
    { act: 'race', end: null, probes: [
        probe('an output swapped for a link while it ends: never the host\'s file', ({ end, outputs }) => {
            assert.ok(['ok', 'bad_output'].includes(end), end);
            assert.ok(outputs.every((o) => o.name !== 'result' || o.size === 0));
        }),
    ] },
];

/**
 * That a probe notices what was taken away: its container ran, and what it told was judged wrong. A runtime that refused the
 * configuration, or a judge that found nothing to judge, proves nothing.
 */
export function notices([name, judge], seen) {
    assert.ok(seen.end && !['refused', 'start_failure'].includes(seen.end), `'${name}' was not asked, it ended as ${seen.end}: ${seen.reason ?? seen.stderr}`);
    assert.throws(() => judge(seen), (e) => {
        if (e instanceof assert.AssertionError) return true;
        throw new Error(`'${name}' had nothing to judge: ${seen.end} ${seen.reason ?? ''}`, { cause: e });
    }, `'${name}' did not notice`);
}

/** How a group's container is started; `made` by the name of its image. */
export function begin(bench, images, group, host) {
    const env = host && group.host ? { HOST_PORT: String(host.port), HOST_ADDRESS: host.address } : undefined;
    return bench.act(images[group.image ?? 'plain'], group.act, { ...group.changes, ...env && { env } });
}
