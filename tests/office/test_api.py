# SPDX-License-Identifier: Apache-2.0
"""The API over HTTPS, with a real carreld behind it: signing in, reading, changing, and what is refused."""
import uuid

import pytest

from carreld import PASSWORD


def error_of(answer):
    return answer.json()["error"]


def test_browser_signs_in_and_out(web, console):
    console.make("user", name="anna", password=PASSWORD)
    browser = web.browser()
    assert browser.get("/session").status_code == 401
    answer = browser.post("/session", json={"name": "anna", "password": PASSWORD})
    assert answer.status_code == 201 and answer.json() == {"step": "done"}
    cookie = answer.headers["Set-Cookie"]
    for word in ("__Host-carrel=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in cookie
    who = browser.get("/session").json()
    assert (who["name"], who["role"]) == ("anna", "user")
    browser.headers["X-Carrel-CSRF"] = who["csrf"]
    assert browser.delete("/session").status_code == 204
    assert browser.get("/session").status_code == 401


def test_wrong_password_is_told_from_over_session(web, console):
    console.make("user", name="anna", password=PASSWORD)
    answer = web.browser().post("/session", json={"name": "anna", "password": "not it"})
    assert answer.status_code == 401 and error_of(answer)["code"] == "sign-in"
    assert "Set-Cookie" not in answer.headers
    assert "not it" not in web.log()


def test_script_signs_in_with_token(visit):
    script = visit("anna", client="api")
    assert script.get("/session").json()["name"] == "anna"
    assert not script.cookies


def test_too_much_at_once_is_told_when_to_go_on(visit):
    script = visit("anna", client="api")
    answers = [script.post("/groups", json={"name": "mine"}) for _ in range(200)]
    assert answers[0].status_code == 403
    late = answers[-1]
    assert late.status_code == 429 and error_of(late)["code"] == "busy" and "at once" in error_of(late)["message"]
    assert int(late.headers["Retry-After"]) > 0
    assert script.get("/session").status_code == 200


def test_cookie_alone_changes_nothing(visit, console):
    admin = visit("ada", "admin")
    for proof in (None, "", "guess"):
        admin.headers["X-Carrel-CSRF"] = proof
        answer = admin.post("/groups", json={"name": "sales"})
        assert answer.status_code == 403 and "X-Carrel-CSRF" in error_of(answer)["message"]
    assert console.list("group") == []


def test_thing_is_made_read_changed_and_removed(visit):
    admin = visit("ada", "admin")
    made = admin.post("/groups", json={"name": "sales", "description": "they sell"})
    assert made.status_code == 201, made.text
    group = made.json()
    assert made.headers["Location"] == f"/api/v1/groups/{group['id']}"
    assert made.headers["ETag"] == f'"{group["revision"]}"'
    assert admin.get(f"/groups/{group['id']}").json() == group
    assert admin.get("/groups/name:sales").json() == group
    changed = admin.patch(f"/groups/{group['id']}", json={"name": "sellers"}, headers={"If-Match": made.headers["ETag"]})
    assert changed.status_code == 200 and changed.json()["name"] == "sellers"
    late = admin.patch(f"/groups/{group['id']}", json={"name": "buyers"}, headers={"If-Match": made.headers["ETag"]})
    assert late.status_code == 412 and error_of(late)["code"] == "changed" and "ada" in error_of(late)["message"]
    assert admin.delete(f"/groups/{group['id']}").status_code == 204
    assert admin.get(f"/groups/{group['id']}").status_code == 404


def test_settings(visit, console):
    admin, other = visit("ada", "admin"), visit("olga", "operator")
    every = admin.get("/settings").json()["items"]
    assert [each["id"] for each in every] == ["desktops.shut-down-seconds", "memory.overcommit-percent", "pools.left-minutes"]
    for each in every:
        assert each["min"] <= each["value"] == each["default"] <= each["max"] and each["title"] and each["about"] and each["unit"]
    promisable = console.GetHost()["memory_promisable"]
    seen = admin.get("/settings/memory.overcommit-percent")
    changed = admin.patch("/settings/memory.overcommit-percent", json={"value": 200}, headers={"If-Match": seen.headers["ETag"]})
    assert changed.status_code == 200 and changed.json()["value"] == 200
    assert 1.9 * promisable < console.GetHost()["memory_promisable"] <= 2 * promisable  # at once
    late = admin.patch("/settings/memory.overcommit-percent", json={"value": 300}, headers={"If-Match": seen.headers["ETag"]})
    assert late.status_code == 412 and "ada" in error_of(late)["message"]
    assert other.get("/settings/memory.overcommit-percent").json()["value"] == 200
    assert other.patch("/settings/memory.overcommit-percent", json={"value": 100}).status_code == 403
    assert admin.post("/settings/memory.overcommit-percent/reset").status_code == 200
    assert admin.get("/settings/memory.overcommit-percent").json()["value"] == 100
    lines = admin.get("/audit?column=thing&value=memory.overcommit-percent").json()["items"]
    assert [(each["command"], each["actor_name"], each.get("code") is None) for each in lines] == [
        ("setting.reset", "ada", True), ("setting.change", "ada", False), ("setting.change", "ada", True)]
    assert '"value":200' in lines[2]["details"]


@pytest.mark.parametrize("body", [{"value": 99}, {"value": 401}, {"value": -1}, {"value": 1 << 40}, {"value": "200"}, {"value": None}, {"value": 1.5}, {}])
def test_setting_out_of_range(visit, body):
    answer = visit("ada", "admin").patch("/settings/memory.overcommit-percent", json=body)
    assert answer.status_code == 400 and error_of(answer)["field"] == "value", answer.text


def test_unknown_setting(visit):
    admin = visit("ada", "admin")
    assert admin.patch("/settings/site.name", json={"value": 1}).status_code == 404
    assert admin.post("/settings/site.name/reset").status_code == 404
    assert admin.get("/settings/site.name").status_code == 404


def test_members_by_verbs(visit, console):
    admin = visit("ada", "admin")
    anna = console.make("user", name="anna")
    group = admin.post("/groups", json={"name": "sales"}).json()["id"]
    answer = admin.post(f"/groups/{group}/add-member", json={"user": anna})
    assert answer.status_code == 200 and answer.json()["sequence"] > 0
    assert [each["user"] for each in admin.get(f"/groups/{group}").json()["members"]] == [anna]


def test_pages_go_on_where_they_ended(visit, console):
    operator = visit("olga", "operator")
    for i in range(7):
        console.make("group", name=f"group {i}")
    names, after = [], {}
    while True:
        answer = operator.get("/groups", params={"limit": 3, **after})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["count"] == 7
        names += [each["name"] for each in page["items"]]
        if not page["next"]:
            break
        after = {"after": page["next"]}
    assert names == [f"group {i}" for i in range(7)]


def test_search(visit, console):
    admin = visit("ada", "admin")
    for name in ("Büro", "BÜRO 2", "100%", "a_b"):
        console.make("desktop", name=name, memory=64, vcpus=1)

    def found(kind="desktops", **more):
        answer = admin.get(f"/{kind}", params=more)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["count"] >= len(page["items"])
        return [each["name"] for each in page["items"]]
    assert found(search="büro") == ["Büro", "BÜRO 2"] and found(search=" ÜRO 2 ") == ["BÜRO 2"]
    assert found(search="%") == ["100%"] and found(search="_") == ["a_b"] and found(search="*") == []
    assert found(search="' OR 1=1 --") == [] and found(search="") == ["100%", "a_b", "Büro", "BÜRO 2"]
    first = admin.get("/desktops", params={"search": "B", "limit": 2}).json()
    assert first["count"] == 3 and first["next"] and [each["name"] for each in first["items"]] == ["a_b", "Büro"]
    assert found(search="B", limit=2, after=first["next"]) == ["BÜRO 2"]
    assert found(search="b", filter="pool") == ["a_b", "Büro", "BÜRO 2"]
    admin.patch(f"/users/{console.find('user', 'ada')['id']}", json={"full_name": "Ada Lövgren"})
    assert found("users", search="LÖV") == ["ada"]
    ids = [each["id"] for each in first["items"]]
    assert found(ids=ids) == ["a_b", "Büro"] and found(ids=[ids[1], "nobody", '"]']) == ["Büro"]


@pytest.mark.parametrize("search", ["a\0b", "a" * 10_240, "a" * 129, "ü" * 129])
def test_search_that_no_name_holds(visit, search):
    answer = visit("ada", "admin").get("/desktops", params={"search": search})
    assert answer.status_code == 400 and error_of(answer)["field"] in ("search", "query"), answer.text


def test_what_has_no_names_is_not_searched(visit):
    admin = visit("ada", "admin")
    for kind in ("assignments", "settings", "hosts"):
        assert admin.get(f"/{kind}", params={"search": "a"}).status_code == 400


def test_user_sees_no_other(visit, console):
    anna = visit("anna")
    other = console.make("user", name="bert")
    assert anna.get(f"/users/{other}").status_code == 404
    assert [each["name"] for each in anna.get("/users").json()["items"]] in ([], ["anna"])
    desktop = console.make("desktop", name="bert's", memory=512, vcpus=1)
    for path in (f"/desktops/{desktop}", f"/desktops/{desktop}/desktop.vv", f"/desktops/{desktop}/screen.png"):
        assert anna.get(path).status_code == 404, path
    assert anna.get(f"/desktops/{desktop}/snapshots").status_code in (403, 404)
    assert anna.post(f"/desktops/{desktop}/connection", json={}).status_code == 404
    assert anna.get("/desktops/live", params={"id": desktop}).json() == {}


@pytest.mark.parametrize("body, field", [
    ({}, "name"),
    ({"name": 7}, "name"),
    ({"name": "x" * 10_000}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "fdp.\u202eexe"}, "name"),
    ({"name": "a", "colour": "red"}, "colour"),
    ({"name": "a", "id": "not-a-uuid"}, "id"),
    ({"name": None}, "name"),
    ({"name": ["a"]}, "name"),
])
def test_bad_field_is_named(visit, body, field):
    answer = visit("ada", "admin").post("/groups", json=body)
    assert answer.status_code == 400, answer.text
    assert error_of(answer)["code"] == "invalid" and error_of(answer)["field"] == field
    assert error_of(answer)["message"].startswith(f"{field}: ")


