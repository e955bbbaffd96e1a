"""/v1/timers: Python's Timer over HTTP, intervals and cron. The clockwork: test_alarm.c."""
import os
import signal
import time
from datetime import datetime, timedelta, timezone

import pytest

from client import wait_until
from places import SLOWNESS
from pools import CONFIG, make as make_pool, url as pool_url
from test_bad_input import NOT_AN_OBJECT

HOUR = 3600


@pytest.fixture(scope="module", name="config")
def config_of_server():
    """Its programs may be started."""
    return CONFIG


@pytest.fixture(name="pool", scope="module")
def pool_of_file(server):
    """A pool of two workers."""
    return make_pool(server, "for-timers", workers=2)


def url(name, operation=None):
    """The path of the timer NAME."""
    return f"/v1/timers/{name}" + (f"/{operation}" if operation else "")


def make(server, name, pool, function="add", args=(1, 2), **options):
    return server.put(url(name), pool=pool, function=function, args=list(args), **options)


def refused(answer, status, code, field=None):
    assert (answer.status, answer.code, answer.json.get("field")) == (status, code, field), answer
    return answer.json


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_from_now(text):
    return (moment(text) - datetime.now(timezone.utc)).total_seconds()


def cancel(server, name):
    return server.post(url(name, "cancel"))


# ---- its life --------------------------------------------------------------------------------

def test_its_life_is_that_of_pythons_timer(server, name, pool):
    view = make(server, name, pool, after=0.05)
    assert (view["state"], view["next"], view["runs"], view["after"]) == ("created", None, 0, 0.05)
    view = server.post(url(name, "start"))
    assert view["state"] in ("waiting", "done")
    refused(server.call("POST", url(name, "start")), 409, "already_started")
    view = server.wait_for(url(name), state="done")
    assert (view["runs"], view["failed"], view["skipped"], view["next"]) == (1, 0, 0, None)
    task = server.post(f"/v1/tasks/{view['last_task']}/wait")
    assert (task["state"], task["result"]) == ("succeeded", 3)
    refused(server.call("POST", url(name, "start")), 409, "already_started")
    assert cancel(server, name)["state"] == "done"
    assert server.call("DELETE", url(name)).status == 204
    refused(server.call("GET", url(name)), 404, "not_found")


def test_cancelled_before_it_fires(server, name, pool):
    make(server, name, pool, after=HOUR, start=True)
    view = cancel(server, name)
    assert (view["state"], view["next"]) == ("cancelled", None)
    assert cancel(server, name)["state"] == "cancelled"
    refused(server.call("POST", url(name, "start")), 409, "already_started")
    make(server, name + ".2", pool, after=HOUR)
    assert cancel(server, name + ".2")["state"] == "cancelled"
    refused(server.call("POST", url(name + ".2", "start")), 409, "cancelled")


def test_started_by_its_put(server, name, pool):
    view = make(server, name, pool, after=HOUR, start=True)
    assert view["state"] == "waiting" and HOUR - 60 < seconds_from_now(view["next"]) <= HOUR
    assert make(server, name, pool, after=HOUR, start=True)["next"] is not None
    make(server, name + ".2", pool, every=HOUR)
    assert make(server, name + ".2", pool, every=HOUR, start=True)["state"] == "waiting"
    for one in (name, name + ".2"):
        assert server.call("DELETE", url(one)).status == 204


def test_again_and_again(server, name, pool, directory):
    file = directory / "lines"
    make(server, name, pool, "append", [str(file), "tick"], every=0.05, start=True)
    wait_until(lambda: file.exists() and len(file.read_text().splitlines()) >= 5)
    view = cancel(server, name)
    assert view["runs"] >= 5 and view["failed"] == 0
    assert server.get(url(name))["runs"] == view["runs"]


def test_so_many_times(server, name, pool):
    make(server, name, pool, every=0.01, repeat=3, start=True)
    assert server.wait_for(url(name), state="done")["runs"] == 3


def test_intervals_do_not_drift(server, name, pool):
    begin = time.monotonic()
    first = moment(make(server, name, pool, every=0.05, start=True)["next"])
    view = wait_until(lambda: (lambda v: v if v["runs"] >= 20 else None)(server.get(url(name))))
    came = view["runs"] + view["skipped"] + view["failed"]
    due = (moment(view["next"]) - first).total_seconds() / 0.05
    assert abs(due - round(due)) < 0.1, "it comes at multiples of its interval"
    assert came <= round(due) <= (time.monotonic() - begin) / 0.05 + 1
    cancel(server, name)


