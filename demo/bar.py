"""A bar of progress: one line that is drawn over on a terminal, now and then a line elsewhere."""
import sys
import time

WIDTH = 32


class Bar:
    def __init__(self, total: int) -> None:
        self.total = total
        self.tty = sys.stdout.isatty()
        self.drawn = 0.0

    def draw(self, done: int, text: str, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self.drawn < (0.1 if self.tty else 1):
            return
        self.drawn = now
        share = done / self.total
        filled = '#' * int(share * WIDTH)
        line = f'[{filled:.<{WIDTH}}] {share:4.0%}  {text}'
        end = '' if self.tty and not last else '\n'
        print(f'\r{line}\033[K' if self.tty else line, end=end, flush=True)

    def say(self, text: str) -> None:
        print(f'\r{text}\033[K' if self.tty else text, flush=True)
