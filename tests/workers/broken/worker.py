"""worker.py NAME: a worker that breaks one rule; NAME "good" breaks none.

The docstring of each says what it does wrong, and its BREAKS which rule of rules.py must notice.
"""

import json
import os
import re
import struct
import sys
import time

from good import Failure, Worker

BROKEN = {"good": Worker}


def breaks(rule):
    def register(kind):
        kind.breaks = rule
        BROKEN[kind.__name__] = kind
        return kind

    return register


# ---- hello -------------------------------------------------------------------------------------


@breaks("hello")
class OtherProtocol(Worker):
    """speaks version 2"""

    def hello(self):
        return {**super().hello(), "protocol": 2}


@breaks("hello")
class LongName(Worker):
    """has a name of 64 bytes"""

    def hello(self):
        return {**super().hello(), "name": "n" * 64}


@breaks("hello")
class NamesTwice(Worker):
    """names a function twice"""

    def hello(self):
        return {**super().hello(), "functions": ["echo", "echo"]}


@breaks("hello")
class Mute(Worker):
    """says no hello"""

    def say_hello(self):
        pass


@breaks("hello")
class TwoHellos(Worker):
    """says hello twice"""

    def say_hello(self):
        super().say_hello()
        super().say_hello()


@breaks("hello_slots")
class Greedy(Worker):
    """wants more slots than there are"""

    def hello(self):
        return {**super().hello(), "slots": self.slots + 1}


@breaks("hello_slots")
class NoSlots(Worker):
    """wants no slots"""

    def hello(self):
        return {**super().hello(), "slots": 0}


# ---- calls -------------------------------------------------------------------------------------


@breaks("call")
class NumericIds(Worker):
    """answers with a number for an id"""

    def answer(self, answer):
        self.send({**answer, "id": int(answer["id"])})


@breaks("call")
class AnswersTwice(Worker):
    """answers twice"""

    def answer(self, answer):
        self.send(answer)
        self.send(answer)


@breaks("call")
class SeveralLines(Worker):
    """writes its answers over several lines"""

    def answer(self, answer):
        self.send_text(json.dumps(answer, indent=1))


@breaks("call")
class NoVersion(Worker):
    """leaves "jsonrpc" out"""

    def answer(self, answer):
        del answer["jsonrpc"]
        self.send(answer)


@breaks("call")
class AsksBack(Worker):
    """sends a request to the server"""

    def answer(self, answer):
        self.send({"jsonrpc": "2.0", "id": "1", "method": "ask", "params": {}})
        self.send(answer)


@breaks("arguments_with_spaces")
class NoSpaces(Worker):
    """takes space in a message for its end"""

    def hear(self, line):
        super().hear(line if b" " not in line else line.split(b" ")[0] + b"]}}")


@breaks("arguments_that_look_alike")
class CutsAtTheFirst(Worker):
    """looks for the end of args by what follows it, from the front"""

    def hear(self, line):
        args = re.search(rb'"args":(\[.*?\]),"kwargs":', line)
        if args:
            json.loads(args[1])  # a thread's end, or the process's
        super().hear(line)


@breaks("first_argument")
class SplitsAtCommas(Worker):
    """splits its arguments at commas"""

    def echo(self, request_id, args, kwargs):
        first = json.dumps(args)[1:-1].split(",")[0]
        try:
            return json.loads(first)
        except ValueError:
            return first.strip('"')


@breaks("values")
class TrueIsOne(Worker):
    """returns 1 for true"""

    def echo(self, request_id, args, kwargs):
        return 1 if args[0] is True else args[0]


@breaks("values")
class NoNull(Worker):
    """answers without a result if that is null"""

    def answer(self, answer):
        self.send({k: v for k, v in answer.items() if v is not None})


@breaks("text")
class Latin(Worker):
    """writes Latin-1"""

    def send_text(self, text):
        with self.sending:
            self.socket.sendall(text.encode("latin-1", "replace") + b"\n")


@breaks("text")
class EndsAtNul(Worker):
    """cuts strings at NUL"""

    def echo(self, request_id, args, kwargs):
        return args[0].split("\0")[0] if isinstance(args[0], str) else args[0]


@breaks("numbers")
class SmallFloats(Worker):
    """holds numbers as 32-bit floats"""

    def echo(self, request_id, args, kwargs):
        return struct.unpack("f", struct.pack("f", min(args[0], 1e38)))[0]


@breaks("deep")
class Shallow(Worker):
    """refuses what is nested deeper than 32"""

    def hear(self, line):
        if line.count(b"[") + line.count(b"{") > 32:
            os._exit(1)
        super().hear(line)


@breaks("many_values")
class FewValues(Worker):
    """drops what is beyond 65,536 values"""

    def echo(self, request_id, args, kwargs):
        return args[0][:65536] if isinstance(args[0], list) else args[0]


