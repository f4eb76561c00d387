// SPDX-License-Identifier: MIT
// node:test reporter: flat TAP, one line a test with its parents' names, causes as comments.

function reason(error) {
    const cause = error?.cause ?? error;
    const text = typeof cause === 'object' && cause !== null ? cause.stack ?? cause.message : cause;
    return String(text).split('\n').map((line) => `#   ${line}\n`).join('');
}

export default async function* flat_tap(source) {
    const names = [];
    let count = 0;
    for await (const { type, data } of source) {
        if (type === 'test:start') {
            names.length = data.nesting;
            names[data.nesting] = data.name;
        }
        if (/^test:std(out|err)$/.test(type)) yield data.message.replace(/^/gm, '# ');
        if (type !== 'test:pass' && type !== 'test:fail') continue;
        // A describe() block is no test, unless it broke by itself (a hook that threw).
        const failed = type === 'test:fail';
        const of_children = data.details?.error?.failureType === 'subtestsFailed';
        if (data.details?.type === 'suite' && (!failed || of_children)) continue;
        const name = [...names.slice(0, data.nesting), data.name].join(' > ').replace(/#/g, '＃');
        const why = data.skip === true ? '' : data.skip;
        const skip = data.skip === undefined ? '' : ` # SKIP ${why}`;
        const todo = data.todo === undefined ? '' : ' # TODO';
        yield `${failed ? 'not ok' : 'ok'} ${++count} - ${name}${skip}${todo}\n`;
        if (failed) yield reason(data.details?.error);
    }
    yield `1..${count}\n`;
}
