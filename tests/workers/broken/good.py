"""A worker that keeps all rules, made to be spoilt: worker.py overrides methods."""

import json
import os
import queue
import socket
import threading
import time


class Failure(Exception):
    """A function's end without a result: a JSON-RPC error."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Worker:
    def __init__(self):
        self.socket = socket.socket(fileno=int(os.environ["INTERLOCK_WORKER_FD"]))
        self.slots = int(os.environ["INTERLOCK_SLOTS"])
        self.batches = queue.SimpleQueue()
        self.open = set()
        self.cancelled = set()
        self.begun = set()
        self.beginning = threading.Lock()
        self.sending = threading.Lock()
        # Buffered, whatever PYTHONUNBUFFERED says.
        self.out, self.err = (open(fd, "w", closefd=False) for fd in (1, 2))
        self.functions = {
            "echo": self.echo, "add": self.add, "fail": self.fail, "sleep": self.sleep,
            "write": self.write, "exit": self.exit,
            "progress": self.progress, "kwargs": self.kwargs,
        }

    # ---- the socket ----

    def main(self):
        self.say_hello()
        for _ in range(self.slots):
            threading.Thread(target=self.slot, daemon=True).start()
        for line in self.lines():
            self.hear(line)
        self.at_end()

    def at_end(self):
        while self.open:
            time.sleep(0.001)
        os._exit(0)

    def lines(self):
        with self.socket.makefile("rb") as file:
            yield from file

    def send(self, message):
        self.send_text(json.dumps(message, ensure_ascii=False))

    def send_text(self, text):
        try:
            with self.sending:
                self.socket.sendall(text.encode() + b"\n")
        except OSError:
            self.at_gone()

    def at_gone(self):
        os._exit(0)

    def say_hello(self):
        self.send({"jsonrpc": "2.0", "method": "hello", "params": self.hello()})

    def hello(self):
        return {"protocol": 1, "name": "good.py", "functions": list(self.functions),
                "slots": self.slots, "batch": True}

    # ---- messages ----

    def hear(self, line):
        message = json.loads(line)
        if isinstance(message, list):
            self.take(message)
        elif "id" in message:
            self.take([message])
        elif message["method"] == "cancel":
            self.cancel(message["params"]["id"])
        else:
            self.hear_unknown(message)

    def hear_unknown(self, message):
        pass

    def take(self, batch):
        self.open.update(request["id"] for request in batch)
        self.batches.put(batch)

    def cancel(self, request_id):
        with self.beginning:
            if request_id not in self.open:
                return
            self.cancelled.add(request_id)
            begun = request_id in self.begun
        if not begun:
            self.answer_unbegun(request_id)

    def answer_unbegun(self, request_id):
        self.send({"jsonrpc": "2.0", "id": request_id,
                   "error": {"code": 2, "message": "cancelled before it began"}})
        self.finish(request_id)

    def slot(self):
        while True:
            self.serve(self.batches.get())

    def serve(self, batch):
        for request in batch:
            if self.begin(request["id"]):
                self.serve_one(request)

    def begin(self, request_id):
        with self.beginning:
            self.begun.add(request_id)
            return request_id in self.open and request_id not in self.cancelled

    def serve_one(self, request):
        answer = {"jsonrpc": "2.0", "id": request["id"], **self.outcome(request)}
        self.flush()
        self.answer(answer)
        self.finish(request["id"])

    def finish(self, request_id):
        with self.beginning:
            self.cancelled.discard(request_id)
            self.begun.discard(request_id)
            self.open.discard(request_id)

    def flush(self):
        self.out.flush()
        self.err.flush()

    def answer(self, answer):
        self.send(answer)

    def outcome(self, request):
        try:
            if request["method"] not in ("call", "initialize"):
                raise Failure(-32601, "no such method")
            params = request["params"]
            function = self.functions.get(params["function"])
            if function is None:
                raise Failure(-32601, "no such function")
            return {"result": function(request["id"], params["args"], params.get("kwargs", {}))}
        except Failure as failure:
            return {"error": {"code": failure.code, "message": str(failure)}}

    # ---- functions ----

    def echo(self, request_id, args, kwargs):
        return args[0]

    def add(self, request_id, args, kwargs):
        if len(args) != 2:
            raise Failure(-32602, "add takes two numbers")
        return args[0] + args[1]

    def fail(self, request_id, args, kwargs):
        raise Failure(1, "failed")

    def sleep(self, request_id, args, kwargs):
        end = time.monotonic() + args[0]
        while time.monotonic() < end:
            if request_id in self.cancelled:
                raise Failure(2, "cancelled")
            time.sleep(0.002)

    def write(self, request_id, args, kwargs):
        self.out.write(args[0])
        self.err.write(args[1])

    def exit(self, request_id, args, kwargs):
        os._exit(args[0])

    def progress(self, request_id, args, kwargs):
        if len(json.dumps(args[0])) > 65536:
            raise Failure(1, "too large a report")
        self.report(request_id, args[0])

    def report(self, request_id, value):
        self.send({"jsonrpc": "2.0", "method": "progress",
                   "params": {"id": request_id, "value": value}})

    def kwargs(self, request_id, args, kwargs):
        return kwargs
