"""Pools of worker processes and of threads, as multiprocessing.pool's.

What is better than there: a worker that is killed, crashes or exits never hangs the pool. The task that it
had begun fails with WorkerDied, or is tried again: Pool(retries=2); the others are not touched, and the worker
is replaced. The results of a terminated pool raise PoolTerminated, those of a pool whose initializer fails in
every worker InitializerFailed. An exception in a callback is reported, and the pool goes on.
"""

from __future__ import annotations

import itertools
import os
import sys
import warnings
from functools import partial
from typing import Any, Callable, Iterable, Iterator

from .. import threading
from . import get_context, util
from ._pool.engine import CLOSE as CLOSE
from ._pool.engine import RUN as RUN
from ._pool.engine import TERMINATE as TERMINATE
from ._pool.engine import Engine
from ._pool.errors import ExceptionWithTraceback as ExceptionWithTraceback
from ._pool.errors import InitializerFailed as InitializerFailed
from ._pool.errors import MaybeEncodingError as MaybeEncodingError
from ._pool.errors import PoolTerminated as PoolTerminated
from ._pool.errors import RemoteTraceback as RemoteTraceback
from ._pool.errors import WorkerDied as WorkerDied
from ._pool.errors import rebuild_exc as rebuild_exc
from ._pool.feeder import Source
from ._pool.messages import CALL, MAP, MAP_ONE, STARMAP, STARMAP_ONE
from ._pool.results import ApplyResult as ApplyResult
from ._pool.results import AsyncResult as AsyncResult
from ._pool.results import IMapIterator as IMapIterator
from ._pool.results import IMapUnorderedIterator as IMapUnorderedIterator
from ._pool.results import MapResult as MapResult
from ._pool.results import job_counter as job_counter
from ._pool.supervisor import Supervisor
from ._pool.threads import ThreadEngine
from ._pool.worker import worker as worker
from ._pool.workers import Worker
from .context import TimeoutError as TimeoutError

__all__ = ["Pool", "ThreadPool"]

INIT = "INIT"
SEQUENCES = (list, tuple, range)  # of a known length; to iterate over them runs no code of the user's

Callback = Callable[[Any], Any] | None


def mapstar(args: Any) -> list[Any]:
    return list(map(*args))


def starmapstar(args: Any) -> list[Any]:
    return list(itertools.starmap(args[0], args[1]))


def _run_callback(job: Any, callback: Callable[[Any], Any], value: Any) -> None:
    """A callback that fails is reported as a thread that fails is."""
    try:
        callback(value)
    except BaseException:
        hook = threading.excepthook
        hook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
    finally:
        job._make_ready()


def _chunks(iterable: Iterable[Any], size: int) -> Iterator[Any]:
    """ITERABLE's items, SIZE together; alone if it is 1."""
    if size == 1:
        return iter(iterable)
    if type(iterable) in SEQUENCES:
        return iter([iterable[i:i + size] for i in range(0, len(iterable), size)])  # type: ignore
    iterator = iter(iterable)
    return iter(lambda: tuple(itertools.islice(iterator, size)), ())


def _make_process(process: Callable[..., Any], context: Any, results: Any, initializer: Any, initargs: Any,
                  wrap_exception: bool, state: Worker) -> Any:
    arguments = (state.channel, results, initializer, initargs, state.maxtasks, wrap_exception, state.key)
    made = process(context, target=worker, args=arguments)
    made.name = made.name.replace("Process", "PoolWorker")
    made.daemon = True
    return made


