"""Calls to interlockd over HTTP, on one connection that is kept."""
import http.client
import itertools
import json
import time

BUSY_MOST = 100


class Problem(Exception):
    def __init__(self, problem: dict) -> None:
        super().__init__(problem.get('detail', problem.get('title')))
        self.code = problem.get('code')
        self.problem = problem


class Api:
    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection('127.0.0.1', port, timeout=330)

    def call(self, method: str, path: str, body: dict | None = None, **headers: str) -> dict:
        """The answer's JSON, or Problem. Tries again while the server says that it is busy."""
        data = None if body is None else json.dumps(body)
        if data is not None:
            headers['Content-Type'] = 'application/json'
        for attempt in itertools.count(1):
            self.connection.request(method, path, data, headers)
            response = self.connection.getresponse()
            answer = json.loads(response.read() or b'{}')
            if response.status < 400:
                return answer
            problem = Problem(answer)
            if problem.code != 'busy' or attempt == BUSY_MOST:
                raise problem
            time.sleep(0.1)

    def post(self, path: str, body: dict | None = None, **headers: str) -> dict:
        return self.call('POST', path, body, **headers)

    def get(self, path: str) -> dict:
        return self.call('GET', path)


def put_lines(api: Api, queue: str, lines: list[tuple[int, str]], key: str) -> None:
    """Puts (number, line) pairs. KEY makes a repeat of the request harmless."""
    items = [{'text': f'{number}:{line}'} for number, line in lines]
    while items:
        try:
            api.post(f'/v1/queues/{queue}/put_many', {'items': items},
                     **{'Idempotency-Key': f'{key}-{len(items)}'})
            return
        except Problem as problem:
            if problem.code != 'timeout':
                raise
            items = items[problem.problem.get('put', 0):]
