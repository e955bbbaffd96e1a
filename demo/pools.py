"""The second act: two pools, of workers in C and in Python, go through a real directory tree.

Each maps SHA-256 over every file, and a count of words over those of plain text, 5,000 or more.
curl alone talks to the server: it makes the pools and submits the maps, and what it prints, a line
for each file as that is done, drives the bar. Then sha256sum and wc are asked.
"""
import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bar import Bar
from text import ALLOWED

ROOT = Path(__file__).parent.parent
TREES = ('/usr/include', '/usr/lib/python3', '/usr/share/doc', '/usr/share', '/usr/lib', '/usr')
LEAST, MOST = 5000, 9000  # files
LARGEST = 1 << 20
WORKERS = 2
PATIENCE_S = 55


class Failure(Exception):
    pass


# ---- the files -----------------------------------------------------------------------------------


def files_below(tree: str) -> Iterator[Path]:
    """Regular files in a fixed order that can be read, with names that a JSON text can hold."""
    for folder, folders, names in os.walk(tree):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            try:
                plain = str(path).isprintable() and not path.is_symlink() and path.is_file()
                if plain and path.stat().st_size <= LARGEST and os.access(path, os.R_OK):
                    yield path
            except OSError:
                continue


def copies(where: Path) -> list[Path]:
    """A tree of enough files, of what little there is."""
    originals = list(itertools.islice(files_below('/usr'), MOST))
    if not originals:
        raise Failure('there is not a single file below /usr')
    target = where / 'tree'
    made = []
    for number in range(LEAST):
        original = originals[number % len(originals)]
        made.append(target / str(number // 100) / f'{number}-{original.name}')
        made[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, made[-1])
    return made


def find_tree(where: Path) -> tuple[str, list[Path]]:
    for tree in TREES:
        found = list(itertools.islice(files_below(tree), MOST))
        if len(found) >= LEAST:
            return tree, found
    return str(where / 'tree'), copies(where)


def is_plain_text(path: Path) -> bool:
    """Whether every version of wc, in every locale, finds the same words in it."""
    return not path.read_bytes().translate(None, ALLOWED)


# ---- the server, through curl --------------------------------------------------------------------


class Server:
    def __init__(self, build: Path, where: Path) -> None:
        self.where = where
        self.module = build / 'examples/module.so'
        self.log = where / 'interlockd.log'
        config = where / 'config.json'
        config.write_text(json.dumps({'programs': [sys.executable, str(self.module)],
                                      'environment': ['PYTHONPATH'],
                                      'log': {'level': 'warn'}}))
        with self.log.open('w') as log:
            self.child = subprocess.Popen(
                [build / 'bin/interlockd', '--http', '127.0.0.1:0', '--socket', where / 'socket',
                 '--config', config], stdout=subprocess.PIPE, stderr=log, text=True)
        found = re.search(r'http=(127\.0\.0\.1:\d+)', self.child.stdout.readline())
        if not found:
            raise Failure(f'interlockd does not start: {self.log.read_text()}')
        self.base = f'http://{found[1]}/v1'

    def stop(self) -> None:
        self.child.terminate()
        if self.child.wait() != 0:
            raise Failure(f'interlockd ended with {self.child.returncode}')

    def curl(self, method: str, path: str, body: Path | None = None, *more: str) -> list[str]:
        command = ['curl', '-sS', '--fail-with-body', '-N', '--max-time', str(PATIENCE_S),
                   '-X', method]
        if body:
            command += ['-H', 'Content-Type: application/json', '--data-binary', f'@{body}']
        return [*command, *more, self.base + path]

    def body(self, fields: dict) -> Path:
        path = self.where / 'body.json'
        path.write_text(json.dumps(fields))
        return path

    def ask(self, method: str, path: str, fields: dict | None = None) -> dict:
        command = self.curl(method, path, self.body(fields) if fields else None)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f'{method} {path}: {done.stdout}')
        return json.loads(done.stdout)

    def map(self, pool: str, function: str, files: list[Path]) -> list[object]:
        """What FUNCTION returned for each of FILES, in their order."""
        body = self.body({'function': function, 'items': [str(path) for path in files],
                          'retries': 2})
        command = self.curl('POST', f'/pools/{pool}/map', body,
                            '-H', 'Accept: application/x-ndjson')
        results: list[object] = [None] * len(files)
        bar = Bar(len(files))
        done = 0
        start = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
            for line in curl.stdout:
                element = json.loads(line)
                if element.get('state') != 'succeeded':
                    raise Failure(f'{function} in the pool {pool}: {line.strip()}')
                results[element['index']] = element['result']
                done += 1
                bar.draw(done, f'{pool}: {function}')
        if curl.returncode != 0 or done != len(files):
            raise Failure(f'curl ended with {curl.returncode} after {done} results')
        rate = len(files) / (time.monotonic() - start)
        bar.draw(done, f'{pool}: {function}, {rate:,.0f} files a second', last=True)
        return results


# ---- what others say -----------------------------------------------------------------------------


def run(command: list[str], files: list[Path]) -> str:
    """The output of COMMAND, which reads the names from its standard input, each ended by NUL."""
    names = ''.join(f'{path}\0' for path in files)
    done = subprocess.run(command, input=names, stdout=subprocess.PIPE, text=True, check=True,
                          env={'LC_ALL': 'C', 'PATH': os.defpath})
    return done.stdout


def sums_of_sha256sum(files: list[Path]) -> list[str]:
    output = run(['xargs', '-0', 'sha256sum', '-z'], files)
    return [line.split(' ', 1)[0] for line in output.split('\0')[:-1]]


def words_of_wc(files: list[Path]) -> list[int]:
    lines = run(['wc', '-w', '--files0-from=-'], files).splitlines()
    return [int(line.split()[0]) for line in lines[:len(files)]]


def compare(what: str, peer: str, ours: list, theirs: list, files: list[Path]) -> None:
    differ = [path for path, a, b in zip(files, ours, theirs, strict=True) if a != b]
    if differ:
        raise Failure(f'{what} and {peer} differ about {len(differ)} files, such as {differ[0]}')
    print(f'  {what} and {peer} agree about {len(files):,} files')


# ---- the play ------------------------------------------------------------------------------------


def make_pools(server: Server) -> None:
    server.ask('PUT', '/pools/in-c', {'module': str(server.module), 'workers': WORKERS})
    server.ask('PUT', '/pools/in-python', {
        'command': [sys.executable, '-m', 'interlock.worker', str(ROOT / 'examples/tasks.py')],
        'environment': {'PYTHONPATH': str(ROOT / 'bindings/python/src')}, 'workers': WORKERS})


def play(server: Server, where: Path) -> None:
    tree, files = find_tree(where)
    texts = [path for path in files if is_plain_text(path)]
    size = sum(path.stat().st_size for path in files)
    print(f'{len(files):,} files of {tree}, {size:,} bytes; {len(texts):,} are plain text',
          flush=True)
    make_pools(server)
    sums = {pool: server.map(pool, 'sha256', files) for pool in ('in-c', 'in-python')}
    words = {pool: [result['words'] for result in server.map(pool, 'wordcount', texts)]
             for pool in ('in-c', 'in-python')}
    expected_sums, expected_words = sums_of_sha256sum(files), words_of_wc(texts)
    for pool in sums:
        compare(f'the pool {pool}', 'sha256sum', sums[pool], expected_sums, files)
        compare(f'the pool {pool}', 'wc -w', words[pool], expected_words, texts)
    for pool in sums:
        view = server.ask('GET', f'/pools/{pool}')
        if view['tasks']['succeeded'] != len(files) + len(texts) or view['crashed']:
            raise Failure(f"the pool {pool} counts {view['tasks']}")


def main() -> int:
    parser = argparse.ArgumentParser(prog='demo/run')
    parser.add_argument('--build', type=Path, required=True, help='the build tree')
    arguments = parser.parse_args()
    where = Path(tempfile.mkdtemp(prefix='interlock-demo-'))
    started = time.monotonic()
    server = None
    try:
        server = Server(arguments.build, where)
        play(server, where)
        server.stop()
        print(f'all agree, after {time.monotonic() - started:.1f} seconds')
        return 0
    except Failure as failure:
        print(f'\ndemo: {failure}', file=sys.stderr)
        return 1
    finally:
        if server and server.child.poll() is None:
            server.child.kill()
            server.child.wait()
        shutil.rmtree(where)


if __name__ == '__main__':
    sys.exit(main())