def test_what_a_stopped_server_missed_comes_once(start):
    server = start(config=CONFIG)
    pool = make_pool(server, "p")
    make(server, "t", pool, every=0.2, start=True)
    before = wait_until(lambda: server.get(url("t"))["runs"])
    os.kill(server.pid, signal.SIGSTOP)
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 2, what="ten intervals have passed")
    os.kill(server.pid, signal.SIGCONT)
    wait_until(lambda: server.get(url("t"))["runs"] > before)
    since = time.monotonic() - begin
    assert server.get(url("t"))["runs"] <= before + 3 + (since - 2) / 0.2


def test_skip_if_running(server, name, pool, directory):
    gate = directory / "gate"
    make(server, name, pool, "hold", [str(gate)], every=0.02, skip_if_running=True, start=True)
    view = wait_until(lambda: (lambda v: v if v["skipped"] >= 3 else None)(server.get(url(name))))
    assert view["runs"] == 1
    gate.touch()
    wait_until(lambda: server.get(url(name))["runs"] >= 3)
    cancel(server, name)


def test_without_its_pool_the_error_is_kept_and_it_goes_on(server, name):
    make(server, name, name, every=0.02, start=True)
    view = wait_until(lambda: (lambda v: v if v["failed"] >= 2 else None)(server.get(url(name))))
    assert view["runs"] == 0 and view["last_task"] is None
    assert view["last_error"]["code"] == "not_found"
    assert view["last_error"]["detail"] == f'there is no pool "{name}"'
    make_pool(server, name)
    view = wait_until(lambda: (lambda v: v if v["runs"] >= 2 else None)(server.get(url(name))))
    assert view["last_error"]["code"] == "not_found" and view["state"] == "waiting"
    assert server.call("DELETE", pool_url(name)).status == 204
    failed = server.get(url(name))["failed"]
    wait_until(lambda: server.get(url(name))["failed"] > failed)
    cancel(server, name)
    view = make(server, name + ".once", "no-such-pool", after=0, start=True)
    view = server.wait_for(url(name + ".once"), state="done")
    assert (view["runs"], view["failed"]) == (0, 1)


def test_time_limit(server, name, pool, directory):
    make(server, name, pool, "hold", [str(directory / "gate")], after=0, time_limit=0.05,
         start=True)
    task = server.wait_for(url(name), state="done")["last_task"]
    assert server.post(f"/v1/tasks/{task}/wait")["state"] == "timed_out"


def test_list(start):
    server = start(config=CONFIG)
    for one in "bca":
        make(server, one, "p", after=1)
    page = server.get("/v1/timers?limit=2")
    assert [view["name"] for view in page["timers"]] == ["a", "b"]
    page = server.get(f"/v1/timers?limit=2&cursor={page['cursor']}")
    assert [view["name"] for view in page["timers"]] == ["c"] and page["cursor"] is None


def test_put_again(server, name):
    body = {"pool": "p", "function": "f", "every": 60, "repeat": 5}
    assert server.call("PUT", url(name), body).status == 201
    assert server.call("PUT", url(name), body).status == 200
    for change, word in (({"pool": "q"}, "pool"), ({"function": "g"}, "function"),
                         ({"args": [1]}, "call"), ({"every": 61}, "every"),
                         ({"repeat": 6}, "repeat"), ({"skip_if_running": True}, "skip_if_running")):
        problem = refused(server.call("PUT", url(name), {**body, **change}), 409, "conflict")
        assert word in problem["detail"]
    refused(server.call("PUT", url(name), {"pool": "p", "function": "f", "after": 60}), 409,
            "conflict")
    assert server.call("DELETE", url(name)).status == 204


# ---- cron ------------------------------------------------------------------------------------

def test_the_next_time_of_a_cron_expression(server, name):
    now = datetime.now(timezone.utc)
    view = make(server, name, "p", cron="30 4 * * *", start=True)
    assert (view["cron"], view["time_zone"], view["state"]) == ("30 4 * * *", "UTC", "waiting")
    expected = now.replace(hour=4, minute=30, second=0, microsecond=0)
    if expected <= now:
        expected += timedelta(days=1)
    assert moment(view["next"]) == expected
    view = make(server, name + ".2", "p", cron="@yearly", start=True)
    assert moment(view["next"]).timetuple()[1:6] == (1, 1, 0, 0, 0)
    view = make(server, name + ".3", "p", cron="0 0 29 2 *", start=True)
    assert moment(view["next"]).strftime("%m-%d") == "02-29"


