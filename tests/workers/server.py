"""The server's side of docs/worker-protocol.md, as far as a test needs it."""

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import termios
import time

LINE_MOST = 24 * 1024 * 1024
PROGRESS_MOST = 64 * 1024
PATIENCE = 30.0  # seconds until an answer or a hello is missed: the pool's start_limit
GRACE = 5.0  # until a process that should have ended is


class Broken(Exception):
    """The worker does not do what the protocol says."""


def expect(condition, why):
    if not condition:
        raise Broken(why)


def shorten(text, most=200):
    text = str(text)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


class Worker:
    """A worker that runs."""

    def __init__(self, command, slots, verbose, patience):
        self._verbose = verbose
        self.patience = patience
        ours, theirs = socket.socketpair()
        environment = dict(
            os.environ,
            INTERLOCK_WORKER_FD="3",
            INTERLOCK_POOL="conformance",
            INTERLOCK_WORKER="1",
            INTERLOCK_SLOTS=str(slots),
            INTERLOCK_PROCESS="conformance",
        )

        def place_socket():  # between fork and exec; without close_fds, which would close it
            os.dup2(theirs.fileno(), 3, inheritable=True)
            if theirs.fileno() == 3:
                os.set_inheritable(3, True)

        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            preexec_fn=place_socket,
            start_new_session=True,
            env=environment,
        )
        theirs.close()
        self.socket = ours
        self._received = bytearray()
        self._next_id = 1
        self.hello = None
        self.progress = []  # (id, value) that came while answers were awaited
        self.open = set()  # ids of requests that are not answered
        for pipe in (self.process.stdout, self.process.stderr):
            os.set_blocking(pipe.fileno(), False)

    # ---- saying something ----

    def send_bytes(self, data):
        """Sends as a server does that cannot be made to wait for ever."""
        deadline = time.monotonic() + 2 * self.patience
        self.socket.settimeout(0.2)
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view):]
            except socket.timeout:
                expect(time.monotonic() < deadline, "it does not read")
            except (BrokenPipeError, ConnectionResetError):
                raise Broken(f"it is gone: {self.how_it_ended()}") from None

    def send(self, message):
        if self._verbose:
            print("->", shorten(message))
        self.send_bytes(message.encode() + b"\n")

    def wait_until_read(self):
        """Until the worker has read all that was sent."""
        deadline = time.monotonic() + self.patience
        while int.from_bytes(fcntl.ioctl(self.socket, termios.TIOCOUTQ, b"\0" * 4), "little"):
            expect(time.monotonic() < deadline, "it does not read")
            time.sleep(0.0005)

    def request_text(self, function, args, kwargs="{}", request_id=None):
        """A call, as the server writes it. ARGS and KWARGS are JSON texts, or values."""
        if request_id is None:
            request_id = str(self._next_id)
            self._next_id += 1
        self.open.add(request_id)
        args, kwargs = (part if isinstance(part, str) else json.dumps(part, separators=(",", ":"))
                        for part in (args, kwargs))
        return request_id, (
            f'{{"jsonrpc":"2.0","id":"{request_id}","method":"call",'
            f'"params":{{"function":{json.dumps(function)},"args":{args},"kwargs":{kwargs},'
            f'"task":"4611686018427387904","attempt":1}}}}'
        )

    def submit(self, function, args, **more):
        """Sends a call; its id."""
        request_id, text = self.request_text(function, args, **more)
        self.send(text)
        return request_id

    def submit_batch(self, *calls):
        """Sends several calls in one line; their ids."""
        parts = [self.request_text(*call) for call in calls]
        self.send("[" + ",".join(text for _, text in parts) + "]")
        return [request_id for request_id, _ in parts]

    def cancel_text(self, request_id):
        return f'{{"jsonrpc":"2.0","method":"cancel","params":{{"id":"{request_id}"}}}}'

    # ---- hearing something ----

    def line(self, patience=None):
        """The next line without its break; None: end of file."""
        patience = self.patience if patience is None else patience
        deadline = time.monotonic() + patience
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            expect(searched <= LINE_MOST, "a line of more than 24 MiB")
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise Broken(f"no answer within {patience:g} s")
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                expect(not self._received, "it ended within a line")
                return None
            self._received += data
        text = bytes(self._received[:end])
        del self._received[:end + 1]
        return text

    def message(self, patience=None):
        """The next message, checked for its form; None: end of file."""
        line = self.line(patience)
        if line is None:
            return None
        try:
            message = json.loads(line.decode())
        except ValueError as error:
            raise Broken(f"a line that is not JSON in UTF-8 ({error}): {shorten(line)}") from None
        if self._verbose:
            print("<-", shorten(line.decode()))
        expect(isinstance(message, dict), f"a message that is no object: {shorten(line)}")
        expect(message.get("jsonrpc") == "2.0", f'no "jsonrpc":"2.0": {shorten(line)}')
        if "method" in message:
            self._check_notification(message)
        else:
            self._check_answer(message)
        return message

    def _check_notification(self, message):
        expect("id" not in message, f"a request of the worker, which there are none: {message}")
        if message["method"] != "progress":
            return
        params = message.get("params")
        expect(
            isinstance(params, dict) and "id" in params and "value" in params,
            f"progress without id or value: {shorten(message)}",
        )
        value = json.dumps(params["value"], ensure_ascii=False, separators=(",", ":"))
        expect(len(value.encode()) <= PROGRESS_MOST, "progress of more than 64 KiB")
        expect(params["id"] in self.open, f"progress of a call that does not run: {params['id']!r}")
        self.progress.append((params["id"], params["value"]))

    def _check_answer(self, message):
        request_id = message.get("id")
        expect(request_id in self.open, f"an answer to what was not asked: id {request_id!r}")
        self.open.remove(request_id)
        expect(
            ("result" in message) != ("error" in message),
            f"an answer is to have a result or an error: {shorten(message)}",
        )
        if "result" in message:
            return
        error = message["error"]
        expect(isinstance(error, dict), f"an error that is no object: {shorten(message)}")
        code, text, data = error.get("code"), error.get("message"), error.get("data", {})
        expect(type(code) is int, f"an error without a code: {shorten(error)}")
        expect(code in (1, 2, -32601, -32602), f"an error of the unknown code {code}")
        expect(isinstance(text, str), f"an error without a message: {shorten(error)}")
        expect(isinstance(data, dict), f"an error whose data is no object: {shorten(error)}")
        for name, kind in (("type", str), ("traceback", str), ("retry", bool)):
            expect(
                isinstance(data.get(name, kind()), kind),
                f"data.{name} of an error is to be of type {kind.__name__}: {shorten(data)}",
            )

    def answer(self, patience=None):
        """The next answer; progress before it is kept, other notifications are ignored."""
        while True:
            message = self.message(patience)
            if message is None:
                raise Broken(f"it ended instead of answering: {self.how_it_ended()}")
            if "method" not in message:
                return message

    def call(self, function, args, patience=None, **more):
        """Calls, and waits for the answer to just this call."""
        request_id = self.submit(function, args, **more)
        answer = self.answer(patience)
        expect(answer["id"] == request_id, f"an answer to {answer['id']}, not to {request_id}")
        return answer

    def result(self, function, args, **more):
        answer = self.call(function, args, **more)
        expect("result" in answer, f"{function}({shorten(args)}) failed: {shorten(answer)}")
        return answer["result"]

    def error(self, function, args, code, **more):
        answer = self.call(function, args, **more)
        what = f"{function}({shorten(args)})"
        expect("error" in answer, f"{what} succeeded, expected an error of code {code}")
        got = answer["error"]["code"]
        expect(got == code, f"{what}: an error of code {got}, expected {code}")
        return answer["error"]

    # ---- its process ----

    def written(self):
        """What it has written to stdout and stderr until now."""
        texts = []
        for pipe in (self.process.stdout, self.process.stderr):
            texts.append(b"")
            while chunk := pipe.read(1 << 16):
                texts[-1] += chunk
        return texts[0].decode(errors="replace"), texts[1].decode(errors="replace")

    def how_it_ended(self):
        try:
            code = self.process.wait(min(GRACE, self.patience))
        except subprocess.TimeoutExpired:
            return "but its process still runs"
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        error = self.written()[1].strip()
        return how + (f", stderr: {shorten(error)}" if error else "")

    def exit_code(self):
        try:
            return self.process.wait(min(GRACE, self.patience))
        except subprocess.TimeoutExpired:
            raise Broken(f"its process still runs {GRACE:g} s after it should have ended") from None

    def shut(self):
        """The server will say nothing more."""
        self.socket.shutdown(socket.SHUT_WR)

    def end(self):
        """Ends it as the server does: it answers what is open, and exits with 0."""
        self.shut()
        while (message := self.message()) is not None:
            expect(message.get("method") != "hello", "a second hello")
        expect(not self.open, f"it ended without answering {sorted(self.open)}")
        code = self.exit_code()
        expect(code == 0, f"exit status {code} at the end of file, expected 0")

    def end_of_process(self, status):
        """It ends with STATUS, and without another message."""
        message = self.message()
        expect(message is None, f"instead of ending it says {shorten(message)}")
        code = self.exit_code()
        expect(code == status, f"exit status {code}, expected {status}")

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.socket.close()
        self.process.stdout.close()
        self.process.stderr.close()


class Server:
    """Starts workers of one command, and ends all of them."""

    def __init__(self, command, slots=1, verbose=False, patience=PATIENCE):
        self._command = command
        self._slots = slots
        self._verbose = verbose
        self._patience = patience
        self._workers = []

    def start_silent(self, slots=None):
        """A worker that has not been heard yet."""
        worker = Worker(self._command, slots or self._slots, self._verbose, self._patience)
        self._workers.append(worker)
        return worker

    def start(self, slots=None):
        """A worker that has said hello."""
        worker = self.start_silent(slots)
        message = worker.message()
        if message is None:
            raise Broken(f"it ended before its hello: {worker.how_it_ended()}")
        expect(message.get("method") == "hello", f"no hello comes first: {shorten(message)}")
        worker.hello = message.get("params")
        expect(isinstance(worker.hello, dict), "a hello without params")
        return worker

    def close(self):
        for worker in self._workers:
            worker.kill()