class Pool:
    """Worker processes that call functions.

    RETRIES: how often a task is tried again whose worker died.
    """

    _wrap_exception = True

    @staticmethod
    def Process(ctx: Any, *args: Any, **kwds: Any) -> Any:
        return ctx.Process(*args, **kwds)

    def __init__(self, processes: int | None = None, initializer: Callable[..., Any] | None = None,
                 initargs: Iterable[Any] = (), maxtasksperchild: int | None = None, context: Any = None, *,
                 retries: int = 0) -> None:
        self._state = INIT
        self._pool: list[Any] = []
        self._ctx = context or get_context()
        self._cache: dict[int, Any] = {}
        self._run_callback: Callable[..., None] = _run_callback
        if processes is None:
            processes = os.cpu_count() or 1
        if processes < 1:
            raise ValueError(f"processes must be at least 1, not {processes!r}")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError(f"maxtasksperchild must be a positive int or None, not {maxtasksperchild!r}")
        if not isinstance(retries, int) or retries < 0:
            raise ValueError(f"retries must be an int, 0 or more, not {retries!r}")
        if initializer is not None and not callable(initializer):
            raise TypeError(f"initializer must be a callable, not {initializer!r}")
        self._processes = processes
        self._maxtasksperchild = maxtasksperchild
        self._initializer = initializer
        self._initargs = initargs
        self._result_lock = threading.Lock()
        self._start(retries)
        self._state = RUN

    def _start(self, retries: int) -> None:
        engine = self._engine = Engine(self._cache, self._processes, retries)
        make = partial(_make_process, self.Process, self._ctx, engine.results, self._initializer, self._initargs,
                       self._wrap_exception)
        self._supervisor = Supervisor(engine, self._pool, make, self._maxtasksperchild)
        try:
            self._supervisor.populate()
        except BaseException:
            self._supervisor.undo()
            engine.close()
            raise
        engine.thread.start()
        self._supervisor.thread.start()
        self._terminate = util.Finalize(self, _end_processes, args=(engine, self._supervisor), exitpriority=15)

    def __del__(self, _warn: Any = warnings.warn, RUN: str = RUN) -> None:
        if self._state == RUN:
            _warn(f"unclosed running multiprocessing pool {self!r}", ResourceWarning, source=self)

    def __repr__(self) -> str:
        cls = type(self)
        return f"<{cls.__module__}.{cls.__qualname__} state={self._state} pool_size={len(self._pool)}>"

    def __reduce__(self) -> Any:
        raise NotImplementedError("a pool cannot be pickled, nor passed to another process")

    def __enter__(self) -> Any:
        self._check_running()
        return self

    def __exit__(self, *exc: object) -> None:
        self.terminate()

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")

    def _repopulate_pool(self) -> None:
        """Replaces at once the workers that are known to have ended."""
        self._supervisor.populate()

    # ---- calls ----

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Any = {}) -> Any:
        """func(*args, **kwds), called in a worker."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Any = {},
                    callback: Callback = None, error_callback: Callback = None) -> ApplyResult:
        """The same without waiting for the result. The callbacks must not take long: results wait for them."""
        self._check_running()
        result = ApplyResult(self, callback, error_callback)
        self._engine.submit(Source(result, func, CALL, iter(((args, kwds),)), lazy=False), direct=True)
        return result

    def map(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None) -> Any:
        """The list of func(item) for each item; CHUNKSIZE items are one task."""
        return self._map_async(func, iterable, False, chunksize).get()

    def starmap(self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]],
                chunksize: int | None = None) -> Any:
        """The list of func(*item) for each item."""
        return self._map_async(func, iterable, True, chunksize).get()

    def map_async(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None,
                  callback: Callback = None, error_callback: Callback = None) -> MapResult:
        return self._map_async(func, iterable, False, chunksize, callback, error_callback)

    def starmap_async(self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]],
                      chunksize: int | None = None, callback: Callback = None,
                      error_callback: Callback = None) -> MapResult:
        return self._map_async(func, iterable, True, chunksize, callback, error_callback)

    def _map_async(self, func: Callable[..., Any], iterable: Any, star: bool, chunksize: int | None,
                   callback: Callback = None, error_callback: Callback = None) -> MapResult:
        self._check_running()
        if not hasattr(iterable, "__len__"):
            iterable = list(iterable)
        length = len(iterable)
        if chunksize is None:
            chunksize = -(-length // (self._processes * 4))
        elif chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize!r}")
        if length == 0:
            return MapResult(self, 0, 0, callback, error_callback)
        result = MapResult(self, chunksize, length, callback, error_callback)
        kinds = (STARMAP_ONE, STARMAP) if star else (MAP_ONE, MAP)
        source = Source(result, func, kinds[chunksize > 1], _chunks(iterable, chunksize), lazy=False)
        self._engine.submit(source, self._direct and type(iterable) in SEQUENCES)
        return result

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> Iterator[Any]:
        """An iterator over the results, in the order of the items. Items are taken from ITERABLE as the workers
        need them, a few ahead."""
        return self._imap(IMapIterator, func, iterable, chunksize)

    def imap_unordered(self, func: Callable[[Any], Any], iterable: Iterable[Any],
                       chunksize: int = 1) -> Iterator[Any]:
        """The same, each result as soon as it is there."""
        return self._imap(IMapUnorderedIterator, func, iterable, chunksize)

    def _imap(self, kind: type[IMapIterator], func: Callable[[Any], Any], iterable: Iterable[Any],
              chunksize: int) -> Iterator[Any]:
        self._check_running()
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize!r}")
        result = kind(self)
        simple = type(iterable) in SEQUENCES
        source = Source(result, func, MAP_ONE if chunksize == 1 else MAP, iter(()), lazy=not simple)
        try:
            source.items = _chunks(iterable, chunksize)
        except Exception as error:
            source.items = _raise(error)
        if simple:
            result._set_length(-(-len(iterable) // chunksize))  # type: ignore[arg-type]
        self._engine.submit(source, self._direct and simple)
        if chunksize == 1:
            return result
        return (item for chunk in result for item in chunk)

    # ---- the end ----

    _direct = False  # whether a sequence's items are taken where they are worked at

    def close(self) -> None:
        """No more tasks; the workers end when all are done."""
        util.debug("closing pool")
        if self._state == RUN:
            self._state = CLOSE
            self._engine.begin_close()

    def terminate(self) -> None:
        """Ends the workers at once, with SIGTERM, and after two seconds with SIGKILL."""
        util.debug("terminating pool")
        self._state = TERMINATE
        self._terminate()
        if not self._engine.is_own_thread():
            self._supervisor.thread.join()

    def join(self) -> None:
        """Waits for the workers' end."""
        util.debug("joining pool")
        self._check_ending()
        if self._engine.is_own_thread():
            raise RuntimeError("a pool cannot be joined by its own callbacks")
        self._supervisor.thread.join()

    def _check_ending(self) -> None:
        if self._state == RUN:
            raise ValueError("Pool is still running")
        if self._state not in (CLOSE, TERMINATE):
            raise ValueError("In unknown state")


