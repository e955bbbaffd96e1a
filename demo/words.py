"""The third act: four participants count the words of a real text into one shared dict.

Two C programs, a thread of a third one, and a Python program over HTTP take blocks of the text, as
a shared value says, and add what they have counted to the dict in atomic updates that name the
versions they are based on; see indexer.c. Then sort and uniq are asked: every word must be there
as often as they say.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import text
from api import Api

HERE = Path(__file__).parent
BYTES = 10_000_000
BLOCK = 65536
TOP = 20
PATIENCE_S = 55
REFERENCE = "tr -cs A-Za-z '\\n' | tr A-Z a-z | sed '/^$/d' | sort | uniq -c"


class Failure(Exception):
    pass


class Demo:
    def __init__(self, build: Path, where: Path, source: Path | None) -> None:
        self.build, self.where = build, where
        self.text, self.socket = where / 'text', where / 'socket'
        self.server: subprocess.Popen | None = None
        self.cast: list[subprocess.Popen] = []
        if source is None:
            print('reading headers and documentation of this machine', flush=True)
            text.build(self.text, BYTES, BYTES)
        else:
            shutil.copy(source, self.text)

    def start_server(self) -> None:
        log = self.where / 'interlockd.log'
        with log.open('w') as errors:
            self.server = subprocess.Popen(
                [self.build / 'bin/interlockd', '--http', '127.0.0.1:0', '--socket', self.socket],
                stdout=subprocess.PIPE, stderr=errors, text=True)
        found = re.search(r'http=127\.0\.0\.1:(\d+)', self.server.stdout.readline())
        if not found:
            raise Failure(f'interlockd does not start: {log.read_text()}')
        self.port = int(found[1])
        self.api = Api(self.port)

    def count(self) -> None:
        self.api.call('PUT', '/v1/barriers/start', {'parties': 4})
        self.api.call('PUT', '/v1/values/next-block', {'type': 'i64'})
        self.api.call('PUT', '/v1/dicts/words')
        indexer = [self.build / 'demo/indexer', self.socket, self.text, str(BLOCK)]
        for command in ([*indexer, 'process-1'], [*indexer, 'process-2'],
                        [*indexer, 'thread', 'thread'],
                        [sys.executable, HERE / 'words_http.py', str(self.port), self.text,
                         str(BLOCK), 'http']):
            self.cast.append(subprocess.Popen(command))
        end = time.monotonic() + PATIENCE_S
        for child in self.cast:
            try:
                status = child.wait(max(end - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                raise Failure(f'not done after {PATIENCE_S} seconds') from None
            if status != 0:
                raise Failure(f'{child.args[-1]} failed with {status}')

    def index(self) -> dict[str, int]:
        """The whole dict, page by page."""
        words: dict[str, int] = {}
        cursor = ''
        while True:
            page = self.api.get(f'/v1/dicts/words/items?limit=1000{cursor}')
            words |= {item['key']: item['json'] for item in page['items']}
            if not page['cursor']:
                return words
            cursor = f"&cursor={page['cursor']}"

    def reference(self) -> dict[str, int]:
        with self.text.open('rb') as file:
            told = subprocess.run(['sh', '-c', REFERENCE], stdin=file, stdout=subprocess.PIPE,
                                  env={'LC_ALL': 'C', 'PATH': os.defpath}, text=True, check=True)
        pairs = (line.split() for line in told.stdout.splitlines())
        return {word: int(count) for count, word in pairs}

    def check(self) -> None:
        index, expected = self.index(), self.reference()
        ours, theirs = top(index), top(expected)
        print(f"{'Interlock':>28}{'sort | uniq -c':>28}")
        for (word, count), (their_word, their_count) in zip(ours, theirs, strict=False):
            print(f'{word:>18}{count:10,}{their_word:>18}{their_count:10,}')
        print(f'{len(index):28,}{len(expected):28,}  different words')
        print(f'{sum(index.values()):28,}{sum(expected.values()):28,}  words')
        if ours != theirs or len(ours) < TOP:
            raise Failure('the most frequent words differ')
        if index != expected:
            wrong = sorted(set(index.items()) ^ set(expected.items()))
            raise Failure(f'{len(wrong)} words differ, such as {wrong[:4]}')

    def stop(self) -> None:
        for child in [*self.cast, self.server]:
            if child is not None and child.poll() is None:
                child.terminate()
                child.wait()


def top(words: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(words.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def main() -> int:
    parser = argparse.ArgumentParser(prog='demo/words.py')
    parser.add_argument('--build', type=Path, required=True, help='the build tree')
    parser.add_argument('--text', type=Path, help='another text')
    arguments = parser.parse_args()
    where = Path(tempfile.mkdtemp(prefix='interlock-words-'))
    started = time.monotonic()
    demo = Demo(arguments.build, where, arguments.text)
    try:
        demo.start_server()
        print(f'{demo.text.stat().st_size:,} bytes, counted by four', flush=True)
        demo.count()
        demo.check()
        print(f'all agree, after {time.monotonic() - started:.1f} seconds')
        return 0
    except Failure as failure:
        print(f'\ndemo: {failure}', file=sys.stderr)
        return 1
    finally:
        demo.stop()
        shutil.rmtree(where)


if __name__ == '__main__':
    sys.exit(main())
