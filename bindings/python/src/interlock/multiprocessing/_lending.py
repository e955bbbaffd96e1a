"""Objects that are sent to a process which has yet to open them.

An object without a name lives while a process has it open, so whoever sends one keeps a handle of its own
until the receiver has said that it has opened it. One thread of the sender waits for that. What is never
received is kept until the sender ends; what was sent by a process that has ended meanwhile is gone.
"""

from __future__ import annotations

import _thread
import os
from typing import Any, Final, List, Optional, Tuple

from .. import _core
from ..errors import Closed, InterlockError, NotFound
from . import context

Loan = Tuple[bytes, bytes]  # tickets: of what is lent, and of the event that says that it was taken

_TARGETS: Final = 64  # that a thread can wait for at once


class _Lent:
    """A handle that this process keeps until `taken` is set."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.taken = _core.Event(_core.default_domain(), flavour=_core.PROCESS)

    def give_up(self) -> None:
        self.handle.close()
        self.taken.close()


class _Lender:
    """What this process has lent."""

    def __init__(self) -> None:
        self.lent: List[_Lent] = []
        self.news: Optional[_core.Event] = None  # set when there is more to wait for; None: no thread runs

    def add(self, lent: _Lent) -> None:
        self.lent.append(lent)
        if self.news is None:
            self.news = _core.Event(_core.default_domain(), flavour=_core.PROCESS)
            _thread.start_new_thread(self._run, (self.news,))
        self.news.set()

    def _run(self, news: _core.Event) -> None:
        try:
            while self.news is news:
                waiting = self.lent[:_TARGETS - 1]
                _core.wait_any([news, *(each.taken for each in waiting)])
                news.clear()
                for each in [each for each in self.lent if each.taken.is_set()]:
                    self.lent.remove(each)
                    each.give_up()
        except Closed:
            pass  # the domain: this process ends

    def forget(self) -> None:
        """In a forked child: all of it is its parent's."""
        lent, self.lent, self.news = self.lent, [], None
        for each in lent:
            each.give_up()


_lender: Final = _Lender()
os.register_at_fork(after_in_child=_lender.forget)


def ticket_for_child(owner: object, handle: Any) -> bytes:
    """A ticket of HANDLE, which OWNER consists of, for the process that this thread starts. RuntimeError: it
    starts none."""
    context.assert_spawning(owner)
    context.get_spawning_popen().keep(handle)
    return _core.share(handle)


class _ChildsLoan:
    """What a started child was lent, for as long as the child may still take it."""

    def __init__(self, lent: _Lent) -> None:
        self._lent = lent

    def __del__(self) -> None:
        try:
            self._lent.taken.set()
        except InterlockError:
            pass  # it was taken


def lend(handle: Any) -> Loan:
    """What take() opens HANDLE's object with, once, in any process. HANDLE may be closed before."""
    lent = _Lent(_core.adopt(_core.share(handle)))
    loan = _core.share(lent.handle), _core.share(lent.taken)
    _lender.add(lent)
    popen = context.get_spawning_popen()
    if popen is not None:
        popen.keep(_ChildsLoan(lent))
    return loan


def take(loan: Loan) -> Any:
    """The object that was lent. ConnectionResetError: its lender has ended."""
    ticket, taken_ticket = loan
    try:
        handle = _core.adopt(ticket)
    except NotFound:
        raise ConnectionResetError("the sender of this object ended before it was received") from None
    try:
        taken = _core.adopt(taken_ticket)
        taken.set()
        taken.close()
    except InterlockError:
        pass  # its lender has ended in between: nobody asks
    return handle
