"""The rules of docs/worker-protocol.md, each a function that a worker must get through.

A rule takes the server that starts workers, and the options of conformance.py. It raises Broken.
"""

import json
import time

from server import GRACE, Broken, expect, shorten

RULES = {}


class Skipped(Exception):
    """The worker does not offer what the rule is about."""


def rule(function):
    RULES[function.__name__] = function
    return function


def needs(worker, function):
    if function not in worker.hello.get("functions", [function]):
        raise Skipped(f"it has no function {function}")


def needs_batch(worker):
    if not worker.hello.get("batch", False):
        raise Skipped("it takes no batches")


def echoes(worker, value):
    """Whether echo() gives back what it got, in the words of the server."""
    got = worker.result("echo", json.dumps([value], ensure_ascii=False, separators=(",", ":")))
    expect(same(got, value), f"echo({shorten(value)}) is {shorten(got)}")


def same(a, b):
    """Equal as JSON is: 1 is 1.0, but true is not 1. Numbers as doubles, which is all some have."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return float(a) == float(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


# ---- hello -------------------------------------------------------------------------------------


@rule
def hello(server, options):
    """its first message is a hello, which says what it should"""
    worker = server.start()
    said = worker.hello
    expect(type(said.get("protocol")) is int and said["protocol"] == 1,
           f"protocol is to be 1: {said.get('protocol')!r}")
    name = said.get("name", "")
    expect(isinstance(name, str) and len(name.encode()) <= 63, f"name is up to 63 bytes: {name!r}")
    if "functions" in said:
        functions = said["functions"]
        expect(isinstance(functions, list), "functions is to be an array")
        expect(all(isinstance(f, str) and 0 < len(f.encode()) <= 255 for f in functions),
               f"functions are to be names of 1 to 255 bytes: {functions}")
        expect(len(set(functions)) == len(functions), f"a function named twice: {functions}")
    batch = said.get("batch", False)
    expect(isinstance(batch, bool), f"batch is to be true or false: {batch!r}")
    worker.end()


@rule
def hello_slots(server, options):
    """it asks for 1 to INTERLOCK_SLOTS calls at once"""
    for offered in (1, 4):
        worker = server.start(slots=offered)
        slots = worker.hello.get("slots", 1)
        expect(type(slots) is int and 1 <= slots <= offered,
               f"slots is {slots!r}, INTERLOCK_SLOTS was {offered}")
        worker.end()


# ---- calls -------------------------------------------------------------------------------------


@rule
def call(server, options):
    """a call is answered with its result, and the id it came with"""
    worker = server.start()
    expect(same(worker.result("add", [1, 2]), 3), "add(1, 2) is not 3")
    expect(same(worker.result("add", [-1.5, 0.25]), -1.25), "add(-1.5, 0.25) is not -1.25")
    worker.result("echo", ["id"], request_id="0")
    worker.result("echo", ["id"], request_id="18446744073709551615")
    worker.end()


@rule
def arguments_with_spaces(server, options):
    """args and kwargs are as they were submitted, with space within"""
    worker = server.start()
    expect(same(worker.result("add", "[ 1 ,\t2 ]", kwargs="{ }"), 3), "add( 1 , 2 ) is not 3")
    got = worker.result("echo", '[ { "a" : [ 1 , 2 ] } ]')
    expect(same(got, {"a": [1, 2]}), f"echo of an object with spaces is {got}")
    worker.end()


@rule
def arguments_that_look_alike(server, options):
    """arguments that look like the message around them do not confuse it"""
    worker = server.start()
    echoes(worker, {"kwargs": {}, "task": "1", "attempt": 9, "id": "x", "function": "fail"})
    echoes(worker, '],"kwargs":{},"task":"1","attempt":1}}')
    echoes(worker, [{"x": [1], "kwargs": {"args": [2]}}, "]", "}", "\\", '"', "\\\"],"])
    worker.end()


@rule
def first_argument(server, options):
    """arguments are told apart"""
    worker = server.start()
    expect(same(worker.result("echo", [1, 2]), 1), "echo(1, 2) is not 1")
    expect(same(worker.result("echo", [[1, [2, "],"]], {"a": ","}, 3]), [1, [2, "],"]]),
           "the first of three arguments is not what it was")
    expect(same(worker.result("echo", ["a,b", "c"]), "a,b"), 'echo("a,b", "c") is not "a,b"')
    worker.end()


@rule
def values(server, options):
    """values of all types come through"""
    worker = server.start()
    for value in (None, True, False, 0, "", " ", [], {}, [[]], [{}], {"": None}, [None, [True]]):
        echoes(worker, value)
    worker.end()


@rule
def text(server, options):
    """text comes through: other scripts, escapes, quotes, control characters"""
    worker = server.start()
    for value in ("\u00e9\u00df", "\u65e5\u672c\u8a9e", "\U0001f512\U0001f600", "\u2028\u2029",
                  "\ufeffx", "quote \" backslash \\ slash /", "tab\tnew\nreturn\r",
                  "%s %d \\n $HOME `x`",
                  "\x00\x01\x1f\x7f", "-n", "-e \\c", "''\"\"", "*", " leading and trailing ",
                  {"k\u00e9y \"\\": "v"}):
        echoes(worker, value)
    got = worker.result("echo", r'["\u00e9\ud83d\ude00\/\b\f"]')
    expect(got == "\u00e9\U0001f600/\b\f", f"escaped text is {got!r}")
    worker.end()


@rule
def numbers(server, options):
    """numbers come through as equal doubles, at least"""
    worker = server.start()
    for written in ("0", "-0", "1.50", "-1", "1e3", "1E-7", "9007199254740993", "0.1",
                    "18446744073709551616", "123456789012345678901234567890",
                    "1.7976931348623157e308", "5e-324", "3.141592653589793238462643383279"):
        got = worker.result("echo", f"[{written}]")
        expect(not isinstance(got, bool) and isinstance(got, (int, float)) and
               float(got) == float(written), f"echo({written}) is {got!r}")
    worker.end()


@rule
def deep(server, options):
    """a value that is nested 60 deep comes through"""
    worker = server.start()
    value = "core"
    for level in range(60):
        value = [value] if level % 2 else {"in": value}
    echoes(worker, value)
    worker.end()


@rule
def many_values(server, options):
    """an array of 1 MiB of small values comes through"""
    worker = server.start()
    echoes(worker, [n * 1.5 if n % 3 else f"text {n}" for n in range(100000)])
    worker.end()


@rule
def large(server, options):
    """an argument of 1 MiB comes through, and back"""
    worker = server.start()
    echoes(worker, "0123456789abcdef" * 65536)
    worker.end()


@rule
def very_large(server, options):
    """an argument of 16 MiB comes through, and back"""
    worker = server.start()
    data = "0123456789abcde\u00e9" * (1 << 20)
    got = worker.call("echo", json.dumps([data], ensure_ascii=False), patience=120)
    expect(got.get("result") == data, f"16 MiB came back as {shorten(got)}")
    expect(same(worker.result("add", [1, 2]), 3), "add(1, 2) is not 3 after it")
    worker.end()


@rule
def many_calls(server, options):
    """a thousand calls, one after the other, are answered each by its own result"""
    worker = server.start()
    for n in range(1000):
        got = worker.result("echo", [n])
        expect(same(got, n), f"call {n} is answered with {got}")
    worker.end()


@rule
def keywords(server, options):
    """arguments with names come through (the optional function kwargs returns them)"""
    worker = server.start()
    needs(worker, "kwargs")
    for named in ({}, {"a": 1, "b": [True, {"c": "d"}]}, {"self": 1, "name": "\u00e9"}):
        got = worker.result("kwargs", [], kwargs=json.dumps(named))
        expect(same(got, named), f"the named arguments {named} arrive as {got}")
    worker.end()


@rule
def initialize(server, options):
    """an initialize is answered as a call is; its id is \"init\", and it has no task"""
    worker = server.start()
    worker.open.add("init")
    worker.send('{"jsonrpc":"2.0","id":"init","method":"initialize",'
                '"params":{"function":"echo","args":["ready"]}}')
    answer = worker.answer()
    expect(answer["id"] == "init" and answer.get("result") == "ready",
           f"initialize with echo is answered with {answer}")
    worker.open.add("init")
    worker.send('{"jsonrpc":"2.0","id":"init","method":"initialize",'
                '"params":{"function":"fail","args":[]}}')
    expect("error" in worker.answer(), "initialize with fail succeeded")
    worker.end()


