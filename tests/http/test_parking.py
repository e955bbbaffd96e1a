"""Requests that wait: departing clients, what a wait costs, and that nobody stalls by it."""
import select
import socket
import time

import pytest

from client import Disconnected, encode, wait_until
from freeze import frozen
from places import SANITIZED, SLOWNESS

NOTICED = 0.1 * SLOWNESS  # seconds within which a departure has to be seen


def lock_url(name, operation=None):
    """The path of the lock NAME."""
    return f"/v1/locks/{name}" + (f"/{operation}" if operation else "")


def park(server, name, unix=False, **body):
    """A connection that waits for the lock."""
    before = server.get(lock_url(name))["waiters"]
    connection = server.connect(unix).send("POST", lock_url(name, "acquire"), body)
    server.wait_for_waiters(name, before + 1)
    return connection


LEAVE = {
    "close": lambda connection: connection.close(),
    "reset": lambda connection: connection.reset(),
    "more than it may send, then close": lambda connection: (
        connection.send_bytes(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000),
        connection.close()),
    "half a request more, then close": lambda connection: (
        connection.send_bytes(b"POST /v1/locks/"), connection.close()),
}


# ---- departure -------------------------------------------------------------------------------

@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "socket"])
@pytest.mark.parametrize("way", LEAVE)
def test_departure_is_noticed(server, name, way, unix):
    server.acquire(name)
    waiters = [park(server, name, unix) for _ in range(5)]
    for left, waiter in enumerate(waiters, 1):
        begin = time.monotonic()
        LEAVE[way](waiter)
        server.wait_for_waiters(name, len(waiters) - left)
        assert time.monotonic() - begin < NOTICED


@pytest.mark.parametrize("operation, count, body", [
    ("get", "getters", {}), ("get_many", "getters", {}), ("put", "putters", {"json": 1}),
    ("put_many", "putters", {"items": [{"json": 1}]})])
def test_departure_from_a_queue_is_noticed(server, name, operation, count, body):
    queue = f"/v1/queues/{name}"
    server.put(queue, maxsize=1)
    if count == "putters":
        server.post(queue + "/put", json=0)
    waiter = server.send("POST", f"{queue}/{operation}", body)
    server.wait_for(queue, **{count: 1})
    begin = time.monotonic()
    waiter.close()
    view = server.wait_for(queue, **{count: 0})
    assert time.monotonic() - begin < NOTICED
    assert view["size"] == (1 if count == "putters" else 0)


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("first", ["release", "departure"])
def test_grant_on_its_way_to_who_left_goes_to_the_next(server, name, first, way):
    for _ in range(10):
        token = server.acquire(name)
        leaver, stayer = park(server, name), park(server, name)
        releaser = server.connect()
        with frozen(server.pid):
            if first == "departure":
                LEAVE[way](leaver)
            releaser.send("POST", lock_url(name, "release"), {"token": token})
            if first == "release":
                LEAVE[way](leaver)
        begin = time.monotonic()
        granted = stayer.answer()
        assert time.monotonic() - begin < NOTICED
        assert granted.status == 200 and releaser.answer().status == 200
        server.release(name, granted.json["token"])
        assert server.get(lock_url(name))["waiters"] == 0
        stayer.close()
        releaser.close()


@pytest.mark.parametrize("way", ["close", "reset"])
def test_grant_to_who_left_before_it_was_asked_for_goes_to_the_next(server, name, way):
    for _ in range(10):
        server.put(lock_url(name))
        with frozen(server.pid):
            LEAVE[way](server.send("POST", lock_url(name, "acquire"), {}))
        answer = server.call("POST", lock_url(name, "acquire"), {"timeout": 5})
        assert answer.status == 200, answer
        server.release(name, answer.json["token"])


def test_item_on_its_way_to_who_left_goes_to_the_next(server, name):
    queue = f"/v1/queues/{name}"
    server.put(queue)
    for number in range(10):
        leaver = server.send("POST", queue + "/get")
        server.wait_for(queue, getters=1)
        stayer = server.send("POST", queue + "/get")
        server.wait_for(queue, getters=2)
        putter = server.connect()
        with frozen(server.pid):
            putter.send("POST", queue + "/put", {"json": number})
            leaver.reset()
        assert stayer.answer().json["json"] == number
        assert putter.answer().status == 200
        server.wait_for(queue, getters=0, size=0)
        stayer.close()
        putter.close()


def test_everybody_leaves_at_once(server, name):
    token = server.acquire(name)
    waiters = [server.send("POST", lock_url(name, "acquire"), {}) for _ in range(300)]
    server.wait_for_waiters(name, 300)
    stayer = park(server, name)
    with frozen(server.pid):
        for waiter in waiters:
            waiter.reset()
    server.release(name, token)
    assert stayer.answer().status == 200
    server.wait_for_waiters(name, 0)


