"""Leases, lock delay, checks and breaks: how grants end that nobody gives back."""
import os
import signal
import subprocess
import time

import pytest

from client import wait_until
from places import COMMAND, SLOWNESS

KINDS = ["locks", "rlocks", "rwlocks", "semaphores"]


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer.json


@pytest.mark.parametrize("kind", KINDS)
def test_lease_ends_to_the_millisecond(server, name, kind):
    for lease in (0.001, 0.02, 0.15):
        asked = time.monotonic()
        server.post(f"/v1/{kind}/{name}/acquire", lease=lease)
        answered = time.monotonic()
        grant = server.post(f"/v1/{kind}/{name}/acquire", lease=30)
        now = time.monotonic()
        assert now - asked >= lease
        assert now - answered < lease + 0.5 * SLOWNESS  # machines are busy
        server.post(f"/v1/{kind}/{name}/release", token=grant["token"])


@pytest.mark.parametrize("kind", KINDS)
def test_late_holder_is_told_why(server, name, kind):
    lost = server.post(f"/v1/{kind}/{name}/acquire", lease=0.001)["token"]
    server.wait_for(f"/v1/{kind}/{name}", holders=[])
    for operation in ("release", "renew", "check"):
        refused(server.call("POST", f"/v1/{kind}/{name}/{operation}", {"token": lost}),
                409, "lease_lost")
    broken = server.post(f"/v1/{kind}/{name}/acquire")["token"]
    assert server.post(f"/v1/{kind}/{name}/break", reason="the disk is full") == {
        "name": name, "token": broken, "broken": True}
    for operation in ("release", "renew", "check"):
        problem = refused(server.call("POST", f"/v1/{kind}/{name}/{operation}", {"token": broken}),
                          409, "revoked")
        assert "the disk is full" in problem["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_renew_prolongs_and_shortens(server, name, kind):
    token = server.post(f"/v1/{kind}/{name}/acquire", lease=0.2)["token"]
    assert server.post(f"/v1/{kind}/{name}/renew", token=token, lease=60)["lease"] == 60
    time.sleep(0.3)
    assert server.post(f"/v1/{kind}/{name}/check", token=token)["newest"] is True
    server.post(f"/v1/{kind}/{name}/renew", token=token, lease=0.01)
    server.wait_for(f"/v1/{kind}/{name}", holders=[])


@pytest.mark.parametrize("kind", KINDS)
def test_check_tells_a_resource_who_is_the_newest(server, name, kind):
    refused(server.call("POST", f"/v1/{kind}/{name}/check", {"token": "1"}), 404, "not_found")
    old = server.post(f"/v1/{kind}/{name}/acquire")["token"]
    server.post(f"/v1/{kind}/{name}/release", token=old)
    refused(server.call("POST", f"/v1/{kind}/{name}/check", {"token": old}), 409, "not_held")
    new = server.post(f"/v1/{kind}/{name}/acquire")["token"]
    refused(server.call("POST", f"/v1/{kind}/{name}/check", {"token": old}), 409, "stale_token")
    assert server.post(f"/v1/{kind}/{name}/check", token=new) == {
        "name": name, "token": new, "newest": True}


@pytest.mark.parametrize("kind", KINDS)
def test_break_grants_the_next(server, name, kind):
    token = server.post(f"/v1/{kind}/{name}/acquire")["token"]
    waiter = server.send("POST", f"/v1/{kind}/{name}/acquire", {})
    server.wait_for(f"/v1/{kind}/{name}", waiters=1)
    refused(server.call("POST", f"/v1/{kind}/{name}/break", {"token": str(int(token) + 1000)}),
            409, "not_held")
    server.post(f"/v1/{kind}/{name}/break", token=token)
    grant = waiter.answer().json
    assert grant["owner_died"] is (kind != "semaphores")
    server.post(f"/v1/{kind}/{name}/release", token=grant["token"])
    refused(server.call("POST", f"/v1/{kind}/{name}/break", {}), 409, "not_held")


@pytest.mark.parametrize("kind", ["rwlocks", "semaphores"])
def test_break_without_a_token_breaks_all(server, name, kind):
    server.put(f"/v1/semaphores/{name}", value=3)
    body = {"mode": "shared"} if kind == "rwlocks" else {}
    tokens = [server.post(f"/v1/{kind}/{name}/acquire", **body)["token"] for _ in range(3)]
    assert server.post(f"/v1/{kind}/{name}/break")["token"] == tokens[-1]
    assert server.get(f"/v1/{kind}/{name}")["holders"] == []
    for token in tokens:
        refused(server.call("POST", f"/v1/{kind}/{name}/release", {"token": token}), 409, "revoked")


@pytest.mark.parametrize("kind", ["locks", "rlocks"])
def test_lock_delay_holds_back_after_a_failure_only(server, name, kind):
    url = f"/v1/{kind}/{name}"
    server.put(url, lock_delay=0.4)
    server.post(url + "/release", token=server.post(url + "/acquire")["token"])
    server.post(url + "/acquire", lease=0.001, timeout=0)
    server.wait_for(url, holders=[])
    assert server.get(url)["locked"] is True
    begin = time.monotonic()
    refused(server.call("POST", url + "/acquire", {"timeout": 0}), 409, "timeout")
    grant = server.post(url + "/acquire")
    assert grant["owner_died"] is True and 0.3 < time.monotonic() - begin < 0.6 * SLOWNESS
    server.post(url + "/break")
    begin = time.monotonic()
    server.post(url + "/break")  # now of the delay
    server.post(url + "/release", token=server.post(url + "/acquire")["token"])
    assert time.monotonic() - begin < 0.3 * SLOWNESS


def test_many_leases_end_together(start, name):
    server = start()
    for number in range(2000):
        server.acquire(f"{name}.{number}", lease=1.5)
    wait_until(lambda: server.log.count("lease.ended") == 2000)
    for number in range(0, 2000, 97):
        assert server.get(f"/v1/locks/{name}.{number}")["locked"] is False


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_an_attached_process_loses_its_lock_by_an_operator(server, name):
    holder = subprocess.Popen([str(COMMAND), "--domain", f"unix:{server.path}", "lock", name, "--",
                               "cat"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        view = server.wait_for(f"/v1/locks/{name}", locked=True)
        assert view["holders"][0]["owner"]["pid"] == holder.pid
        listener = server.send("POST", f"/v1/locks/{name}/acquire", {})
        server.wait_for_waiters(name, 1)
        os.kill(holder.pid, signal.SIGSTOP)
        server.post(f"/v1/locks/{name}/break", token=view["token"], reason="it is stopped")
        grant = listener.answer().json
        assert grant["owner_died"] is True
        os.kill(holder.pid, signal.SIGCONT)
        holder.stdin.close()
        holder.wait(10 * SLOWNESS)
        assert server.post(f"/v1/locks/{name}/check", token=grant["token"])["newest"] is True
    finally:
        os.killpg(holder.pid, signal.SIGKILL) if holder.poll() is None else None
        holder.wait()
