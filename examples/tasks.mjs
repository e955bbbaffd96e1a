/*
 * Functions for a pool: those that tests/workers/conformance.py calls, and two real ones.
 *
 *     node bindings/node/interlock-worker.mjs examples/tasks.mjs --check
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { progress as report, signal } from '../bindings/node/interlock-worker.mjs';

export const echo = (value) => value;

export function add(a, b) {
    return a + b;
}

export function fail(message = 'failed, as it was asked to') {
    throw new Error(message);
}

export async function sleep(seconds) {
    await pause(seconds * 1000, null, { signal: signal() });
}

export function write(out, err) {
    process.stdout.write(out);
    process.stderr.write(err);
}

export function exit(code) {
    process.exit(code);
}

export function progress(value) {
    report(value);
    return value;
}

export const kwargs = (named = {}) => named;

/** The SHA-256 of a file, as sha256sum prints it. */
export async function sha256(path) {
    const digest = createHash('sha256');
    for await (const chunk of createReadStream(path)) digest.update(chunk);
    return digest.digest('hex');
}

/** Lines, words (what stands between white space) and bytes of a file, as `wc`. */
export async function wordcount(path) {
    let lines = 0;
    let words = 0;
    let bytes = 0;
    let inWord = false;
    for await (const chunk of createReadStream(path)) {
        bytes += chunk.length;
        for (const byte of chunk) {
            const space = byte === 32 || (byte >= 9 && byte <= 13);
            if (byte === 10) lines += 1;
            if (!space && !inWord) words += 1;
            inWord = !space;
        }
    }
    return { lines, words, bytes };
}