def test_field_within_records_is_named(visit):
    body = {"name": "a", "memory": 512, "vcpus": 1, "disks": [{"type": "disk", "size": 1 << 30}, {"type": "tape"}]}
    answer = visit("olga", "operator").post("/desktops", json=body)
    assert answer.status_code == 400 and error_of(answer)["field"] == "disks[1].type"


@pytest.mark.parametrize("text", [
    b"{", b"[]", b"null", b'{"name": "a", "name": "b"}', b'{"name": "a"} x', b"{'name': 'a'}", b'{"name": "\xff"}',
    b'{"name": "a" /* no */}', b'{"name": ' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"memory": 99999999999999999999}',
    b'{"memory": 1e400}', b'{"name": "\\ud800"}', b'{"name": "a\\u0000b"}', b"\x00", b'{"name": "a",}'])
def test_bad_json_is_refused(visit, text):
    admin = visit("ada", "admin")
    answer = admin.post("/groups", data=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and error_of(answer)["code"] == "invalid", answer.text
    assert admin.get("/session").status_code == 200


def test_form_of_another_site_is_refused(visit):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = visit("ada", "admin").post("/groups", data=b'{"name": "a"}', headers={"Content-Type": kind})
        assert answer.status_code == 400 and error_of(answer)["field"] == "Content-Type"


def test_who_may_not_is_told(visit):
    assert error_of(visit("anna").post("/groups", json={"name": "a"}))["code"] == "forbidden"
    assert visit("olga", "operator").post("/users", json={"name": "x"}).status_code == 403


def test_what_is_in_use_stays(visit, console):
    admin = visit("ada", "admin")
    anna = console.make("user", name="anna")
    desktop = console.make("desktop", name="pc", memory=512, vcpus=1)
    console.make("assignment", user=anna, desktop=desktop)
    answer = admin.delete(f"/users/{anna}")
    assert answer.status_code == 409 and error_of(answer)["code"] == "in-use" and "pc" in error_of(answer)["message"]


def test_password_is_hashed_by_daemon_and_seen_by_nobody(visit, web):
    admin = visit("ada", "admin")
    anna = admin.post("/users", json={"name": "anna", "password": PASSWORD})
    assert anna.status_code == 201 and "password" not in anna.json()
    web.signed_in("anna", PASSWORD)
    assert PASSWORD not in web.log()


def test_same_key_is_done_once(visit):
    admin = visit("ada", "admin")
    key, thing = str(uuid.uuid4()), str(uuid.uuid4())
    answers = [admin.post("/groups", json={"id": thing, "name": "sales"}, headers={"Idempotency-Key": key}) for _ in "ab"]
    assert [each.status_code for each in answers] == [201, 201]
    assert admin.get("/groups").json()["count"] == 1


def test_paths_and_methods(visit):
    admin = visit("ada", "admin")
    for path in ("/nothing", "/groups/", "/groups//x", "/users/%ff", "/../metrics", "/groups/a/b/c/d"):
        assert admin.get(path).status_code in (400, 404), path
    assert admin.put("/groups", json={}).status_code == 405
    for query in ("limit=0", "limit=x", "limit=1&limit=2", "colour=red", "filter=colour", "limit=5000"):
        assert admin.get(f"/groups?{query}").status_code == 400, query


def test_daemon_gone_and_back(visit, carreld, web):
    admin = visit("ada", "admin")
    carreld.stop()
    answer = admin.get("/groups")
    assert answer.status_code == 503 and error_of(answer)["code"] == "unavailable"
    assert admin.get("//").status_code == 200  # the page needs nobody
    carreld.start()
    assert admin.get("/groups").status_code == 200


def test_metrics(visit, web):
    assert web.browser().get("//metrics").status_code == 401
    assert visit("anna").get("//metrics").status_code == 403
    text = visit("ada", "admin").get("//metrics").text
    assert "# TYPE carrel_web_connections gauge" in text
    assert "carrel_" in text.split("# HELP carrel_web_connections ")[0], "the daemon's own come first"


def test_one_connection_for_many_requests(visit, web):
    admin = visit("ada", "admin")
    group = admin.post("/groups", json={"name": "sales"}).json()["id"]
    for _ in range(3):
        admin.get("/groups")
    admin.delete(f"/groups/{group}")
    admin.get("/groups")
    assert "carrel_web_connections_total 1\n" in admin.get("//metrics").text
