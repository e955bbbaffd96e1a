#!/usr/bin/env node
/*
 * node interlock-worker.mjs MODULE: runs the functions that a module exports, for a pool of interlockd.
 * docs/worker-protocol.md says what the two say to each other; README.md is for who writes functions,
 * which may import the first four names below.
 *
 * A batch's calls run one after the other. Several slots are several batches that take turns at
 * every await: `reading` hands out each line as it comes, and `open` has the calls not yet answered.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { realpathSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LINE_MOST = 24 * 1024 * 1024;
const PROGRESS_MOST = 64 * 1024;
const SLOTS_MOST = 1024;

const FAILED = 1;
const CANCELLED = 2;
const NO_FUNCTION = -32601;
const BAD_ARGUMENTS = -32602;

// ---- for functions ----------------------------------------------------------------------------

// Where all copies of this file find it: a module may import another one than the one that runs.
const current = (globalThis[Symbol.for('interlock.calls')] ??= new AsyncLocalStorage());

/** The call that this code runs for: {function, task, attempt}; undefined outside a pool. */
export const call = () => current.getStore()?.shown;

/** An AbortSignal, aborted when the call should end; undefined outside a pool. */
export const signal = () => current.getStore()?.controller.signal;

/** Whether the call should end soon. */
export const cancelled = () => signal()?.aborted ?? false;

/** Shows how far the call is: any JSON value of at most 64 KiB. */
export function progress(value) {
    const request = current.getStore();
    if (!request) return;
    const text = encode(value);
    if (Buffer.byteLength(text) > PROGRESS_MOST) {
        throw new RangeError(`progress is to be at most ${PROGRESS_MOST} bytes of JSON`);
    }
    request.send(`{"jsonrpc":"2.0","method":"progress","params":{"id":${request.id},"value":${text}}}\n`);
}

// ---- JSON -------------------------------------------------------------------------------------

/** An error as the protocol has it. */
class Refused extends Error {
    constructor(code, message, data) {
        super(message);
        this.code = code;
        this.data = data;
    }
}