@breaks("large")
class ShortLines(Worker):
    """reads lines of 64 KiB at most"""

    most = 1 << 16

    def hear(self, line):
        if len(line) > self.most:
            os._exit(1)
        super().hear(line)


@breaks("very_large")
class NotSoShortLines(ShortLines):
    """reads lines of 8 MiB at most"""

    most = 1 << 23


@breaks("many_calls")
class Tires(Worker):
    """stops answering after 500 calls"""

    answers = 0

    def answer(self, answer):
        self.answers += 1
        if self.answers <= 500:
            self.send(answer)


@breaks("keywords")
class NoKeywords(Worker):
    """forgets arguments with names"""

    def kwargs(self, request_id, args, kwargs):
        return {}


@breaks("initialize")
class NoInitialize(Worker):
    """does not know initialize"""

    def outcome(self, request):
        if request["method"] == "initialize":
            return {"error": {"code": -32601, "message": "no such method"}}
        return super().outcome(request)


# ---- errors ------------------------------------------------------------------------------------


@breaks("error")
class WordsForCodes(Worker):
    """has a word for a code"""

    def outcome(self, request):
        outcome = super().outcome(request)
        if "error" in outcome:
            outcome["error"]["code"] = "failed"
        return outcome


@breaks("error")
class OtherCodes(Worker):
    """invents a code"""

    def fail(self, request_id, args, kwargs):
        raise Failure(42, "failed")


@breaks("error")
class NoMessage(Worker):
    """says nothing of why"""

    def fail(self, request_id, args, kwargs):
        raise Failure(1, "")


@breaks("error")
class BothAtOnce(Worker):
    """answers with a result beside the error"""

    def answer(self, answer):
        self.send({"result": None, **answer})


@breaks("error")
class DiesOfErrors(Worker):
    """ends with the function that fails"""

    def fail(self, request_id, args, kwargs):
        os._exit(1)


@breaks("unknown_function")
class AnyFunction(Worker):
    """says of an unknown function only that it failed"""

    def outcome(self, request):
        outcome = super().outcome(request)
        if outcome.get("error", {}).get("code") == -32601:
            outcome["error"]["code"] = 1
        return outcome


@breaks("arguments_that_do_not_fit")
class AnyArguments(Worker):
    """says of arguments that do not fit only that it failed"""

    def add(self, request_id, args, kwargs):
        if len(args) != 2:
            raise Failure(1, "add takes two numbers")
        return args[0] + args[1]


@breaks("unknown_request")
class IgnoresRequests(Worker):
    """ignores a request that it does not know"""

    def take(self, batch):
        super().take([r for r in batch if r["method"] in ("call", "initialize")])


@breaks("unknown_notification")
class AnswersNotifications(Worker):
    """answers a notification that it does not know"""

    def hear_unknown(self, message):
        self.send({"jsonrpc": "2.0", "id": None, "error": {"code": -32601, "message": "unknown"}})


@breaks("unknown_notification")
class DiesOfNotifications(Worker):
    """ends at a notification that it does not know"""

    def hear_unknown(self, message):
        os._exit(1)


@breaks("pieces")
class OneReadOneLine(Worker):
    """takes what it reads at once for a line"""

    def lines(self):
        while data := self.socket.recv(1 << 20):
            yield data


# ---- output ------------------------------------------------------------------------------------


@breaks("output")
class NoFlush(Worker):
    """leaves what it wrote in its buffer"""

    def flush(self):
        pass


@breaks("output_like_an_answer")
class StdoutIsTheSocket(Worker):
    """uses its stdout as the socket"""

    def write(self, request_id, args, kwargs):
        with self.sending:
            self.socket.sendall(args[0].encode())


@breaks("progress")
class LateProgress(Worker):
    """reports progress when it has answered"""

    late = None

    def report(self, request_id, value):
        self.late = request_id, value

    def answer(self, answer):
        self.send(answer)
        if self.late:
            super().report(*self.late)
            self.late = None


@breaks("progress")
class ProgressOfWhat(Worker):
    """does not say whose progress it is"""

    def report(self, request_id, value):
        self.send({"jsonrpc": "2.0", "method": "progress", "params": {"value": value}})


@breaks("progress_too_large")
class LargeProgress(Worker):
    """sends progress of any size"""

    def progress(self, request_id, args, kwargs):
        self.report(request_id, args[0])


# ---- cancel ------------------------------------------------------------------------------------


@breaks("cancel")
class AnswersTheCancel(Worker):
    """answers the cancel, and then the call"""

    def cancel(self, request_id):
        self.send({"jsonrpc": "2.0", "id": request_id,
                   "error": {"code": 2, "message": "cancelled"}})