# ---- errors ------------------------------------------------------------------------------------


@rule
def error(server, options):
    """a function that fails is an error of code 1 with a message, and the next call works"""
    worker = server.start()
    for _ in range(3):
        said = worker.error("fail", [], 1)
        expect(said["message"], "the error has no message")
        expect(same(worker.result("add", [1, 2]), 3), "add(1, 2) is not 3 after an error")
    worker.end()


@rule
def unknown_function(server, options):
    """a function that it does not have is -32601"""
    worker = server.start()
    for name in ("no_such_function", "", "echo ", "Echo", "__class__", "toString", "../echo", "*"):
        worker.error(name, [], -32601)
    worker.result("echo", [1])
    worker.end()


@rule
def arguments_that_do_not_fit(server, options):
    """too few arguments are -32602"""
    worker = server.start()
    worker.error("add", [], -32602)
    worker.error("add", [1], -32602)
    worker.result("add", [1, 2])
    worker.end()


@rule
def unknown_request(server, options):
    """a request that it does not know is -32601, with the request's id"""
    worker = server.start()
    worker.open.add("77")
    worker.send('{"jsonrpc":"2.0","id":"77","method":"juggle","params":{"balls":3}}')
    answer = worker.answer()
    expect("error" in answer and answer["error"]["code"] == -32601,
           f"an unknown request is answered with {answer}")
    worker.result("echo", [1])
    worker.end()


