"""il_workers_map() of libinterlock, by ctypes: a map through the lane of a unix: domain."""
import ctypes
from pathlib import Path

FOREVER = -1
OK = 0


class Item(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("bytes", ctypes.c_uint64)]


class Result(ctypes.Structure):
    _fields_ = [("struct_bytes", ctypes.c_uint32), ("status", ctypes.c_int32),
                ("index", ctypes.c_uint64), ("data", ctypes.POINTER(ctypes.c_char)),
                ("bytes", ctypes.c_uint64)]


class TaskOptions(ctypes.Structure):
    _fields_ = [("struct_bytes", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("priority", ctypes.c_int32), ("retries", ctypes.c_uint32),
                ("times_ns", ctypes.c_int64 * 6)]


class MapOptions(ctypes.Structure):
    _fields_ = [("struct_bytes", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("chunk", ctypes.c_uint32), ("kwargs_bytes", ctypes.c_uint32),
                ("kwargs", ctypes.c_char_p), ("task", ctypes.POINTER(TaskOptions))]


STAR = 1
Each = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(Result))


class Lane:
    """A pool of the server at SOCKET."""

    def __init__(self, build: Path, socket: str, pool: str) -> None:
        self.library = ctypes.CDLL(str(build / "lib/libinterlock.so"))
        self.library.il_error_message.restype = ctypes.c_char_p
        self.domain, self.workers = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.library.il_domain_open(f"unix:{socket}".encode(), None,
                                               ctypes.byref(self.domain)))
        name = pool.encode()
        self.check(self.library.il_workers_open(self.domain, name, ctypes.c_size_t(len(name)),
                                                ctypes.byref(self.workers)))

    def check(self, status: int) -> None:
        if status != OK:
            raise RuntimeError(self.library.il_error_message().decode())

    def map(self, function: str, items: list[str], retries: int, each) -> int:
        """Calls EACH(index, status, text) for every item, an array of arguments; the status."""
        array = (Item * len(items))(*((text.encode(), len(text.encode())) for text in items))
        task = TaskOptions(struct_bytes=ctypes.sizeof(TaskOptions), retries=retries)
        options = MapOptions(struct_bytes=ctypes.sizeof(MapOptions), flags=STAR, chunk=1,
                             task=ctypes.pointer(task))

        def hear(_, result):
            r = result.contents
            each(r.index, r.status, ctypes.string_at(r.data, r.bytes).decode())
            return 0

        name = function.encode()
        return self.library.il_workers_map(
            self.workers, name, ctypes.c_size_t(len(name)), array, ctypes.c_size_t(len(items)),
            ctypes.byref(options), Each(hear), None, ctypes.c_int64(FOREVER))

    def close(self) -> None:
        self.library.il_workers_close(self.workers)
        self.library.il_domain_close(self.domain)