@breaks("cancel")
class NoAnswerToCancelled(Worker):
    """does not answer a call that was cancelled"""

    def serve_one(self, request):
        answer = {"jsonrpc": "2.0", "id": request["id"], **self.outcome(request)}
        if request["id"] not in self.cancelled:
            self.answer(answer)
        self.finish(request["id"])

    def answer_unbegun(self, request_id):
        self.finish(request_id)


@breaks("cancel_too_late")
class AnswersLateCancels(Worker):
    """answers a cancel of what it does not run"""

    def cancel(self, request_id):
        if request_id in self.open:
            self.cancelled.add(request_id)
        else:
            self.send({"jsonrpc": "2.0", "id": request_id,
                       "error": {"code": 2, "message": "cancelled"}})


@breaks("cancel_is_of_one_call")
class StaysCancelled(Worker):
    """once cancelled, all calls are"""

    everything = False

    def cancel(self, request_id):
        super().cancel(request_id)
        self.everything = True

    def sleep(self, request_id, args, kwargs):
        if self.everything:
            self.cancelled.add(request_id)
        super().sleep(request_id, args, kwargs)


# ---- batches -----------------------------------------------------------------------------------


@breaks("batch")
class Backwards(Worker):
    """runs a batch from its end"""

    def serve(self, batch):
        super().serve(batch[::-1])


@breaks("batch")
class AnswersInArrays(Worker):
    """answers a batch with an array"""

    def serve(self, batch):
        answers = [{"jsonrpc": "2.0", "id": request["id"], **self.outcome(request)}
                   for request in batch]
        self.flush()
        for request in batch:
            self.finish(request["id"])
        self.send(answers if len(answers) > 1 else answers[0])


@breaks("batch_long")
class ShortBatches(Worker):
    """forgets what is beyond the 4,096th call of a batch"""

    def take(self, batch):
        super().take(batch[:4096])


@breaks("batch_with_errors")
class StopsAtErrors(Worker):
    """ends a batch at its first error"""

    def serve(self, batch):
        for request in batch:
            self.serve_one(request)
            if request["params"]["function"] == "fail":
                break


@breaks("batch_answers_at_once")
class AnswersAtTheEnd(Worker):
    """answers when the whole batch is done"""

    held = None

    def serve(self, batch):
        self.held = []
        super().serve(batch)
        for answer in self.held:
            self.send(answer)

    def answer(self, answer):
        self.held.append(answer)


@breaks("batch_output")
class FlushesAtTheEnd(Worker):
    """flushes when the whole batch is done"""

    def serve(self, batch):
        for request in batch[:-1]:
            answer = {"jsonrpc": "2.0", "id": request["id"], **self.outcome(request)}
            self.finish(request["id"])
            self.answer(answer)
        super().serve(batch[-1:])


@breaks("batch_cancel")
class RunsTheCancelled(Worker):
    """runs what was cancelled before it began"""

    def cancel(self, request_id):
        if request_id in self.begun:
            super().cancel(request_id)


@breaks("batch_cancel_at_once")
class TellsInTurn(Worker):
    """answers what was cancelled before it began when its turn comes"""

    def answer_unbegun(self, request_id):
        pass

    def begin(self, request_id):
        mine = super().begin(request_id)
        if not mine:
            super().answer_unbegun(request_id)
        return mine


# ---- slots -------------------------------------------------------------------------------------


@breaks("slots")
class OneSlotOfMany(Worker):
    """runs one call at a time, and says four"""

    def main(self):
        self.slots, wanted = 1, self.slots
        self.hello = lambda: {**Worker.hello(self), "slots": wanted}
        super().main()


@breaks("slots_busy")
class MixesUp(Worker):
    """answers a call with another's result when many are at work"""

    count = 0
    last = None

    def echo(self, request_id, args, kwargs):
        self.count += 1
        self.last, other = args[0], self.last
        return other if self.slots > 1 and self.count % 100 == 0 else args[0]


# ---- the end -----------------------------------------------------------------------------------


@breaks("end")
class EndsBadly(Worker):
    """exits with 1 at the end of file"""

    def at_end(self):
        os._exit(1)


@breaks("end")
class NeverEnds(Worker):
    """stays at the end of file"""

    def at_end(self):
        while True:
            time.sleep(0.1)


@breaks("end_while_it_runs")
class EndsAtOnce(Worker):
    """exits at the end of file whatever runs"""

    def at_end(self):
        os._exit(0)


@breaks("exit_status")
class AlwaysZero(Worker):
    """exits with 0 whatever the function says"""

    def exit(self, request_id, args, kwargs):
        os._exit(0)


@breaks("server_dies")
class OutlivesTheServer(Worker):
    """stays when nobody hears its answer any more"""

    def at_gone(self):
        while True:
            time.sleep(0.1)


if __name__ == "__main__":
    BROKEN[sys.argv[1]]().main()
