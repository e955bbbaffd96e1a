"""Reader-writer locks over HTTP."""


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer


def test_shared_by_many_or_exclusive_by_one(server, name):
    url = f"/v1/rwlocks/{name}"
    readers = [server.post(url + "/acquire", mode="shared") for _ in range(3)]
    view = server.get(url)
    assert (view["mode"], view["shared"], len(view["holders"])) == ("shared", 3, 3)
    assert {one["mode"] for one in view["holders"]} == {"shared"}
    refused(server.call("POST", url + "/acquire", {"timeout": 0}), 409, "timeout")
    writer = server.send("POST", url + "/acquire", {})
    server.wait_for(url, waiters=1)
    late = server.send("POST", url + "/acquire", {"mode": "shared"})
    view = server.wait_for(url, waiters=2)
    assert [one["mode"] for one in view["queue"]] == ["exclusive", "shared"]
    for reader in readers:
        server.post(url + "/release", token=reader["token"])
    grant = writer.answer().json
    assert grant["mode"] == "exclusive" and server.get(url)["mode"] == "exclusive"
    assert late.is_quiet(0.05)
    server.post(url + "/release", token=grant["token"])
    server.post(url + "/release", token=late.answer().json["token"])
    assert server.get(url)["mode"] == "free"


def test_upgrade_is_refused(server, name):
    url = f"/v1/rwlocks/{name}"
    token = server.post(url + "/acquire", mode="shared", owner="ann")["token"]
    refused(server.call("POST", url + "/acquire", {"owner": "ann"}), 409, "upgrade_refused")
    server.post(url + "/release", token=token, owner="ann")


def test_bad_modes_are_named(server, name):
    for mode in ("both", "", 7, None, "SHARED"):
        answer = server.call("POST", f"/v1/rwlocks/{name}/acquire", {"mode": mode})
        refused(answer, 400, "invalid_argument")
        assert answer.json["field"] == "mode"
    refused(server.call("POST", f"/v1/locks/{name}/acquire", {"mode": "shared"}), 400,
            "invalid_argument")


def test_a_client_that_leaves_lets_the_readers_behind_it_in(server, name):
    url = f"/v1/rwlocks/{name}"
    token = server.post(url + "/acquire", mode="shared")["token"]
    writer = server.send("POST", url + "/acquire", {})
    server.wait_for(url, waiters=1)
    reader = server.send("POST", url + "/acquire", {"mode": "shared"})
    server.wait_for(url, waiters=2)
    writer.close()
    assert reader.answer().status == 200
    server.post(url + "/release", token=token)


def test_death_of_a_writer_is_told_and_of_a_reader_not(server, name):
    url = f"/v1/rwlocks/{name}"
    for mode, died in (("exclusive", True), ("shared", False)):
        session = server.call("POST", "/v1/sessions", {}).json["id"]
        server.post(url + "/acquire", session=session, mode=mode)
        waiter = server.send("POST", url + "/acquire", {})
        server.wait_for(url, waiters=1)
        assert server.call("DELETE", f"/v1/sessions/{session}").status == 204
        grant = waiter.answer().json
        assert grant["owner_died"] is died
        server.post(url + "/release", token=grant["token"])
