"""interlock-worker and modules: what it takes and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from server import Server  # noqa: E402 (the path comes first)

BUILD = Path(os.environ["INTERLOCK_BUILD"])
WORKER = BUILD / "bin" / "interlock-worker"
SOURCE = HERE.parents[1]

HEAD = """
#include <interlock_module.h>
static il_status nothing(il_call *call) { (void)call; return IL_OK; }
static const il_module_function functions[] = {{"nothing", nothing}, {"echo", nothing}};
"""
MAIN = "const il_module *il_module_main(uint32_t abi_version) { (void)abi_version; %s }\n"


def worker(*arguments):
    return subprocess.run([WORKER, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)


def compiled(folder, text, *command, name="module.c", libraries=()):
    source = folder / name
    source.write_text(text)
    module = folder / "module.so"
    subprocess.run([*(command or ["cc", "-std=c11"]), "-Wall", "-Wextra", "-Werror", "-shared",
                    "-fPIC", "-I", SOURCE / "api", source, "-o", module, *libraries],
                   check=True)
    return module


def table(fields):
    return HEAD + f"static const il_module module = {{{fields}}};\n" + MAIN % "return &module;"


def test_check_lists_the_functions(tmp_path):
    module = compiled(tmp_path, table("sizeof module, IL_MODULE_ABI_VERSION, 0, 2, functions"))
    got = worker("--module", module, "--check")
    assert (got.returncode, got.stdout) == (0, "echo\nnothing\n")


def test_a_file_without_a_slash_is_a_file(tmp_path):
    compiled(tmp_path, table("sizeof module, IL_MODULE_ABI_VERSION, 0, 2, functions"))
    got = subprocess.run([WORKER, "--module", "module.so", "--check"], cwd=tmp_path,
                         capture_output=True, text=True, timeout=60)
    assert got.stdout == "echo\nnothing\n"


def test_a_module_in_cpp(tmp_path):
    text = """
#include <interlock_module.h>
#include <string>
static il_status greet(il_call *call) {
    const char *name = nullptr;
    if (il_call_text(call, 0, &name, nullptr) != IL_OK) return IL_EINVAL;
    std::string text = std::string("hello ") + name;
    return il_call_return_text(call, text.data(), text.size());
}
static const il_module_function functions[] = {{"greet", greet}};
static const il_module module = {sizeof(il_module), IL_MODULE_ABI_VERSION, "cpp", 1, functions};
const il_module *il_module_main(uint32_t) { return &module; }
"""
    module = compiled(tmp_path, text, "c++", "-std=c++17", name="module.cpp")
    assert worker("--module", module, "--check").stdout == "greet\n"


@pytest.mark.parametrize("text, words", [
    ("int il_other;\n", "exports no il_module_main(): it is not a module"),
    (HEAD + MAIN % "(void)functions; return 0;", "il_module_main() returned NULL"),
    (table("sizeof module, 99, 0, 2, functions"), "for version 99 of interlock_module.h"),
    (table("sizeof module, 0, 0, 2, functions"), "for version 0 of interlock_module.h"),
    (table("8, 1, 0, 2, functions"), "struct_bytes of its il_module is 8, expected"),
    (table("sizeof module, 1, 0, 0, functions"), "has no functions"),
    (HEAD.replace('"echo"', '""') + table("sizeof module, 1, 0, 2, functions")[len(HEAD):],
     "function 1: a name has 1 to 255 bytes"),
    (HEAD.replace('"echo"', '"nothing"') + table("sizeof module, 1, 0, 2, functions")[len(HEAD):],
     'two functions "nothing"'),
    (HEAD.replace('"echo"', '"interlock.x"')
     + table("sizeof module, 1, 0, 2, functions")[len(HEAD):], 'begin with "interlock." are taken'),
    (HEAD.replace('{"echo", nothing}', '{"echo", 0}')
     + table("sizeof module, 1, 0, 2, functions")[len(HEAD):], "lacks its name or its address"),
])
def test_what_is_no_module_is_refused_in_words(tmp_path, text, words):
    got = worker("--module", compiled(tmp_path, text), "--check")
    assert got.returncode == 1
    assert got.stderr.startswith("interlock-worker: ") and words in got.stderr


def test_a_file_that_is_not_there_is_told(tmp_path):
    got = worker("--module", tmp_path / "none.so", "--check")
    assert got.returncode == 1
    assert "cannot load the module: " in got.stderr and "none.so" in got.stderr


@pytest.mark.parametrize("arguments, words", [
    ([], "which --module?"),
    (["--nonsense"], "unknown option"),
    (["x"], "an argument that is no option"),
])
def test_wrong_use_is_told(arguments, words):
    got = worker(*arguments)
    assert got.returncode == 2
    assert words in got.stderr


def test_without_a_socket_it_says_who_starts_workers(tmp_path):
    module = compiled(tmp_path, table("sizeof module, IL_MODULE_ABI_VERSION, 0, 2, functions"))
    for value in ("999", "nonsense", "0"):
        got = subprocess.run([WORKER, "--module", module], capture_output=True, text=True,
                             timeout=60, env={**os.environ, "INTERLOCK_WORKER_FD": value})
        assert got.returncode == 2
        assert "interlockd starts workers" in got.stderr


WAITING = """
#include <interlock_module.h>
static il_status wait_for_ever(il_call *call) {
    il_domain *domain = NULL;
    il_queue *queue = NULL;
    char room[8];
    size_t bytes;
    uint32_t type;
    il_status status = il_domain_open("private:", NULL, &domain);
    if (status == IL_OK) status = il_queue_open(domain, "empty", 5, NULL, &queue);
    if (status == IL_OK) il_call_progress(call, "\\"waits\\"", 7);
    if (status == IL_OK) {
        status = il_queue_get(queue, room, sizeof room, &bytes, &type, IL_FOREVER);
    }
    il_queue_close(queue);
    il_domain_close(domain);
    return status;
}
static il_status ask(il_call *call) {
    return il_call_return_integer(call, il_cancelled() + il_call_cancelled(call));
}
static const il_module_function functions[] = {{"wait", wait_for_ever}, {"ask", ask}};
static const il_module module = {sizeof module, IL_MODULE_ABI_VERSION, 0, 2, functions};
const il_module *il_module_main(uint32_t abi_version) { (void)abi_version; return &module; }
"""


def test_a_cancel_ends_a_wait_in_a_call_of_interlock(tmp_path):
    lib = BUILD / "lib"
    module = compiled(tmp_path, WAITING, libraries=["-L", lib, f"-Wl,-rpath,{lib}", "-linterlock"])
    server = Server([str(WORKER), "--module", str(module)])
    try:
        worker = server.start()
        request_id = worker.submit("wait", [])
        assert worker.message()["params"]["value"] == "waits"
        worker.send(worker.cancel_text(request_id))
        assert worker.answer()["error"]["code"] == 2
        assert worker.result("ask", []) == 0
        worker.end()
    finally:
        server.close()


def test_the_example_exports_one_symbol_and_needs_nothing_of_interlock():
    module = BUILD / "examples" / "module.so"
    got = subprocess.run(["nm", "-D", "--defined-only", module], capture_output=True, text=True)
    names = [line.split()[-1] for line in got.stdout.splitlines()]
    assert [name for name in names if "il_" in name] == ["il_module_main"]
    needed = subprocess.run(["readelf", "-d", module], capture_output=True, text=True).stdout
    assert "libinterlock" not in needed
