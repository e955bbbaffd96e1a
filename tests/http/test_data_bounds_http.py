"""`max_bytes`: what does not fit into a client's buffer stays where it is; its length is told."""
import pytest


def refused(answer, needed):
    assert (answer.status, answer.code) == (413, "too_large"), answer
    assert answer.json["bytes"] == needed


@pytest.fixture(name="dict_")
def a_dict(server, name):
    path = f"/v1/dicts/{name}"
    server.post(path + "/set", key="one", text="x" * 100)
    server.post(path + "/set", key="two", base64="AAECAw==")
    return path


@pytest.fixture(name="list_")
def a_list(server, name):
    path = f"/v1/lists/{name}"
    server.post(path + "/extend", messages=[{"text": "x" * 100}, {"base64": "AAECAw=="}])
    return path


def test_what_is_popped_stays_if_it_is_too_long(server, dict_):
    before = server.get(dict_)
    refused(server.call("POST", dict_ + "/pop", {"key": "one", "max_bytes": 99}), 100)
    refused(server.call("POST", dict_ + "/popitem", {"max_bytes": 6}), 7)
    assert server.get(dict_) == before
    assert server.post(dict_ + "/popitem", max_bytes=7)["key"] == "two"
    assert server.post(dict_ + "/pop", key="one", max_bytes=100)["text"] == "x" * 100


def test_a_default_is_not_set_if_it_would_not_come_back(server, dict_):
    before = server.get(dict_)
    new = {"key": "new", "json": [1, 2], "max_bytes": 5}
    refused(server.call("POST", dict_ + "/setdefault", new), 6)
    refused(server.call("POST", dict_ + "/setdefault", {**new, "key": "one"}), 100)
    assert server.get(dict_) == before
    assert server.post(dict_ + "/setdefault", key="new", json=[1, 2], max_bytes=6)["created"]


@pytest.mark.parametrize("wrong", [-1, 1.5, "7", None, 2**53, [1]])
def test_what_is_no_bound(server, dict_, wrong):
    for call, body in (("/pop", {"key": "one"}), ("/popitem", {}),
                       ("/setdefault", {"key": "one", "json": 1})):
        answer = server.call("POST", dict_ + call, {**body, "max_bytes": wrong})
        assert (answer.status, answer.json["field"]) == (400, "max_bytes"), answer
    if wrong != "7":
        answer = server.call("GET", f"{dict_}/items?max_bytes={wrong}".replace(" ", ""))
        assert (answer.status, answer.json["field"]) == (400, "max_bytes"), answer


def test_a_page_ends_before_what_does_not_fit(server, dict_):
    server.post(dict_ + "/set", key="three", text="")
    refused(server.call("GET", dict_ + "/items?max_bytes=102"), 103)
    page = server.get(dict_ + "/items?max_bytes=109")
    assert [entry["key"] for entry in page["items"]] == ["one"]
    page = server.get(f"{dict_}/items?max_bytes=12&cursor={page['cursor']}")
    assert [entry["key"] for entry in page["items"]] == ["two", "three"]
    assert page["cursor"] is None
    assert len(server.get(dict_ + "/items?max_bytes=115")["items"]) == 3


def test_entries_without_their_values(server, dict_):
    page = server.get(dict_ + "/items?values=false&max_bytes=6")
    whole = server.get(dict_ + "/items?values=true")
    assert page == {"items": [
        {"key": "one", "type": "text", "bytes": 100, "version": whole["items"][0]["version"]},
        {"key": "two", "type": "bytes", "bytes": 4, "version": whole["items"][1]["version"]},
    ], "cursor": None}
    for wrong in ("0", "False", "falsehood"):
        answer = server.call("GET", f"{dict_}/items?values={wrong}")
        assert (answer.status, answer.json["field"]) == (400, "values"), answer
    answer = server.call("GET", dict_ + "/keys?values=false")
    assert (answer.status, answer.json["field"]) == (400, "values"), answer


def test_lists_have_bounds_too(server, list_):
    before = server.get(list_)
    refused(server.call("POST", list_ + "/pop", {"max_bytes": 3}), 4)
    refused(server.call("POST", list_ + "/pop", {"index": 0, "max_bytes": 99}), 100)
    refused(server.call("GET", list_ + "/items?max_bytes=99"), 100)
    assert server.get(list_) == before
    page = server.get(list_ + "/items?max_bytes=103")
    assert [item["text"] for item in page["items"]] == ["x" * 100]
    assert page["next"] == 1
    assert len(server.get(list_ + "/items?max_bytes=104")["items"]) == 2
    assert server.get(list_ + "/items?start=1&max_bytes=4")["next"] is None
    assert server.post(list_ + "/pop", max_bytes=4)["base64"] == "AAECAw=="
