"""A real text of a given size: the machine's own headers and documentation, in a fixed order.

Only files of plain ASCII text are taken, since wc's idea of a word differs between versions and
locales for anything else.
"""
import itertools
from collections.abc import Iterator
from pathlib import Path

ROOTS = ('/usr/include', '/usr/share/doc', '/usr/share/common-licenses', '/usr/lib/python3',
         '/usr/lib/gcc', '/usr/share/perl')
SUFFIXES = ('', '.h', '.hpp', '.txt', '.md', '.rst', '.html', '.copyright', '.py', '.pm')
ALLOWED = bytes(range(0x20, 0x7f)) + b'\t\n\v\f\r'


def files() -> Iterator[Path]:
    for root in ROOTS:
        for path in sorted(Path(root).rglob('*')):
            if path.suffix in SUFFIXES and path.is_file() and not path.is_symlink():
                yield path


def texts() -> Iterator[bytes]:
    for path in files():
        data = path.read_bytes()
        if not data.translate(None, ALLOWED):
            yield data


def build(target: Path, least: int, enough: int) -> None:
    """Whole files until there are ENOUGH bytes, or all there are if these are the LEAST."""
    size = 0
    with target.open('wb') as out:
        for data in itertools.takewhile(lambda _: size < enough, texts()):
            out.write(data)
            size += len(data)
    if size < least:
        raise RuntimeError(f'only {size} bytes of text found below {", ".join(ROOTS)}')
