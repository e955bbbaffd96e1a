"""How a child that is no fork becomes what its parent is: paths, arguments, the main module."""

from __future__ import annotations

import os
import runpy
import socket
import sys
import types
from typing import Any, Dict, List, Union

from . import _handover, context, process, util

__all__ = [
    "_main", "freeze_support", "set_executable", "get_executable", "get_preparation_data", "get_command_line",
    "import_main_path",
]

_MARK = "--multiprocessing-fork"  # in the arguments of spawned interpreters
_executable: Union[str, bytes, None] = sys.executable

old_main_modules: List[Any] = []  # what __main__ was: somebody may still use it

NOT_GUARDED = """
        An attempt has been made to start a new process before the
        current process has finished its bootstrapping phase.

        The child imports the main module, so what starts processes there
        must not run at import:

            if __name__ == '__main__':
                ...
"""


def set_executable(exe: Any) -> None:
    """The interpreter that children run: str, bytes or a path; None: there is none."""
    global _executable
    _executable = None if exe is None else os.fsencode(exe)


def get_executable() -> Union[str, bytes, None]:
    return _executable


def get_program() -> str:
    """The same, as a path. RuntimeError: set_executable() has been told that there is none."""
    if _executable is None:
        raise RuntimeError("set_executable(): there is no interpreter to run")
    return os.fsdecode(_executable)


def is_forking(argv: List[str]) -> bool:
    """Whether ARGV is a spawned interpreter's."""
    return len(argv) >= 2 and argv[1] == _MARK


def freeze_support() -> None:
    """Only frozen programs on Windows need it: does nothing here."""


def import_from_here(statement: str) -> str:
    """STATEMENT, for a new interpreter, after what makes it find this package."""
    place = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return f"import sys; {place!r} in sys.path or sys.path.insert(0, {place!r}); {statement}"


def get_command_line() -> List[Any]:
    program = import_from_here("from interlock.multiprocessing.spawn import spawn_main; spawn_main()")
    return [get_program(), *util._args_from_interpreter_flags(), "-c", program, _MARK]


def spawn_main() -> None:
    """A spawned interpreter's program. Its standard input is the socket to its parent."""
    assert is_forking(sys.argv), "not a spawned interpreter"
    sock = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    data, descriptors = _handover.receive(sock)
    sys.exit(_main(sock, data, descriptors))


def _main(sock: socket.socket, data: Any, descriptors: List[int]) -> int:
    """Runs the process object that is pickled in DATA, after what prepares for it."""
    from . import resource_tracker

    parent_sentinel, tracker, *_handover.received[:] = descriptors
    resource_tracker._resource_tracker._adopt(tracker)
    current = process.current_process()
    setattr(current, "_inheriting", True)
    try:
        prepare(_handover.load(data))
        self = _handover.load(data)
    finally:
        delattr(current, "_inheriting")
    for fd in _handover.received:
        os.close(fd)
    _handover.received.clear()
    _handover.note(sock, _handover.LOADED)
    sock.close()
    code: int = self._bootstrap(parent_sentinel)
    return code


def get_preparation_data(name: str) -> Dict[str, Any]:
    """What the child has to know before it loads the process object NAME."""
    if getattr(process.current_process(), "_inheriting", False):
        raise RuntimeError(NOT_GUARDED)
    data: Dict[str, Any] = {
        "name": name,
        "log_to_stderr": util._log_to_stderr,
        "authkey": process.current_process().authkey,
        "sys_path": [process.ORIGINAL_DIR if path == "" else path for path in sys.path],
        "sys_argv": sys.argv,
        "orig_dir": process.ORIGINAL_DIR,
        "dir": os.getcwd(),
        "start_method": context._default_context.get_start_method(),
    }
    if util._logger is not None:
        data["log_level"] = util._logger.getEffectiveLevel()
    main = sys.modules["__main__"]
    main_name = getattr(getattr(main, "__spec__", None), "name", None)
    main_path = getattr(main, "__file__", None)
    if main_name is not None:
        data["init_main_from_name"] = main_name
    elif main_path is not None:
        data["init_main_from_path"] = _absolute(main_path)
    return data


def _absolute(path: str) -> str:
    if process.ORIGINAL_DIR is not None:
        path = os.path.join(process.ORIGINAL_DIR, path)
    return os.path.normpath(path)


def prepare(data: Dict[str, Any]) -> None:
    """Makes this process what get_preparation_data() describes."""
    current = process.current_process()
    current.name = data.get("name", current.name)
    if "authkey" in data:
        current.authkey = data["authkey"]
    if data.get("log_to_stderr"):
        util.log_to_stderr()
    if "log_level" in data:
        util.get_logger().setLevel(data["log_level"])
    sys.path = data.get("sys_path", sys.path)
    sys.argv = data.get("sys_argv", sys.argv)
    if "dir" in data:
        os.chdir(data["dir"])
    process.ORIGINAL_DIR = data.get("orig_dir", process.ORIGINAL_DIR)
    if "start_method" in data:
        context._default_context.set_start_method(data["start_method"], force=True)
    if "init_main_from_name" in data:
        _main_from_name(data["init_main_from_name"])
    elif "init_main_from_path" in data:
        import_main_path(data["init_main_from_path"])


def _main_from_name(name: str) -> None:
    """The program is `python -m NAME`. A package's __main__ is left alone: it runs at import."""
    current = sys.modules["__main__"]
    if name.rpartition(".")[2] == "__main__" or getattr(current.__spec__, "name", None) == name:
        return
    _replace_main(runpy.run_module(name, run_name="__mp_main__", alter_sys=True))


def import_main_path(main_path: str) -> None:
    """Makes __main__ the module at MAIN_PATH, imported as __mp_main__."""
    current = sys.modules["__main__"]
    name = os.path.splitext(os.path.basename(main_path))[0]
    if name == "ipython" or getattr(current, "__file__", None) == main_path:
        return
    _replace_main(runpy.run_path(main_path, run_name="__mp_main__"))


def _replace_main(content: Dict[str, Any]) -> None:
    old_main_modules.append(sys.modules["__main__"])
    module = types.ModuleType("__mp_main__")
    module.__dict__.update(content)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module
