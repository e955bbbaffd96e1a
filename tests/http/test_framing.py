"""Who is answered, and what is sound HTTP: the tables of docs/http-access.md, row by row."""
import re

import pytest

from client import Disconnected
from places import SOURCE

ALLOWED = ["https://good.example", "http://localhost:3000"]


def rows():
    """(section, {column: cell}) of every table in the document."""
    section, columns = None, None
    for line in (SOURCE / "docs/http-access.md").read_text().splitlines():
        if line.startswith("## "):
            section, columns = line[3:], None
        elif not line.startswith("|"):
            columns = None
        elif columns is None:
            columns = [cell.strip() for cell in line.strip("|").split("|")]
        elif not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == len(columns), line
            yield pytest.param(section, dict(zip(columns, cells)), id=line.replace("`", "")[:150])


def literal(cell):
    """What a cell in backticks stands for."""
    text = cell.strip("`") if cell else ""
    return text.replace("\\r", "\r").replace("\\n", "\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with the origins that the document allows."""
    from server import Server
    home = tmp_path_factory.mktemp("s")
    instance = Server(home, config={"http": {"allowed_origins": ALLOWED}})
    yield instance
    assert instance.stop() == 0


def test_the_document_shows_the_origins_that_the_test_allows():
    text = (SOURCE / "docs/http-access.md").read_text()
    assert '["https://good.example", "http://localhost:3000"]' in text
    assert len(list(rows())) > 100


@pytest.mark.parametrize("section, row", rows())
def test_row(server, section, row):
    line = literal(row["request line"]) or "GET /v1/health HTTP/1.1"
    headers = [literal(part) for part in re.findall("`[^`]+`", row["headers"])]
    if row["headers"] != "none" and not any(part.startswith("Host:") for part in headers):
        headers.insert(0, "Host: localhost")
    data = "\r\n".join([line, *headers, "", ""]) + literal(row.get("body", ""))
    method, target, version = line.split(" ")
    with server.connect(unix=row["door"] == "socket") as connection:
        connection.send_bytes(data.encode(), method, target)
        words, _, closed = row["answer"].partition(", ")
        if words == "400":
            assert connection.read_all().startswith(b"HTTP/1.1 400 ")
            return
        answer = connection.answer()
        if words == "answered":
            assert answer.status < 300, answer
        else:
            status, code, field = words.split(" ")
            assert (answer.status, answer.json["code"]) == (int(status), code), answer
            assert answer.json["field"] == field
        if closed:
            assert answer.header("Connection").lower() == "close"
            assert connection.is_closed_by_server()
        elif version == "HTTP/1.1":
            assert connection.call("GET", "/v1/health").status == 200


# ---- pages of allowed origins ----------------------------------------------------------------

def cors(answer):
    """The headers by which a browser decides, in lower case."""
    return {name.lower(): value for name, value in answer.headers
            if name.lower().startswith("access-control-") or name.lower() == "vary"}


def test_pages_of_allowed_origins_can_read_every_answer(server):
    for origin in ALLOWED:
        for method, target, body, status in (
                ("GET", "/v1/health", None, 200), ("HEAD", "/v1/health", None, 200),
                ("GET", "/v1/nothing", None, 404), ("POST", "/v1/health", None, 405),
                ("PUT", "/v1/locks/page", {"fair": 1}, 400), ("PUT", "/v1/locks/page", {}, None),
                ("PUT", "/v1/locks/page", b" " * 65537, 413),
                ("DELETE", "/v1/locks/page", None, 204),
        ):
            with server.connect() as connection:
                answer = connection.call(method, target, body, [("Origin", origin)])
            assert status in (None, answer.status), answer
            assert cors(answer) == {
                "access-control-allow-origin": origin, "vary": "Origin",
                "access-control-expose-headers":
                "ETag, Idempotency-Replayed, Preference-Applied, Retry-After"}, answer


def test_a_waiting_page_can_read_its_answer(server):
    token = server.acquire("page-waits")
    waiter = server.send("POST", "/v1/locks/page-waits/acquire", {}, [("Origin", ALLOWED[0])])
    server.wait_for_waiters("page-waits", 1)
    server.release("page-waits", token)
    answer = waiter.answer()
    assert answer.status == 200
    assert cors(answer)["access-control-allow-origin"] == ALLOWED[0]


def test_a_kept_answer_is_for_the_origin_that_repeats(server):
    key = ("Idempotency-Key", "page")
    target = "/v1/locks/page-key/acquire"
    for origin in [None, *ALLOWED, None]:
        headers = [key] + ([("Origin", origin)] if origin else [])
        answer = server.call("POST", target, {}, headers)
        assert answer.status == 200
        assert cors(answer).get("access-control-allow-origin") == origin


def test_preflight_tells_what_a_page_may_send(server):
    headers = [("Origin", ALLOWED[0]), ("Access-Control-Request-Method", "POST"),
               ("Access-Control-Request-Headers", "content-type,idempotency-key")]
    answer = server.call("OPTIONS", "/v1/locks/page/acquire", None, headers)
    assert answer.status == 204
    assert answer.header("Access-Control-Allow-Methods") == answer.header("Allow")
    assert "POST" in answer.header("Access-Control-Allow-Methods").split(", ")
    assert answer.header("Access-Control-Allow-Headers") == \
        "Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer"
    assert answer.header("Access-Control-Max-Age") == "600"
    assert cors(answer)["access-control-allow-origin"] == ALLOWED[0]


def test_nobody_else_is_told_anything_about_origins(server):
    evil = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")]
    for headers in ([], evil):
        for method in ("GET", "OPTIONS"):
            assert cors(server.call(method, "/v1/health", None, headers)) == {}


def test_without_allowed_origins_all_are_refused(start):
    server = start()
    for origin in [*ALLOWED, "http://localhost", "null"]:
        with server.connect() as connection:
            answer = connection.call("GET", "/v1/health", headers=[("Origin", origin)])
            assert (answer.status, answer.json["field"]) == (403, "Origin")


@pytest.mark.parametrize("data", [
    b"GET\r\n\r\n", b"GET /v1/health\r\n\r\n", b"nonsense\r\n\r\n",
    b"GET /v1/health HTTP/2.0\r\nHost: localhost\r\n\r\n",
    b"GET /v1/health HTTP/1.1 x\r\nHost: localhost\r\n\r\n",
    b"GET /v1/health HTTP/0.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /v1/he\0alth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\0: b\r\n\r\n",
    b"GET /v1/health HTTP/1.1\nHost: localhost\n\n",
    b"GET  /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
    bytes(range(256)) * 4,
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200000 + b"\r\n\r\n",
    b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 20000 + b"\r\n",
    b"PUT /v1/locks/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"PUT /v1/locks/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"PUT /v1/locks/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"fffffffffffffffff\r\n",
], ids=lambda data: repr(data[:50]))
def test_what_is_not_http_is_refused_or_hung_up_on(server, data):
    with server.connect() as connection:
        try:
            connection.send_bytes(data)
            answer = connection.answer(check=False)
            assert 400 <= answer.status < 600, answer
        except (Disconnected, BrokenPipeError, ConnectionResetError):
            pass
        except TimeoutError:
            pytest.fail("neither an answer nor a hang-up")
    assert server.call("GET", "/v1/health").status == 200


def test_a_head_of_3_5_kib_is_served_and_a_longer_one_does_no_harm(server):
    for size in [3584, *range(3600, 4400, 16)]:
        head = "PUT /v1/locks/deploy HTTP/1.1\r\nHost: localhost\r\nX: "
        data = head + "a" * (size - len(head) - 4) + "\r\n\r\n"
        with server.connect() as connection:
            connection.send_bytes(data.encode(), "PUT", "/v1/locks/deploy")
            try:
                answer = connection.answer(check=False)
                assert answer.status in ((200, 201) if size == 3584 else (200, 431))
            except Disconnected:
                assert size > 3584


def test_a_smuggled_request_is_not_carried_out(server):
    hidden = b"PUT /v1/locks/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    for headers in (b"Content-Length: 0\r\nContent-Length: %d" % len(hidden),
                    b"Transfer-Encoding: chunked\r\nContent-Length: %d" % (5 + len(hidden)),
                    b"Transfer-Encoding : chunked\r\nContent-Length: 5",
                    b"X: a\r\n Transfer-Encoding: chunked"):
        with server.connect() as connection:
            connection.send_bytes(b"PUT /v1/locks/carrier HTTP/1.1\r\nHost: localhost\r\n"
                                  + headers + b"\r\n\r\n0\r\n\r\n" + hidden,
                                  "PUT", "/v1/locks/carrier")
            assert connection.answer().status == 400
            assert connection.is_closed_by_server()
    assert server.call("GET", "/v1/locks/carrier").status == 404
    assert server.call("GET", "/v1/locks/smuggled").status == 404


def test_an_answer_to_http_1_0_ends_with_the_connection(server):
    with server.connect() as connection:
        connection.send_bytes(b"GET /v1/health HTTP/1.0\r\n\r\n", "GET", "/v1/health")
        assert connection.answer().json == {"status": "ok"}
        assert connection.is_closed_by_server()


def test_connection_close_is_honoured(server):
    with server.connect() as connection:
        answer = connection.call("GET", "/v1/health", headers=[("Connection", "close")])
        assert answer.header("Connection").lower() == "close"
        assert connection.is_closed_by_server()