@rule
def unknown_notification(server, options):
    """a notification that it does not know is ignored"""
    worker = server.start()
    _, text = worker.request_text("echo", ["after"])
    worker.send('{"jsonrpc":"2.0","method":"greet","params":{"id":"1","how":["politely"]}}\n'
                '{"jsonrpc":"2.0","method":"shrug"}\n' + text)
    answer = worker.answer()
    expect(answer.get("result") == "after", f"the call after it is answered with {answer}")
    worker.end()


# ---- lines -------------------------------------------------------------------------------------


@rule
def pieces(server, options):
    """a line that arrives in pieces is one line"""
    worker = server.start()
    worker.result("echo", ["it reads"])
    _, text = worker.request_text("echo", ["whole \u00e9"])
    data = text.encode() + b"\n"
    for at in range(0, len(data), 7):
        worker.send_bytes(data[at:at + 7])
        worker.wait_until_read()
    expect(worker.answer().get("result") == "whole \u00e9", "it is not answered rightly")
    worker.end()


# ---- output ------------------------------------------------------------------------------------


@rule
def output(server, options):
    """what a function writes is there before the answer"""
    worker = server.start()
    for round in range(20):
        worker.result("write", [f"out {round};", f"err {round};"])
        got = worker.written()
        expect(got == (f"out {round};", f"err {round};"),
               f"stdout and stderr are {got} when call {round} is answered")
    worker.end()


@rule
def output_like_an_answer(server, options):
    """what a function writes to stdout is no message"""
    worker = server.start()
    fake = '{"jsonrpc":"2.0","id":"1","result":"fake"}\n'
    worker.result("write", [fake, ""])
    expect(worker.written()[0] == fake, "stdout is not what was written")
    worker.result("echo", [1])
    worker.end()


@rule
def progress(server, options):
    """progress names the running call, and comes before its answer (optional function progress)"""
    worker = server.start()
    needs(worker, "progress")
    for value in (0.5, None, {"done": [1, 2]}, "\u00e9", "x" * 60000):
        request_id = worker.submit("progress", [value])
        expect("result" in worker.answer(), f"progress({shorten(value)}) failed")
        expect(len(worker.progress) == 1, f"{len(worker.progress)} reports of one call of progress")
        named, got = worker.progress.pop()
        expect(named == request_id, f"progress of {named}, expected {request_id}")
        expect(same(got, value), f"progress({shorten(value)}) reports {shorten(got)}")
    worker.end()


@rule
def progress_too_large(server, options):
    """more than 64 KiB of progress is not sent (optional function progress)"""
    worker = server.start()
    needs(worker, "progress")
    worker.call("progress", ["x" * 70000])
    expect(not worker.progress, "it was sent")
    worker.result("echo", [1])
    worker.end()


# ---- cancel ------------------------------------------------------------------------------------