# ---- what a wait costs -----------------------------------------------------------------------

def resident_bytes(pid):
    """The memory of a process, shared memory included."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))


@pytest.mark.parametrize("kind", ["lock", "queue"])
def test_ten_thousand_waiters_cost_less_than_8_kib_each(start, kind):
    count = 2000 if SANITIZED else 10000
    server = start()
    if kind == "lock":
        target, request, field = "/v1/locks/x", "/acquire", "waiters"
        server.acquire("x")
    else:
        target, request, field = "/v1/queues/x", "/get", "getters"
        server.put(target)
    data = encode("POST", target + request)
    server.get(target)
    before = resident_bytes(server.pid)
    sockets = []
    try:
        for _ in range(count):
            one = socket.create_connection((server.host, server.port))
            one.sendall(data)
            sockets.append(one)
        server.wait_for(target, **{field: count})
        each = (resident_bytes(server.pid) - before) / count
        if not SANITIZED:
            assert each < 8192
        begin = time.monotonic()
        for _ in range(20):
            server.get("/v1/health")
        assert time.monotonic() - begin < 1 * SLOWNESS  # they are in nobody's way
        for one in sockets[:count // 2]:
            one.close()
        server.wait_for(target, **{field: count - count // 2})
        assert server.call("DELETE", target).status == 204
        for one in sockets[count // 2:]:
            one.settimeout(20 * SLOWNESS)
            assert one.recv(12) == b"HTTP/1.1 410"
    finally:
        for one in sockets:
            one.close()


# ---- nobody stalls ---------------------------------------------------------------------------

class Caller:
    """One keep-alive connection that repeats requests, as fast as it is answered."""

    def __init__(self, server, requests):
        self.requests = requests
        self.sent = 0
        self.answered = 0
        self.gap = 0.0
        self.socket = socket.create_connection((server.host, server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.since = None

    def send(self):
        """Sends the next request."""
        self.since = time.monotonic()
        self.socket.sendall(self.requests[self.sent % len(self.requests)])
        self.sent += 1

    def receive(self):
        """Reads what is there. Whether the answer is complete."""
        self.buffer += self.socket.recv(65536)
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return False
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return False
        assert len(body) == length and head.startswith(b"HTTP/1.1 20"), self.buffer
        self.buffer = b""
        self.answered += 1
        self.gap = max(self.gap, time.monotonic() - self.since)
        return True


def callers(server, count):
    """COUNT connections: a quarter waits for items that another quarter puts."""
    everybody = []
    for number in range(count):
        role, pair = number % 4, number // 4
        if role == 0 and number + 1 < count:
            requests = [encode("POST", f"/v1/queues/load{pair}/get")]
        elif role == 1:
            requests = [encode("POST", f"/v1/queues/load{pair}/put", {"json": number})]
        else:
            requests = [encode("GET", "/v1/health"), encode("PUT", f"/v1/locks/load{number}")]
        everybody.append(Caller(server, requests))
    return everybody


@pytest.mark.parametrize("count", [127, 128, 129, 256])
def test_no_connection_stalls_at_full_load(start, count):
    server = start()
    for number in range(count // 4 + 1):
        server.put(f"/v1/queues/load{number}", maxsize=2)
    everybody = callers(server, count)
    by_fd = {caller.socket.fileno(): caller for caller in everybody}
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)

    def run(seconds, again):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready = poll.poll(1.0)
            for fd, _ in ready:
                if by_fd[fd].receive() and again:
                    by_fd[fd].send()
            if not again and all(caller.sent == caller.answered for caller in everybody):
                return

    # All at once: exactly COUNT connections are ready together, again and again.
    for _ in range(5):
        with frozen(server.pid):
            for caller in everybody:
                caller.send()
        run(2 * SLOWNESS, again=False)
        assert all(caller.sent == caller.answered for caller in everybody)
    # Then each for itself, as fast as it goes.
    for caller in everybody:
        caller.send()
    run(2.0, again=True)
    now = time.monotonic()
    waiting = [now - caller.since for caller in everybody if caller.sent > caller.answered]
    worst = max([caller.gap for caller in everybody] + waiting)
    assert worst < 1.0 * SLOWNESS
    assert all(caller.answered > 10 for caller in everybody)
    for caller in everybody:
        caller.socket.close()


# ---- clients that are slow, or stop half-way -------------------------------------------------

def test_client_that_never_reads_is_in_nobodys_way(server, name):
    queue = f"/v1/queues/{name}"
    server.post(queue + "/put", text="x" * (4 << 20))
    before = resident_bytes(server.pid)
    lazy = server.connect()
    lazy.socket.settimeout(0.2)
    try:
        for _ in range(2000):
            lazy.send_bytes(encode("POST", queue + "/peek"))
    except TimeoutError:
        pass  # the server does not take more before its answers are taken
    begin = time.monotonic()
    for number in range(100):
        token = server.acquire(f"{name}.{number}")
        server.release(f"{name}.{number}", token)
    assert time.monotonic() - begin < 2 * SLOWNESS
    if not SANITIZED:
        assert resident_bytes(server.pid) - before < 64 << 20
    lazy.reset()
    assert server.post(queue + "/get")["type"] == "text"


@pytest.mark.parametrize("half", [
    b"", b"P", b"POST /v1/locks/x/acquire HTTP/1.1\r\nHost: loc",
    b"POST /v1/locks/x/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 20\r\n\r\n{\"timeout\":",
    b"POST /v1/locks/x/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ti"], ids=lambda half: repr(half[-12:]))
def test_half_a_request_is_in_nobodys_way_and_does_nothing(server, half):
    connections = [server.connect().send_bytes(half) for _ in range(50)]
    begin = time.monotonic()
    for _ in range(100):
        server.get("/v1/health")
    assert time.monotonic() - begin < 1 * SLOWNESS
    for number, connection in enumerate(connections):
        (connection.close if number % 2 else connection.reset)()
    assert server.call("GET", "/v1/locks/x").status == 404


def test_idle_and_half_sent_are_hung_up_on_but_not_the_parked(start):
    server = start(config={"http": {"idle_timeout": 1}})
    server.acquire("x")
    waiter = park(server, "x")
    others = [server.connect().send_bytes(half) for half in (
        b"", b"GET /v1",
        b"PUT /v1/locks/y HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")]
    for other in others:
        try:
            answer = other.answer(check=False)
            assert answer.status == 408
        except (Disconnected, ConnectionResetError):
            pass
    assert waiter.is_quiet(0.5)
    assert server.get("/v1/locks/x")["waiters"] == 1


def test_request_sent_byte_by_byte(server, name):
    with server.connect() as connection:
        data = encode("POST", lock_url(name, "acquire"), {"timeout": 1})
        for byte in data[:-1]:
            connection.socket.sendall(bytes([byte]))
        assert connection.is_quiet(0.02)
        connection.send_bytes(data[-1:], "POST", lock_url(name, "acquire"))
        assert connection.answer().status == 200


# ---- pipelining ------------------------------------------------------------------------------

def test_pipelined_requests_are_answered_in_order(server, name):
    queue = f"/v1/queues/{name}"
    with server.connect() as connection:
        data = b"".join(encode("POST", queue + "/put", {"json": number}) +
                        encode("POST", queue + "/get") for number in range(200))
        for _ in range(200):
            connection.asked.append(("POST", queue + "/put", b'{"json":0}'))
            connection.asked.append(("POST", queue + "/get", b""))
        connection.send_bytes(data)
        for number in range(200):
            assert connection.answer().json["size"] == 1
            assert connection.answer().json["json"] == number


def test_what_is_pipelined_behind_a_wait_waits_too(server, name):
    token = server.acquire(name)
    with server.connect() as connection:
        connection.send("POST", lock_url(name, "acquire"), {})
        connection.send("PUT", lock_url(name + "behind"))
        server.wait_for_waiters(name, 1)
        assert connection.is_quiet(0.05)
        assert server.call("GET", lock_url(name + "behind")).status == 404
        server.release(name, token)
        assert connection.answer().status == 200
        assert connection.answer().status == 201


def test_a_connection_can_wait_many_times(server, name):
    server.put(f"/v1/queues/{name}")
    with server.connect() as connection:
        for number in range(100):
            connection.send("POST", f"/v1/queues/{name}/get")
            server.wait_for(f"/v1/queues/{name}", getters=1)
            server.post(f"/v1/queues/{name}/put", json=number)
            assert connection.answer().json["json"] == number


def test_connections_that_come_and_go_leave_nothing_behind(server, name):
    def descriptors():
        import os
        return len(os.listdir(f"/proc/{server.pid}/fd"))
    server.get("/v1/health")
    server.drop_connections()
    wait_until(lambda: server.get("/v1/health"))
    before = descriptors()
    for number in range(300):
        connection = server.connect(unix=number % 2 == 0)
        if number % 3:
            connection.send("GET", "/v1/health")
        (connection.reset if number % 5 else connection.close)()
    wait_until(lambda: descriptors() <= before, what="the descriptors are closed")
