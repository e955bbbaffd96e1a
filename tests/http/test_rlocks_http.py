"""Reentrant locks over HTTP."""


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer


def test_an_owner_acquires_again_and_releases_as_often(server, name):
    url = f"/v1/rlocks/{name}"
    grants = [server.post(url + "/acquire", owner="ann") for _ in range(3)]
    token = grants[0]["token"]
    assert [one["depth"] for one in grants] == [1, 2, 3]
    assert {one["token"] for one in grants} == {token}
    assert server.get(url)["holders"][0]["depth"] == 3
    for left in (2, 1, 0):
        assert server.post(url + "/release", token=token, owner="ann") == {
            "name": name, "released": True, "depth": left}
    assert server.get(url)["locked"] is False
    late = server.call("POST", url + "/release", {"token": token, "owner": "ann"})
    refused(late, 409, "not_held")


def test_acquiring_again_does_not_shorten_the_lease(server, name):
    url = f"/v1/rlocks/{name}"
    assert server.post(url + "/acquire", owner="ann", lease=3600)["lease"] == 3600
    assert server.post(url + "/acquire", owner="ann")["lease"] == 3600
    assert server.get(url)["holders"][0]["lease_remaining"] > 3000
    assert server.post(url + "/acquire", owner="ann", lease=100)["lease"] == 100


def test_a_waiting_owner_is_granted_once(server, name):
    url = f"/v1/rlocks/{name}"
    token = server.post(url + "/acquire", owner="ann")["token"]
    waiter = server.send("POST", url + "/acquire", {"owner": "bob"})
    server.wait_for(url, waiters=1)
    server.post(url + "/acquire", owner="ann")
    server.post(url + "/release", token=token, owner="ann")
    assert waiter.is_quiet(0.05)
    server.post(url + "/release", token=token, owner="ann")
    grant = waiter.answer().json
    assert grant["depth"] == 1 and int(grant["token"]) > int(token)
    server.post(url + "/release", token=grant["token"], owner="bob")


def test_a_lost_answer_takes_one_acquire_back(server, name):
    url = f"/v1/rlocks/{name}"
    token = server.post(url + "/acquire", owner="ann")["token"]
    connection = server.send("POST", url + "/acquire", {"owner": "bob"})
    server.wait_for(url, waiters=1)
    connection.reset()
    server.wait_for(url, waiters=0)
    assert server.get(url)["holders"][0]["depth"] == 1
    server.post(url + "/release", token=token, owner="ann")
    assert server.get(url)["locked"] is False
