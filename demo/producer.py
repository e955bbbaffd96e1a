"""producer.py PORT QUEUE TEXT NUMBER OF: puts every OFth block of the text's lines, over HTTP."""
import sys
from pathlib import Path

from api import Api, put_lines

BLOCK = 500


def main() -> None:
    port, queue, text, number, of = sys.argv[1:]
    api = Api(int(port))
    with Path(text).open(encoding='ascii', newline='\n') as file:
        lines = list(enumerate(file))
    for start in range(int(number) * BLOCK, len(lines), int(of) * BLOCK):
        put_lines(api, queue, lines[start:start + BLOCK], f'lines-{start}')


if __name__ == '__main__':
    main()