def test_cron_by_the_zone_of_the_server(directory, monkeypatch, start):
    monkeypatch.setenv("TZ", "Asia/Kolkata")  # half an hour off, and never turned
    server = start()
    view = make(server, "t", "p", cron="0 12 * * *", time_zone="local", start=True)
    assert (moment(view["next"]).hour, moment(view["next"]).minute) == (6, 30)
    view = make(server, "u", "p", cron="0 12 * * *", time_zone="UTC", start=True)
    assert (moment(view["next"]).hour, moment(view["next"]).minute) == (12, 0)
    assert directory


def test_cron_comes_at_its_minute(server, name, pool):
    view = make(server, name, pool, cron="* * * * *", start=True)
    due = seconds_from_now(view["next"])
    assert -1 < due <= 60
    wait_until(lambda: server.get(url(name))["runs"], patience=75 * SLOWNESS)
    view = server.get(url(name))
    assert 0 <= (moment(view["last_run"]).timestamp() + 0.001) % 60 < 2 * SLOWNESS
    cancel(server, name)


# ---- bad input -------------------------------------------------------------------------------

BAD = [
    *[("pool", value) for value in (1, "", None, "x" * 256)],
    *[("function", value) for value in (1, "", None, "x" * 256)],
    *[("args", value) for value in (1, "x", None, {})],
    *[("kwargs", value) for value in (1, "x", None, [])],
    *[("time_limit", value) for value in (0, "1", -1)],
    *[("after", value) for value in (-1, "1", None, 31536001, True)],
    *[("every", value) for value in (0, 0.0009, -1, "1", None)],
    *[("cron", value) for value in (
        "", 5, None, "* * * *", "60 * * * *", "* * * * mond", "0 0 31 2 *", "@reboot", "x" * 256,
        "* * * * *\0")],
    *[("time_zone", value) for value in ("", "Europe/Berlin", "utc", 1, "UTC")],
    *[("repeat", value) for value in (0, -1, 1.5, "1", 1 << 40)],
    ("start", 1), ("start", "true"), ("skip_if_running", 1), ("colour", "red"), ("daemon", True),
]


@pytest.mark.parametrize("field, value", BAD, ids=lambda value: repr(value)[:30])
def test_bad_fields_are_named(server, name, field, value):
    body = {"pool": "p", "function": "f", "every": 60, field: value}
    if field in ("after", "cron"):
        del body["every"]
    problem = refused(server.call("PUT", url(name), body), 400, "invalid_argument", field)
    assert problem["expected"] and server.call("GET", url(name)).status == 404


def test_a_bad_cron_expression_names_its_part(server, name):
    body = {"pool": "p", "cron": "0 25 * * *"}
    problem = refused(server.call("PUT", url(name), body), 400, "invalid_argument", "cron")
    assert problem["detail"] == 'cron: the hour "25": expected 0 to 23, ranges, lists, * and steps'
    body["cron"] = "0 0 30 feb *"
    assert "never does" in refused(server.call("PUT", url(name), body), 400, "invalid_argument",
                                   "cron")["detail"]


def test_fields_that_do_not_go_together(server, name):
    for more, field in (({}, "after"), ({"after": 1, "every": 1}, "every"),
                        ({"every": 1, "cron": "@daily"}, "cron"),
                        ({"after": 1, "repeat": 2}, "repeat"),
                        ({"every": 1, "time_zone": "UTC"}, "time_zone")):
        body = {"pool": "p", "function": "f", **more}
        refused(server.call("PUT", url(name), body), 400, "invalid_argument", field)
    refused(server.call("PUT", url(name), {"after": 1}), 400, "invalid_argument", "pool")


@pytest.mark.parametrize("operation", ["start", "cancel"])
def test_operations(server, name, operation):
    refused(server.call("POST", url(name, operation)), 404, "not_found")
    make(server, name, "p", after=HOUR)
    refused(server.call("POST", url(name, operation), {"x": 1}), 400, "invalid_argument", "x")


def test_two_thousand_timers(start):
    server = start(config=CONFIG)
    pool = make_pool(server, "p", workers=1)
    with server.connect() as connection:
        for i in range(2000):
            connection.send("PUT", url(f"t{i}"), {"pool": pool, "function": "echo", "after": 0.3,
                                                  "start": True})
            if i % 50 == 49:
                assert all(connection.answer(check=False).status == 201 for _ in range(50))
    wait_until(lambda: server.get(pool_url(pool))["tasks"]["succeeded"] == 2000,
               patience=60 * SLOWNESS)
    assert all(server.get(url(f"t{i}"))["state"] == "done" for i in range(0, 2000, 100))


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=lambda value: repr(value)[:40])
def test_bodies_that_are_no_object(server, name, body):
    with server.connect() as connection:
        answer = connection.call("PUT", url(name), body)
    assert (answer.status, answer.code) == (400, "invalid_argument"), answer
    assert server.call("GET", url(name)).status == 404
