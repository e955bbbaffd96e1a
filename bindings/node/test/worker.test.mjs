// What the worker does beyond the protocol's rules, which tests/workers/conformance.py has.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('../interlock-worker.mjs', import.meta.url));
const folders = [];
const children = [];

function moduleOf(text) {
    const folder = mkdtempSync(join(tmpdir(), 'interlock-'));
    folders.push(folder);
    const path = join(folder, 'functions.mjs');
    writeFileSync(path, text.replaceAll('WORKER', JSON.stringify(WORKER)));
    return path;
}

/** A worker of a module with that text, spoken to as the server does. */
async function start(text, { slots = 1 } = {}) {
    const child = spawn(process.execPath, [WORKER, moduleOf(text)], {
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'], // 3 is a socket: node makes its pipes so
        env: { ...process.env, INTERLOCK_WORKER_FD: '3', INTERLOCK_SLOTS: String(slots) },
    });
    children.push(child);
    const socket = child.stdio[3];
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    const ended = new Promise((done) => { child.on('close', done); });
    const session = {
        child,
        ended,
        out: '',
        err: '',
        say: (message) => socket.write(typeof message === 'string' ? `${message}\n` : `${JSON.stringify(message)}\n`),
        hear: async () => {
            const { value, done } = await lines.next();
            return done ? undefined : JSON.parse(value);
        },
        call: (name, args = [], kwargs = {}, id = '1') => {
            session.say({
                jsonrpc: '2.0',
                id,
                method: 'call',
                params: { function: name, args, kwargs, task: '4611686018427387904', attempt: 2 },
            });
            return session.hear();
        },
        end: () => {
            socket.end();
            return ended;
        },
    };
    child.stdout.on('data', (data) => { session.out += data; });
    child.stderr.on('data', (data) => { session.err += data; });
    const hello = await session.hear();
    return Object.assign(session, { hello: hello?.params });
}

afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test('hello names the exported functions', async () => {
    const session = await start('export const two = () => 2; export function one() {} export const three = 3;\n'
        + 'export default { "a/b": () => 1 };', { slots: 3 });
    assert.deepEqual(session.hello, {
        protocol: 1, name: 'functions.mjs', functions: ['a/b', 'one', 'two'], slots: 3, batch: true,
    });
    assert.equal((await session.call('a/b')).result, 1);
    assert.equal(await session.end(), 0);
});

test('an error comes with its type and stack', async () => {
    const session = await start('export function f() { throw new RangeError("too far"); }');
    const { error } = await session.call('f');
    assert.equal(error.code, 1);
    assert.equal(error.message, 'too far');
    assert.equal(error.data.type, 'RangeError');
    assert.match(error.data.traceback, /functions\.mjs:1/);
});

test('whatever is thrown is an error', async () => {
    const session = await start('export function f(n) { throw [null, undefined, "text", 7, {}][n]; }\n'
        + 'export async function g() { throw Object.assign(new Error("no"), { retry: false }); }');
    for (let n = 0; n < 5; n += 1) {
        const { error } = await session.call('f', [n]);
        assert.equal(error.code, 1);
        assert.equal(typeof error.message, 'string');
    }
    assert.equal((await session.call('g')).error.data.retry, false);
});

test('results that are no JSON are refused in words', async () => {
    const session = await start('export const f = (n) => [10n, () => 1, Symbol("s"), "\\ud800", circle][n];\n'
        + 'const circle = {}; circle.circle = circle;');
    for (let n = 0; n < 5; n += 1) {
        const { error } = await session.call('f', [n]);
        assert.equal(error.code, 1);
        assert.match(error.message, /^the result cannot be written as JSON: /);
        assert.equal(error.data.retry, false);
    }
});

test('a backslash before a u is no half pair', async () => {
    const session = await start('export const f = (n) => ["\\\\ud800", "\\u{1f600}", undefined][n];');
    assert.equal((await session.call('f', [0])).result, '\\ud800');
    assert.equal((await session.call('f', [1])).result, '\u{1f600}');
    assert.equal((await session.call('f', [2])).result, null);
});

