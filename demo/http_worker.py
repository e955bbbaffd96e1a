"""http_worker.py PORT TALLY LABEL QUEUE: worker.c behind the HTTP door."""
import sys
from pathlib import Path

from api import Api, Problem
from tally import Tally

BATCH = 256


def count(message: str) -> tuple[int, int, int, int]:
    number, line = message.split(':', 1)
    return int(number), line.count('\n'), len(line.split()), len(line)


def main() -> None:
    port, path, label, queue = sys.argv[1:]
    api, tally = Api(int(port)), Tally(Path(path))
    while True:
        try:
            items = api.post(f'/v1/queues/{queue}/get_many', {'max': BATCH})['items']
        except Problem as problem:
            if problem.code == 'closed':
                return
            if problem.code == 'timeout':
                continue
            raise
        batch = [count(item['text']) for item in items]
        grant = api.post('/v1/locks/tally/acquire', {'owner': label})
        if grant['owner_died']:
            print(f"{label}: the lock's owner died holding it", file=sys.stderr)
        redone = tally.apply() if tally.is_pending else 0
        if redone:
            print(f'{label}: finished its turn, of {redone} lines', file=sys.stderr)
        tally.add(int(grant['token']), batch)
        api.post('/v1/locks/tally/release', {'token': grant['token']})


if __name__ == '__main__':
    main()
