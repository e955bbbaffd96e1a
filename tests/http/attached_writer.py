"""A process that attaches to the server at argv[1] and changes the dict and the list named argv[2]
until it is killed: an update of both entries of the dict, and the whole list replaced by N items
that say N, each in one step."""
import ctypes
import itertools
import os
import sys
from pathlib import Path

JSON, SET, ANY = 2, 1, (1 << 64) - 1


class Message(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("bytes", ctypes.c_uint64), ("type", ctypes.c_uint32),
                ("reserved", ctypes.c_uint32)]


class Change(ctypes.Structure):
    _fields_ = [("what", ctypes.c_uint32), ("type", ctypes.c_uint32), ("key", ctypes.c_char_p),
                ("key_bytes", ctypes.c_uint64), ("data", ctypes.c_char_p),
                ("bytes", ctypes.c_uint64),
                ("version", ctypes.c_uint64)]


def main(address, name):
    library = ctypes.CDLL(str(Path(os.environ["INTERLOCK_BUILD"]) / "lib/libinterlock.so"))
    library.il_error_message.restype = ctypes.c_char_p

    def call(function, *arguments):
        if getattr(library, function)(*arguments) != 0:
            sys.exit(f"{function}: {library.il_error_message().decode()}")

    domain, words, numbers = (ctypes.c_void_p() for _ in range(3))
    call("il_domain_open", address.encode(), None, ctypes.byref(domain))
    size = ctypes.c_size_t(len(name.encode()))
    call("il_dict_open", domain, name.encode(), size, None, ctypes.byref(words))
    call("il_list_open", domain, name.encode(), size, None, ctypes.byref(numbers))
    for number in itertools.count():
        text = str(number).encode()
        changes = (Change * 2)(*[Change(SET, JSON, key, 1, text, len(text), ANY)
                                 for key in (b"a", b"b")])
        call("il_dict_update", words, changes, ctypes.c_size_t(2), None)
        length = 200 + number % 30  # more than the server reads in one step
        text = b'[%d,"%s"]' % (length, b"x" * 1500)
        messages = (Message * length)(*[Message(text, len(text), JSON, 0)] * length)
        call("il_list_splice", numbers, ctypes.c_int64(0), ctypes.c_int64((1 << 63) - 1), messages,
             ctypes.c_size_t(length), None)
        if number == 0:
            print("begun", flush=True)


main(*sys.argv[1:])