test('too few arguments do not fit; those with defaults may be left out', async () => {
    const session = await start('export const f = (a, b, c = 3) => [a, b, c];');
    const { error } = await session.call('f', [1]);
    assert.equal(error.code, -32602);
    assert.equal(error.message, 'f() takes 2 arguments, 1 given');
    assert.deepEqual((await session.call('f', [1, 2])).result, [1, 2, 3]);
});

test('named arguments are one object, the last argument', async () => {
    const session = await start('export const f = (...all) => all;');
    assert.deepEqual((await session.call('f', [1], { a: 2 })).result, [1, { a: 2 }]);
    assert.deepEqual((await session.call('f', [1])).result, [1]);
});

test('each call knows itself, also across awaits and copies of the worker', async () => {
    const session = await start('import { call, progress } from WORKER;\n'
        + 'export async function f(n) { await new Promise(setImmediate); progress(n); return call(); }', { slots: 2 });
    // Each call() hears one line, whosever it is.
    const heard = [session.call('f', [1], {}, '1'), session.call('f', [2], {}, '2'), session.hear(), session.hear()];
    const messages = await Promise.all(heard);
    for (const id of ['1', '2']) {
        const report = messages.find((message) => message.params?.id === id);
        assert.equal(report.params.value, Number(id));
        const answer = messages.find((message) => message.id === id);
        assert.deepEqual(answer.result, { function: 'f', task: '4611686018427387904', attempt: 2 });
    }
});

test('a cancelled call is answered with code 2, others go on', async () => {
    const session = await start('import { cancelled, signal } from WORKER;\n'
        + 'export const wait = () => new Promise((done, fail) => {\n'
        + '    const mine = signal(); mine.addEventListener("abort", () => fail(mine.reason)); });\n'
        + 'export const ask = () => cancelled();', { slots: 2 });
    const first = session.call('wait', [], {}, '1');
    const second = session.call('ask', [], {}, '2');
    assert.deepEqual(await first, { jsonrpc: '2.0', id: '2', result: false });
    session.say({ jsonrpc: '2.0', method: 'cancel', params: { id: '1' } });
    const { id, error } = await second;
    assert.equal(id, '1');
    assert.equal(error.code, 2);
});

test('progress has a limit', async () => {
    const session = await start('import { progress } from WORKER; export const f = (n) => progress("x".repeat(n));');
    assert.match((await session.call('f', [65535])).error.message, /at most 65536 bytes/);
    assert.equal((await session.call('f', [65534])).params.value.length, 65534);
});

test('console output is there', async () => {
    const session = await start('export const f = () => { console.log("out"); console.error("err"); };');
    await session.call('f');
    assert.equal(await session.end(), 0);
    assert.equal(session.out, 'out\n');
    assert.equal(session.err, 'err\n');
});

test('nonsense of the server ends it with a word', async () => {
    for (const nonsense of ['{', '[1]', '[{"method":"call"}]']) {
        const session = await start('export const f = () => 1;');
        session.say(nonsense);
        assert.equal(await session.ended, 1);
        assert.match(session.err, /^interlock-worker: /);
    }
});

test('an error that nobody catches ends the process', async () => {
    const session = await start('export const f = () => new Promise(() => { setImmediate(() => { throw new Error("loose"); }); });');
    assert.equal(await session.call('f'), undefined);
    assert.equal(await session.ended, 1);
    assert.match(session.err, /loose/);
});

test('outside a pool nothing is cancelled or reported', async () => {
    const { call, cancelled, progress, signal } = await import(WORKER);
    assert.equal(call(), undefined);
    assert.equal(signal(), undefined);
    assert.equal(cancelled(), false);
    assert.equal(progress(1), undefined);
});

test('wrong use is told', () => {
    const run = (...args) => spawnSync(process.execPath, [WORKER, ...args], { encoding: 'utf8' });
    assert.equal(run().status, 2);
    assert.equal(run('a.mjs', 'b.mjs').status, 2);
    assert.match(run('no_such_file.mjs').stderr, /cannot use no_such_file\.mjs: /);
    assert.match(run(moduleOf('export const one = 1;')).stderr, /it exports no function/);
    assert.equal(run(moduleOf('export const one = () => 1;'), '--check').stdout, 'one\n');
});