@rule
def cancel(server, options):
    """a cancelled call is answered once: with code 2, or as if nothing had been"""
    worker = server.start()
    request_id, text = worker.request_text("sleep", [30 if options.heeds_cancel else 0.3])
    worker.send(text + "\n" + worker.cancel_text(request_id))
    answer = worker.answer(patience=min(GRACE, options.patience))
    expect(answer["id"] == request_id, f"an answer to {answer['id']}")
    code = answer.get("error", {}).get("code")
    if options.heeds_cancel:
        expect(code == 2, f"it is answered with {answer}, expected code 2")
    expect(code in (None, 2), f"it is answered with {answer}")
    worker.result("echo", [1])
    worker.end()


@rule
def cancel_too_late(server, options):
    """a cancel of a call that is answered already, or never was, is ignored"""
    worker = server.start()
    request_id = worker.submit("echo", [1])
    worker.answer()
    worker.send(worker.cancel_text(request_id) + "\n" + worker.cancel_text("987654"))
    expect(same(worker.result("echo", [2]), 2), "the next call is not answered rightly")
    worker.end()


@rule
def cancel_is_of_one_call(server, options):
    """a cancel says nothing of the next call"""
    worker = server.start()
    request_id, text = worker.request_text("sleep", [0.2])
    worker.send(text + "\n" + worker.cancel_text(request_id))
    worker.answer()
    worker.result("sleep", [0.05])
    worker.end()


# ---- batches -----------------------------------------------------------------------------------


@rule
def batch(server, options):
    """the calls of a batch are answered one by one, in order"""
    worker = server.start()
    needs_batch(worker)
    ids = worker.submit_batch(("echo", [0]), ("sleep", [0.1]), ("echo", [2]), ("add", [1, 2]))
    answers = [worker.answer() for _ in ids]
    expect([answer["id"] for answer in answers] == ids, f"out of order: {answers}")
    expect(same([answer.get("result") for answer in answers[2:]], [2, 3]), f"wrong: {answers}")
    ids = worker.submit_batch(("echo", ["alone"]))
    expect(worker.answer().get("result") == "alone", "a batch of one is not answered rightly")
    worker.end()


@rule
def batch_long(server, options):
    """a batch of 5,000 calls is answered in order"""
    worker = server.start()
    needs_batch(worker)
    ids = worker.submit_batch(*(("echo", [n]) for n in range(5000)))
    for n, request_id in enumerate(ids):
        answer = worker.answer()
        expect(answer["id"] == request_id and same(answer.get("result"), n),
               f"call {n} is answered with {shorten(answer)}")
    worker.end()


@rule
def batch_with_errors(server, options):
    """a call of a batch that fails does not disturb the others"""
    worker = server.start()
    needs_batch(worker)
    ids = worker.submit_batch(("fail", []), ("echo", [1]), ("no_such_function", []), ("add", []),
                              ("echo", [4]))
    answers = [worker.answer() for _ in ids]
    expect([answer["id"] for answer in answers] == ids, f"out of order: {answers}")
    codes = [answer.get("error", {}).get("code") for answer in answers]
    expect(codes == [1, None, -32601, -32602, None], f"the codes are {codes}")
    worker.end()


@rule
def batch_answers_at_once(server, options):
    """each call of a batch is answered before the next begins, so that a death loses no answer"""
    worker = server.start()
    needs_batch(worker)
    ids = worker.submit_batch(("echo", [0]), ("echo", [1]), ("exit", [3]), ("echo", [2]))
    for request_id in ids[:2]:
        answer = worker.answer()
        expect(answer["id"] == request_id, f"an answer to {answer['id']}, not to {request_id}")
    message = worker.message()
    expect(message is None, f"after exit(3) it says {message}")
    code = worker.exit_code()
    expect(code == 3, f"exit status {code}, expected 3")


@rule
def batch_output(server, options):
    """what a call of a batch writes is there when it is answered, and not what the next writes"""
    worker = server.start()
    needs_batch(worker)
    ids = worker.submit_batch(("write", ["one;", ""]), ("sleep", [0.2]), ("write", ["two;", ""]))
    worker.answer()
    expect(worker.written()[0] == "one;", "the first call's output is not there")
    for _ in ids[1:]:
        worker.answer()
    expect(worker.written()[0] == "two;", "the last call's output is not there")
    worker.end()