def _raise(error: Exception) -> Iterator[Any]:
    raise error
    yield


def _end_processes(engine: Engine, supervisor: Supervisor) -> None:
    """May run as a finalizer at any moment: it takes no lock, and waits only at the interpreter's end."""
    engine.state = TERMINATE
    supervisor.bell.ring()
    if util.is_exiting():
        supervisor.thread.join()


class ThreadPool(Pool):
    """The same with threads of this process."""

    _wrap_exception = False
    _direct = True

    @staticmethod
    def Process(ctx: Any, *args: Any, **kwds: Any) -> Any:
        from .dummy import Process

        return Process(*args, **kwds)

    def __init__(self, processes: int | None = None, initializer: Callable[..., Any] | None = None,
                 initargs: Iterable[Any] = ()) -> None:
        super().__init__(processes, initializer, initargs)

    def _start(self, retries: int) -> None:
        engine: Any = ThreadEngine(self._cache, self._processes, _run_callback)
        self._engine = engine
        self._run_callback = engine.run_callback
        for _ in range(self._processes):
            thread = self.Process(self._ctx, target=engine.work, args=(self._initializer, self._initargs))
            thread.name = thread.name.replace("Process", "PoolWorker")
            thread.daemon = True
            thread.start()
            self._pool.append(thread)
        self._terminate = util.Finalize(self, engine.terminate, exitpriority=15)

    def _repopulate_pool(self) -> None:
        """Threads of a pool do not end before it."""

    def terminate(self) -> None:
        """No more tasks are begun. Those that run go on: a thread cannot be ended."""
        util.debug("terminating pool")
        self._state = TERMINATE
        self._terminate()
        self._engine.fail_all(PoolTerminated("the pool was terminated"), quiet=True)

    def join(self) -> None:
        util.debug("joining pool")
        self._check_ending()
        engine: Any = self._engine
        for thread in self._pool:
            thread.join()
        engine.join()
