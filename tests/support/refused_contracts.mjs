// SPDX-License-Identifier: MIT
// Contracts that the generator must refuse, each one change away from ours.

const TASK = 'schemas/task.yaml';
const AT = `${TASK}#/TaskCreate/properties`;
const MANIFEST = 'schemas/manifest.yaml';
const ATTEMPT = 'schemas/attempt.yaml';
const PARAMETERS = 'components/parameters.yaml';
const TASKS = 'paths/tasks.yaml';

const task = (d) => d.TaskCreate.properties;
const plain = (more) => ({ type: 'string', maxLength: 9, ...more });

/** A keyword beside `racers` of TaskCreate. */
const keyword = (value) => (k) => [
    k, TASK, (d) => { task(d).racers[k] = value; }, `${AT}/racers/${k}`, `keyword ${k}`,
];

const KEYWORDS = [
    ...['oneOf', 'anyOf', 'allOf', 'prefixItems'].map(keyword([{}])),
    ...['not', 'if', 'then', 'contains', 'contentSchema'].map(keyword({})),
    ...['const', 'multipleOf', 'exclusiveMinimum', 'exclusiveMaximum', 'nullable'].map(keyword(1)),
    ...['patternProperties', 'dependentRequired', 'unevaluatedProperties'].map((k) => [
        k, TASK, (d) => { d.Metadata[k] = {}; }, `${TASK}#/Metadata/${k}`, `keyword ${k}`,
    ]),
];

const SCHEMAS = [
    ['a list of types', TASK, (d) => { task(d).racers.type = ['integer', 'null']; }, `${AT}/racers`, 'type must be'],
    ['a number', TASK, (d) => { task(d).racers.type = 'number'; }, `${AT}/racers`, 'type must be'],
    ['no type', TASK, (d) => { delete task(d).racers.type; }, `${AT}/racers`, 'type must be'],
    ['an integer without bounds', TASK, (d) => { delete task(d).racers.maximum; }, `${AT}/racers`, 'maximum'],
    ['a string without a bound', TASK, (d) => { task(d).note = { type: 'string' }; }, `${AT}/note`, 'maxLength'],
    ['an array without a bound', TASK, (d) => { delete task(d).input_blobs.maxItems; }, `${AT}/input_blobs`, 'maxItems'],
    ['an unknown format', TASK, (d) => { task(d).note = { type: 'string', format: 'email' }; }, `${AT}/note/format`],
    ['a typeid without prefix', TASK, (d) => { task(d).note = { type: 'string', format: 'typeid' }; }, `${AT}/note`, 'x-prefix'],
    ['an open object', TASK, (d) => { delete d.TaskCreate.additionalProperties; }, `${TASK}#/TaskCreate`, 'additionalProperties'],
    ['named and additional members', TASK, (d) => { d.TaskCreate.additionalProperties = true; }, `${TASK}#/TaskCreate/additionalProperties`],
    ['a default out of bounds', TASK, (d) => { task(d).racers.default = 9; }, `${AT}/racers/default`],
    ['a default of a plain string', TASK, (d) => { task(d).note = plain({ default: 'x' }); }, `${AT}/note/default`],
    ['a nested default', MANIFEST, (d) => { d.Limits.properties.pids.default = 5; }, `${MANIFEST}#/Limits/properties/pids/default`],
    ['a required member that is not there', TASK, (d) => { d.TaskCreate.required.push('ghost'); }, `${TASK}#/TaskCreate/required`, 'ghost'],
    ['unique objects', ATTEMPT, (d) => { d.Respond.properties.outputs.uniqueItems = true; }, `${ATTEMPT}#/Respond/properties/outputs/uniqueItems`],
    ['a pattern outside of the subset', TASK, (d) => { task(d).note = plain({ pattern: '^.*$' }); }, `${AT}/note/pattern`],
    ['a pattern without anchors', TASK, (d) => { task(d).note = plain({ pattern: 'a+' }); }, `${AT}/note/pattern`],
    ['a member that is no C name', TASK, (d) => { task(d).default = { type: 'boolean' }; }, `${AT}/default`, 'no C name'],
    ['a member named like a parameter', 'schemas/provider.yaml',
        (d) => { d.ProviderBind.properties.provider = { type: 'boolean' }; }, 'provider occurs twice'],
    ['a $ref that leads nowhere', TASK, (d) => { task(d).racers = { $ref: '#/Ghost' }; }, `${AT}/racers`, 'leads nowhere'],
    ['a schema without end', TASK, (d) => { task(d).racers = { $ref: '#/TaskCreate' }; }, 'without end'],
];

const OPERATIONS = [
    ['a header nobody reads', PARAMETERS, (d) => { d.Range.name = 'X-Other'; }, `${PARAMETERS}#/Range`, 'X-Other'],
    ['a cookie', PARAMETERS, (d) => { d.Limit.in = 'cookie'; }, `${PARAMETERS}#/Limit`, 'cookie'],
    ['a parameter of many values', PARAMETERS,
        (d) => { d.Limit.schema = { type: 'array', maxItems: 2, items: { type: 'boolean' } }; }, `${PARAMETERS}#/Limit`],
    ['a style', PARAMETERS, (d) => { d.Limit.style = 'form'; }, `${PARAMETERS}#/Limit/style`],
    ['an unknown scope', TASKS, (d) => { d['/v1/tasks'].get['x-scopes'] = ['tasks:delete']; },
        `${TASKS}#/~1v1~1tasks/get/x-scopes/0`],
    ['a key without scope', TASKS, (d) => { delete d['/v1/tasks'].get['x-scopes']; }, 'x-scopes'],
    ['an unknown problem', TASKS, (d) => { d['/v1/tasks'].get['x-error-codes'] = ['GHOST']; }, 'GHOST is not in lib/error.def'],
    ['a problem without its status', TASKS, (d) => { delete d['/v1/tasks'].post.responses['402']; }, 'INSUFFICIENT_FUNDS is 402'],
    ['one operationId twice', TASKS, (d) => { d['/v1/tasks'].get.operationId = 'createTask'; }, 'createTask twice'],
    ['no security', TASKS, (d) => { delete d['/v1/tasks'].get.security; }, 'security'],
    ['a path parameter that is not declared', TASKS, (d) => { d['/v1/tasks/{task}'].get.parameters.shift(); }, 'path names task'],
    ['an unknown member of an operation', TASKS, (d) => { d['/v1/tasks'].get.callbacks = {}; }, 'callbacks is not supported'],
    ['a body of another media type', TASKS,
        (d) => { d['/v1/tasks'].post.requestBody.content = { 'text/plain': { schema: {} } }; }, 'text/plain'],
];

/** [what is wrong, file, change of its document, words of the complaint…] */
export const REFUSED = [...KEYWORDS, ...SCHEMAS, ...OPERATIONS];