// Half of a surrogate pair is escaped by JSON.stringify(), but it is no text for others.
const HALF_PAIR = /(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/;

function encode(value) {
    const text = JSON.stringify(value === undefined ? null : value);
    if (text === undefined) throw new TypeError(`a ${typeof value} has no form in JSON`);
    if (HALF_PAIR.test(text)) throw new TypeError('a string holds half of a surrogate pair');
    return text;
}

/** Text for people: half pairs become U+FFFD. */
const plain = (text) => Buffer.from(String(text)).toString();

// ---- one call ---------------------------------------------------------------------------------

function flushed(stream) {
    if (stream.writableLength === 0) return undefined;
    return new Promise((done) => { stream.write('', done); });
}

/** What an exception of a function says. */
function failure(error, request) {
    const aborted = request.controller.signal.aborted;
    if (aborted && (error === request.controller.signal.reason || error?.name === 'AbortError')) {
        return new Refused(CANCELLED, 'cancelled', { type: 'AbortError' });
    }
    const data = { type: plain(error?.constructor?.name ?? typeof error) };
    if (typeof error?.stack === 'string') data.traceback = plain(error.stack).slice(0, 65536);
    if (error?.retry === false) data.retry = false;
    return new Refused(FAILED, plain(error?.message ?? error), data);
}

class Request {
    constructor(message, send) {
        if (message?.id === undefined || typeof message.method !== 'string') {
            throw new Error('the server sent a batch of something else than requests');
        }
        const params = message.params;
        this.id = JSON.stringify(message.id);
        this.send = send;
        this.isCall = message.method === 'call' || message.method === 'initialize';
        this.args = params?.args ?? [];
        this.kwargs = params?.kwargs ?? {};
        this.shown = Object.freeze({
            function: params?.function, task: params?.task ?? '', attempt: params?.attempt ?? 1,
        });
        this.controller = new AbortController();
        this.begun = false;
    }

    /** Before it begins, that is its end, and it is answered at once. */
    cancel() {
        this.controller.abort();
        if (this.begun) return;
        const error = { code: CANCELLED, message: 'cancelled before it began', data: { type: 'AbortError' } };
        this.send(`{"jsonrpc":"2.0","id":${this.id},"error":${JSON.stringify(error)}}\n`);
    }

    /** The result as JSON; throws Refused: there is none. */
    async outcome(functions) {
        if (!this.isCall) {
            throw new Refused(NO_FUNCTION, 'there is no such method', { type: 'LookupError' });
        }
        const name = this.shown.function;
        if (typeof name !== 'string' || !Array.isArray(this.args) || typeof this.kwargs !== 'object') {
            throw new Refused(BAD_ARGUMENTS, 'params are to be an object with function, args and kwargs',
                { type: 'TypeError' });
        }
        const run = functions.get(name);
        if (!run) {
            throw new Refused(NO_FUNCTION, `there is no function ${JSON.stringify(name)}`,
                { type: 'LookupError' });
        }
        const named = Object.keys(this.kwargs).length > 0;
        const args = named ? [...this.args, this.kwargs] : this.args;
        if (args.length < run.length) { // parameters with a default do not count
            throw new Refused(BAD_ARGUMENTS, `${name}() takes ${run.length} arguments, ${args.length} given`,
                { type: 'TypeError' });
        }
        let result;
        try {
            result = current.run(this, () => run(...args));
            if (typeof result?.then === 'function') result = await result;
        } catch (error) {
            throw failure(error, this);
        }
        try {
            const text = encode(result);
            if (Buffer.byteLength(text) > LINE_MOST - 256) throw new RangeError('it is more than 24 MiB');
            return text;
        } catch (error) {
            throw new Refused(FAILED, `the result cannot be written as JSON: ${plain(error.message)}`,
                { type: plain(error.constructor.name), retry: false });
        }
    }

    async answer(functions) {
        let end;
        try {
            end = `"result":${await this.outcome(functions)}`;
        } catch (error) {
            if (!(error instanceof Refused)) throw error;
            const { code, message, data } = error;
            end = `"error":${JSON.stringify({ code, message, data })}`;
        }
        // What it printed belongs to this call: it must be there before the answer.
        await flushed(process.stdout);
        await flushed(process.stderr);
        await this.send(`{"jsonrpc":"2.0","id":${this.id},${end}}\n`);
    }
}

// ---- the worker -------------------------------------------------------------------------------

class Worker {
    constructor(socket, functions) {
        this.socket = socket;
        this.functions = functions;
        this.open = new Map(); // calls that are not answered, by the id of their request
        this.gone = false;
        this.drained = undefined; // a promise, while the socket takes no more
        this.send = (line) => {
            if (this.gone || this.socket.write(line)) return undefined;
            this.drained ??= new Promise((done) => {
                const over = () => {
                    this.socket.off('drain', over).off('close', over);
                    this.drained = undefined;
                    done();
                };
                this.socket.on('drain', over).on('close', over);
            });
            return this.drained;
        };
    }

    /** Serves until the server has no more to say, and all is answered. */
    run() {
        return new Promise((done, fail) => {
            let parts = [];
            let bytes = 0;
            const batches = new Set();
            const take = (line) => {
                const batch = this.hear(JSON.parse(line));
                if (!batch) return;
                batches.add(batch);
                batch.then(() => batches.delete(batch), fail);
            };
            this.socket.on('data', (chunk) => {
                try {
                    let from = 0;
                    for (let end; (end = chunk.indexOf(10, from)) >= 0; from = end + 1) {
                        parts.push(chunk.subarray(from, end));
                        take(parts.length === 1 ? parts[0].toString() : Buffer.concat(parts).toString());
                        parts = [];
                        bytes = 0;
                    }
                    if (from < chunk.length) parts.push(chunk.subarray(from));
                    bytes += chunk.length - from;
                    if (bytes > LINE_MOST) throw new Error('the server sent a line of more than 24 MiB');
                } catch (error) {
                    fail(error);
                }
            });
            this.socket.on('end', () => Promise.all(batches).then(done, fail));
            this.socket.on('error', () => { // nobody listens: whatever runs has no one to answer to
                this.gone = true;
                done();
            });
        });
    }

    /** Takes a message; a promise of the end of what it asked for. */
    hear(message) {
        if (Array.isArray(message)) return this.serve(message);
        if (message?.id !== undefined) return this.serve([message]);
        if (message?.method === 'cancel') {
            this.open.get(JSON.stringify(message.params?.id))?.cancel();
        }
        return undefined;
    }

    async serve(messages) {
        const requests = messages.map((message) => new Request(message, this.send));
        for (const request of requests) this.open.set(request.id, request);
        await undefined; // a cancel that came with the line is heard first
        for (const request of requests) {
            if (this.gone) return;
            request.begun = !request.controller.signal.aborted;
            if (request.begun) await request.answer(this.functions);
            this.open.delete(request.id);
        }
    }
}

function numberOf(name, otherwise, most) {
    const text = process.env[name] ?? '';
    return /^[0-9]{1,9}$/.test(text) && text >= 1 && text <= most ? Number(text) : otherwise;
}

/** The functions that the module of that path exports, by name. */
async function load(path) {
    const module = await import(pathToFileURL(resolve(path)).href);
    const functions = new Map();
    for (const [name, value] of Object.entries(module)) {
        if (name !== 'default' && typeof value === 'function') functions.set(name, value);
    }
    // One default export may be an object of functions: for names that are no names in JavaScript.
    if (module.default && typeof module.default === 'object') {
        for (const [name, value] of Object.entries(module.default)) {
            if (typeof value === 'function') functions.set(name, value);
        }
    }
    if (functions.size === 0) throw new Error('it exports no function');
    return functions;
}

async function main() {
    const [path, ...more] = process.argv.slice(2).filter((argument) => argument !== '--check');
    if (!path || more.length > 0 || path.startsWith('-')) {
        console.error('node interlock-worker.mjs MODULE.mjs [--check]');
        return 2;
    }
    let functions;
    try {
        functions = await load(path);
    } catch (error) {
        console.error(error);
        console.error(`interlock-worker: cannot use ${path}: ${error.message}`);
        return 1;
    }
    const names = [...functions.keys()].sort();
    if (process.argv.includes('--check')) {
        console.log(names.join('\n'));
        return 0;
    }
    process.on('SIGINT', () => {}); // Ctrl-C is for whoever started the server: it ends its workers itself
    let socket;
    try {
        const fd = numberOf('INTERLOCK_WORKER_FD', 3, 1 << 20);
        socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    } catch {
        console.error('interlock-worker: there is no socket at INTERLOCK_WORKER_FD: '
            + 'interlockd starts workers, people --check them');
        return 2;
    }
    const worker = new Worker(socket, functions);
    const params = {
        protocol: 1,
        name: basename(path).slice(0, 15),
        functions: names,
        slots: numberOf('INTERLOCK_SLOTS', 1, SLOTS_MOST),
        batch: true,
    };
    await worker.send(`${JSON.stringify({ jsonrpc: '2.0', method: 'hello', params })}\n`);
    try {
        await worker.run();
    } catch (error) {
        console.error(`interlock-worker: ${error.message}`);
        return 1;
    }
    return 0;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
    // Not awaited: a module that imports this file waits until it has been run to its end.
    main().then(async (code) => {
        await flushed(process.stdout);
        await flushed(process.stderr);
        process.exit(code);
    });
}
