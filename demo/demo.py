"""The first act: see run. Its cast is producer.py, worker.c and http_worker.py.

One queue of lines, one lock, one file of sums. Two producers put over HTTP; three workers take
through the socket and one over HTTP. One of the three is killed when it holds the lock and has
written nothing: the lines that it had taken went with it, and are put again when all others have
been counted. Another is killed in the middle of writing: who gets the lock next finishes its turn.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tally
import text
from api import Api, put_lines
from bar import Bar

HERE = Path(__file__).parent
LEAST_BYTES, ENOUGH_BYTES = 10_000_000, 24_000_000
PRODUCERS = 2
QUEUE_HOLDS = 20_000
# Who dies when, after which share of the lines: see worker.c.
DEATHS = (('worker-2', signal.SIGUSR1, 0.2), ('worker-3', signal.SIGUSR2, 0.5))
PATIENCE_S = 55


class Failure(Exception):
    pass


class Demo:
    def __init__(self, build: Path, where: Path, source: Path | None) -> None:
        self.build, self.where = build, where
        self.text = source or where / 'text'
        self.tally_path = where / 'tally'
        self.log = where / 'interlockd.log'
        self.children: dict[str, subprocess.Popen] = {}
        self.end = time.monotonic() + PATIENCE_S

    # ---- programs --------------------------------------------------------------------------------

    def start(self, name: str, *command: object, **options: object) -> subprocess.Popen:
        child = subprocess.Popen([str(word) for word in command], **options)
        self.children[name] = child
        return child

    def start_server(self) -> None:
        self.socket = self.where / 'socket'
        with self.log.open('w') as log:
            server = self.start(
                'interlockd', self.build / 'bin/interlockd', '--http', '127.0.0.1:0', '--socket',
                self.socket, stdout=subprocess.PIPE, stderr=log, text=True)
        ready = server.stdout.readline()
        found = re.search(r'http=127\.0\.0\.1:(\d+)', ready)
        if not found:
            raise Failure(f'interlockd does not start: {self.log.read_text()}')
        self.port = int(found[1])
        self.api = Api(self.port)

    def start_python(self, name: str, script: str, *arguments: object) -> None:
        self.start(name, sys.executable, HERE / script, self.port, *arguments)

    def start_worker(self, name: str, queue: str) -> subprocess.Popen:
        return self.start(name, self.build / 'demo/worker', self.socket, self.tally_path, name,
                          queue)

    def stop_all(self) -> None:
        for child in self.children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
        for child in self.children.values():
            child.wait()

    # ---- scenes ----------------------------------------------------------------------------------

    def prepare(self) -> None:
        if not self.text.exists():
            print('reading headers and documentation of this machine', flush=True)
            text.build(self.text, LEAST_BYTES, ENOUGH_BYTES)
        with self.text.open(encoding='ascii', newline='\n') as file:
            self.lines = sum(1 for _ in file)
        tally.create(self.tally_path, self.lines)
        self.tally = tally.Tally(self.tally_path)
        self.bar = Bar(self.lines)
        print(f'{self.text.stat().st_size:,} bytes, {self.lines:,} lines')

    def show(self, last: bool = False) -> int:
        lines, words, count = self.tally.sums
        self.bar.draw(lines, f'{lines:,} lines, {words:,} words, {count:,} bytes', last)
        return lines

    def wait_for(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.show()
            for name, child in self.children.items():
                if child.poll() not in (None, 0):
                    raise Failure(f'{name} failed with {child.returncode}')
            if time.monotonic() > self.end:
                raise Failure(f'not done after {PATIENCE_S} seconds')
            time.sleep(0.02)

    def ended(self, *kinds: str) -> bool:
        return all(child.poll() is not None for name, child in self.children.items()
                   if name.startswith(kinds))

    def kill_holder(self, name: str, moment: signal.Signals) -> dict:
        victim = self.children[name]
        victim.send_signal(moment)
        self.wait_for(lambda: self.holder()[0] == victim.pid and self.holder() == self.holder())
        del self.children[name]
        victim.kill()
        victim.wait()
        return self.death_of(victim.pid)

    def holder(self) -> tuple[int | None, str | None]:
        """Who holds the lock, and by which token: the same twice means that it stands still."""
        time.sleep(0.01)
        lock = self.api.get('/v1/locks/tally')
        return (lock['owner'] or {}).get('pid'), lock['token']

    def death_of(self, pid: int) -> dict:
        for _ in range(100):
            for death in self.api.get('/v1/deaths')['deaths']:
                if death['pid'] == pid:
                    return death
            time.sleep(0.01)
        raise Failure(f'/v1/deaths does not know of the death of {pid}')

    def replace(self, name: str, moment: signal.Signals) -> None:
        death = self.kill_holder(name, moment)
        held = ', '.join(f"the {thing['kind']} {thing['name']!r} by token {thing['token']}"
                         for thing in death['held'])
        self.bar.say(f"killed {death['label']}, pid {death['pid']}, at {death['at']}; "
                     f"it held {held or 'nothing'}")
        if not held:
            raise Failure('the worker that was killed held nothing')
        self.start_worker(f'{name}-again', 'lines')

    def put_missing(self) -> None:
        """What the dead worker had taken and not counted."""
        missing = self.tally.missing(self.lines)
        self.bar.say(f'{len(missing)} lines went with a dead worker and are put again: '
                     f'{ranges(missing)}')
        if not missing:
            return
        wanted = set(missing)
        with self.text.open(encoding='ascii', newline='\n') as file:
            again = [(number, line) for number, line in enumerate(file) if number in wanted]
        self.start_worker('worker-2-last', 'lines-again')
        put_lines(self.api, 'lines-again', again, 'again')
        self.api.post('/v1/queues/lines-again/close')
        self.wait_for(lambda: self.ended('worker'))

    def play(self) -> None:
        self.prepare()
        self.start_server()
        self.api.call('PUT', '/v1/queues/lines', {'maxsize': QUEUE_HOLDS})
        for number in range(PRODUCERS):
            self.start_python(f'producer-{number}', 'producer.py', 'lines', self.text, number,
                              PRODUCERS)
        for number in range(1, 4):
            self.start_worker(f'worker-{number}', 'lines')
        self.start_python('worker-http', 'http_worker.py', self.tally_path, 'worker-http', 'lines')
        for name, moment, at in DEATHS:
            self.wait_for(lambda: self.tally.sums[0] > at * self.lines)
            self.replace(name, moment)
        self.wait_for(lambda: self.ended('producer'))
        self.api.post('/v1/queues/lines/close')
        self.wait_for(lambda: self.ended('worker'))
        self.put_missing()
        self.show(last=True)

    def check(self) -> None:
        wc = subprocess.run(['wc', '-lwc', self.text], env={'LC_ALL': 'C', 'PATH': os.defpath},
                            stdout=subprocess.PIPE, text=True, check=True)
        expected = tuple(int(word) for word in wc.stdout.split()[:3])
        print('          ' + ''.join(f'{what:>14}' for what in ('lines', 'words', 'bytes')))
        for who, sums in (('Interlock', self.tally.sums), ('wc', expected)):
            print(f'{who:10}' + ''.join(f'{value:14,}' for value in sums))
        for line in self.log.read_text().splitlines():
            if 'death' in line or 'died' in line:
                print(f'the server: {line}')
        if self.tally.twice:
            raise Failure(f'{self.tally.twice} lines came twice')
        if self.tally.sums != expected:
            raise Failure('the totals differ')


def ranges(numbers: list[int]) -> str:
    """1-3, 7, 9-10: the first few."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    words = [f'{a}' if a == b else f'{a}-{b}' for a, b in parts[:6]]
    return ', '.join(words + ['...'] * (len(parts) > 6)) or 'none'


def main() -> int:
    parser = argparse.ArgumentParser(prog='demo/run')
    parser.add_argument('--build', type=Path, required=True, help='the build tree')
    parser.add_argument('--text', type=Path, help='an ASCII text to count')
    parser.add_argument('--keep', action='store_true', help='keep the files')
    arguments = parser.parse_args()
    where = Path(tempfile.mkdtemp(prefix='interlock-demo-'))
    demo = Demo(arguments.build, where, arguments.text)
    started = time.monotonic()
    try:
        demo.play()
        demo.check()
        print(f'all agree, after {time.monotonic() - started:.1f} seconds')
        return 0
    except Failure as failure:
        print(f'\ndemo: {failure}', file=sys.stderr)
        return 1
    finally:
        demo.stop_all()
        if arguments.keep:
            print(f'kept in {where}')
        else:
            shutil.rmtree(where)


if __name__ == '__main__':
    sys.exit(main())
