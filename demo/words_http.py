"""words_http.py PORT TEXT BLOCK LABEL: indexer.c behind the HTTP door."""
import collections
import re
import sys
from pathlib import Path

from api import Api, Problem

BATCH_MOST = 100
WORD = re.compile(rb'[A-Za-z]+')
KEY_MOST = 1024


class Indexer:
    def __init__(self, port: int, text: bytes, block: int) -> None:
        self.api, self.text, self.block = Api(port), text, block
        self.blocks = self.counted = self.updates = self.conflicts = 0

    def words_of(self, start: int) -> list[tuple[str, int]]:
        """Those that begin in the block, counted."""
        end = start + self.block
        if start > 0 and self.text[start - 1:start].isalpha():
            inside = WORD.match(self.text, start)
            start = inside.end() if inside else start
        counts: collections.Counter[str] = collections.Counter()
        for found in WORD.finditer(self.text, start):
            if found.start() >= end:
                break
            counts[found[0].decode().lower()[:KEY_MOST]] += 1
        self.counted += counts.total()
        return list(counts.items())

    def add(self, words: list[tuple[str, int]]) -> bool:
        """All of them in one update, or none, if others changed one of them since it was read."""
        gets = [{'method': 'POST', 'path': '/v1/dicts/words/get', 'body': {'key': word}}
                for word, _ in words]
        changes = []
        for (word, count), result in zip(words, self.api.post('/v1/batch', {'operations': gets})
                                         ['results'], strict=True):
            there = result['body'] if result['status'] == 200 else {'json': 0, 'version': None}
            changes.append({'set': word, 'json': there['json'] + count,
                            'version': there['version']})
        self.updates += 1
        try:
            self.api.post('/v1/dicts/words/update', {'changes': changes})
            return True
        except Problem as problem:
            if problem.code != 'changed':
                raise
            self.conflicts += 1
            return False

    def work(self) -> None:
        while True:
            block = self.api.post('/v1/values/next-block/add', {'value': 1})['before']
            if block * self.block >= len(self.text):
                return
            words, batch = self.words_of(block * self.block), BATCH_MOST
            while words:
                if self.add(words[:batch]):
                    words = words[batch:]
                    batch = min(2 * batch, BATCH_MOST)
                else:
                    batch = max(batch // 2, 1)
            self.blocks += 1


def main() -> None:
    port, path, block, label = sys.argv[1:]
    indexer = Indexer(int(port), Path(path).read_bytes(), int(block))
    indexer.api.post('/v1/barriers/start/wait', {'timeout': 20})
    indexer.work()
    print(f'{label}: {indexer.blocks} blocks, {indexer.counted} words, {indexer.updates} updates, '
          f'{indexer.conflicts} of them tried again')


if __name__ == '__main__':
    main()
