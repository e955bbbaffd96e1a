"""Semaphores over HTTP."""


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer


def test_permits_are_counted(server, name):
    url = f"/v1/semaphores/{name}"
    server.put(url, value=5)
    grants = [server.post(url + "/acquire", count=2) for _ in range(2)]
    assert [one["count"] for one in grants] == [2, 2]
    view = server.get(url)
    assert (view["value"], view["start"]) == (1, 5)
    assert [one["count"] for one in view["holders"]] == [2, 2]
    refused(server.call("POST", url + "/acquire", {"count": 2, "timeout": 0}), 409, "timeout")
    assert server.post(url + "/release", token=grants[0]["token"]) == {
        "name": name, "released": 1, "value": 2}
    assert server.post(url + "/release", token=grants[0]["token"])["value"] == 3
    refused(server.call("POST", url + "/release", {"token": grants[0]["token"]}), 409,
            "stale_token")
    assert server.post(url + "/release", token=grants[1]["token"], count=2)["value"] == 5


def test_who_wants_many_is_not_overtaken(server, name):
    url = f"/v1/semaphores/{name}"
    server.put(url, value=3)
    token = server.post(url + "/acquire")["token"]
    large = server.send("POST", url + "/acquire", {"count": 3})
    server.wait_for(url, waiters=1)
    small = server.send("POST", url + "/acquire", {})
    view = server.wait_for(url, waiters=2)
    assert [one["count"] for one in view["queue"]] == [3, 1]
    server.post(url + "/release", token=token)
    grant = large.answer().json
    assert small.is_quiet(0.05)
    server.post(url + "/release", token=grant["token"], count=3)
    assert small.answer().status == 200


def test_bounded_refuses_more_than_it_began_with(server, name):
    url = f"/v1/semaphores/{name}"
    server.put(url, value=2, bounded=True)
    refused(server.call("POST", url + "/release", {}), 409, "overflow")
    refused(server.call("POST", url + "/acquire", {"count": 3}), 400, "invalid_argument")
    token = server.post(url + "/acquire")["token"]
    server.post(url + "/release", token=token)
    assert server.get(url)["value"] == 2


def test_unbounded_takes_more_than_it_began_with(server, name):
    url = f"/v1/semaphores/{name}"
    server.put(url, value=0)
    waiter = server.send("POST", url + "/acquire", {"count": 3})
    server.wait_for(url, waiters=1)
    assert server.post(url + "/release", count=3)["value"] == 0
    assert waiter.answer().json["count"] == 3


def test_a_signal_is_consumed(server, name):
    url = f"/v1/semaphores/{name}"
    server.put(url, value=1, signal=True)
    session = server.call("POST", "/v1/sessions", {}).json["id"]
    grant = server.post(url + "/acquire", session=session)
    assert grant["lease"] is None
    assert server.get(url)["holders"] == []
    assert server.call("DELETE", f"/v1/sessions/{session}").status == 204
    assert server.get(url)["value"] == 0
    waiter = server.send("POST", url + "/acquire", {})
    server.wait_for(url, waiters=1)
    server.post(url + "/release")
    assert waiter.answer().status == 200
    assert server.get(url)["value"] == 0


def test_a_client_that_leaves_takes_no_permit(server, name):
    url = f"/v1/semaphores/{name}"
    token = server.post(url + "/acquire")["token"]
    waiter = server.send("POST", url + "/acquire", {})
    server.wait_for(url, waiters=1)
    waiter.reset()
    server.wait_for(url, waiters=0)
    server.post(url + "/release", token=token)
    assert server.get(url)["value"] == 1


def test_conflicts_name_what_differs(server, name):
    url = f"/v1/semaphores/{name}"
    server.put(url, value=2)
    answer = server.call("PUT", url, {"value": 3, "bounded": True})
    refused(answer, 409, "conflict")
    assert "value=2" in answer.json["detail"] and "value=3" in answer.json["detail"]