@rule
def batch_cancel(server, options):
    """a call of a batch that is cancelled before it begins is answered with code 2, and not run"""
    worker = server.start()
    needs_batch(worker)
    ids, texts = zip(*(worker.request_text(*call) for call in (
        ("sleep", [0.3]), ("write", ["ran", "ran"]), ("echo", [2]))))
    worker.send("[" + ",".join(texts) + "]\n" + worker.cancel_text(ids[1]))
    answers = {answer["id"]: answer for answer in [worker.answer() for _ in ids]}
    code = answers[ids[1]].get("error", {}).get("code")
    expect(code == 2, f"the cancelled call is answered with {answers[ids[1]]}, expected code 2")
    expect(worker.written() == ("", ""), "the cancelled call was run")
    expect(list(answers).index(ids[0]) < list(answers).index(ids[2]), f"out of order: {answers}")
    expect(same(answers[ids[2]].get("result"), 2), f"the call after it: {answers[ids[2]]}")
    worker.end()


@rule
def batch_cancel_at_once(server, options):
    """that answer need not wait for the call that runs (of workers that heed a cancel)"""
    worker = server.start()
    needs_batch(worker)
    if not options.heeds_cancel:
        raise Skipped("without --heeds-cancel")
    ids, texts = zip(*(worker.request_text(*call) for call in (("sleep", [30]), ("echo", [1]))))
    worker.send("[" + ",".join(texts) + "]\n" + worker.cancel_text(ids[1]))
    answer = worker.answer(patience=min(GRACE, options.patience))
    expect(answer["id"] == ids[1] and answer.get("error", {}).get("code") == 2,
           f"it says {answer}, expected code 2 for {ids[1]}")
    worker.send(worker.cancel_text(ids[0]))
    worker.answer()
    worker.end()


# ---- slots -------------------------------------------------------------------------------------


@rule
def slots(server, options):
    """it runs as many calls at once as it asked for"""
    worker = server.start(slots=4)
    count = worker.hello.get("slots", 1)
    if count == 1:
        raise Skipped("it runs one call at a time")
    # All but the first wait for ever, if they are not cancelled: only if they run at once is the
    # last answered first.
    ids = [worker.submit("sleep", [30 if options.heeds_cancel else 1]) for _ in range(count - 1)]
    last = worker.submit("echo", ["now"])
    answer = worker.answer()
    expect(answer["id"] == last, "a call waits for one in another slot")
    for request_id in ids:
        worker.send(worker.cancel_text(request_id))
    for _ in ids:
        worker.answer()
    worker.end()


@rule
def slots_busy(server, options):
    """with all slots busy, over and over, each answer is that of its own call"""
    worker = server.start(slots=4)
    count = worker.hello.get("slots", 1)
    if count == 1:
        raise Skipped("it runs one call at a time")
    wanted = {worker.submit("echo", [n]): n for n in range(count)}
    for n in range(count, 2000):
        answer = worker.answer()
        expect(same(answer.get("result"), wanted.pop(answer["id"])), f"wrong: {answer}")
        wanted[worker.submit("echo", [n])] = n
    worker.end()


# ---- the end -----------------------------------------------------------------------------------


@rule
def end(server, options):
    """at the end of file it exits with 0, within the grace"""
    worker = server.start()
    worker.end()
    worker = server.start()
    worker.result("echo", [1])
    worker.end()


@rule
def end_while_it_runs(server, options):
    """at the end of file it finishes what it was sent, answers, and exits with 0"""
    worker = server.start()
    worker.submit("sleep", [0.3])
    worker.shut()
    answer = worker.answer()
    expect("result" in answer, f"the call that ran is answered with {answer}")
    worker.end_of_process(0)


@rule
def exit_status(server, options):
    """a function that ends the process ends it, with its status and without an answer"""
    for code in (0, 3):
        worker = server.start()
        worker.submit("exit", [code])
        worker.end_of_process(code)


@rule
def server_dies(server, options):
    """it ends when the server is gone, also while it runs a call"""
    worker = server.start()
    worker.submit("sleep", [0.1])
    worker.socket.close()
    deadline = time.monotonic() + min(GRACE, options.patience)
    while worker.process.poll() is None:
        if time.monotonic() > deadline:
            raise Broken("its process still runs")
        worker.written()
        time.sleep(0.01)
