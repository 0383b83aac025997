# SPDX-License-Identifier: Apache-2.0
"""
The API against its own description: every operation of the OpenAPI document is called with a real host behind it, and each answer
held against the schema that the document gives for it.
"""
import re
import uuid

import jsonschema
import openapi_spec_validator
import pytest

from carreld import PASSWORD
from test_desks import ECHO, office, pytestmark  # noqa: F401


class Held:
    """A caller whose answers are held against the document."""

    def __init__(self, caller, document, called):
        self.caller, self.document, self.called = caller, document, called
        self.paths = sorted(((re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "$"), item)
                             for path, item in document["paths"].items()), key=lambda each: each[0].pattern.count("[^/]+"))

    def operation(self, method, path):
        for pattern, item in self.paths:
            if pattern.match(path.partition("?")[0]) and method.lower() in item:
                return item[method.lower()]
        raise AssertionError(f"{method} {path} is not described")

    def __call__(self, method, path, expected=None, **more):
        operation = self.operation(method, path)
        answer = self.caller.request(method, path, **more)
        responses = operation["responses"]
        described = responses.get(str(answer.status_code))
        if described is None:
            assert answer.status_code >= 400, f"{method} {path}: {answer.status_code} is not described"
            described = self.document["components"]["responses"]["Error"]
        elif answer.status_code < 400:
            self.called.add(operation["operationId"])
        self.check(answer, described, f"{method} {path}")
        if expected is not None:
            assert answer.status_code == expected, f"{method} {path}: {answer.text}"
        return answer

    @staticmethod
    def check(answer, described, where):
        content = described.get("content")
        if not content:
            assert not answer.content, f"{where}: {answer.text}"
            return
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in content, f"{where}: {kind}"
        if "schema" in content[kind]:
            jsonschema.Draft202012Validator(content[kind]["schema"]).validate(answer.json())


@pytest.fixture
def document(web):
    return web.browser().get("/openapi.json").json()


def test_what_no_name_says_is_described(document):
    answer = document["paths"]["/images/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert "as it was uploaded" in answer["properties"]["sha256"]["description"]


@pytest.fixture
def held(web, visit, document):
    called = set()

    def make(name, role="user"):
        return Held(visit(name, role), document, called)
    make.called = called
    return make


def test_document_is_one(document):
    openapi_spec_validator.validate(document)
    assert document["info"]["title"] == "Carrel"


def walk_things(admin):
    """Each kind made, read, listed, changed; removed in the end."""
    made = {}

    def make(kind, **fields):
        made[kind] = admin("POST", f"/{kind}", 201, json=fields).json()["id"]
        return made[kind]
    make("hosts", id="desk2", address="desk2.example")
    setting = admin("PATCH", "/settings/pools.left-minutes", 200, json={"value": 60}).json()
    assert (setting["value"], setting["default"], setting["unit"]) == (60, 10, "minutes")
    admin("POST", "/settings/pools.left-minutes/reset", 200, json={})
    user = make("users", name="carl", password=PASSWORD)
    group = make("groups", name="sales")
    network = make("networks", name="lan", type="nat")
    make("images", name="disc", type="iso")
    policy = make("policies", name="strict", clipboard="none")
    template = make("templates", name="office pc", memory=64, vcpus=1, firmware="bios",
                    disks=[{"type": "disk", "size": 1 << 30}], nics=[{"network": network}])
    pool = make("pools", name="everybody", template=template, type="persistent", size=3, policy=policy)
    desktop = make("desktops", name="pc", memory=64, vcpus=1)
    make("assignments", user=user, pool=pool)
    admin("POST", f"/groups/{group}/add-member", 200, json={"user": user})
    admin("POST", f"/groups/{group}/remove-member", 200, json={"user": user})
    admin("POST", f"/desktops/{desktop}/want", 200, json={"wanted": "stopped"})
    admin("POST", f"/desktops/{desktop}/release", 200, json={})
    taken = admin("POST", f"/pools/{pool}/take", json={"user": user})
    if taken.status_code == 200:  # when the daemon has made one already
        admin("POST", f"/desktops/{taken.json()['id']}/release", 200, json={})
    admin("POST", "/audit/prune", 200, json={"before": 1, "keep": 1000})
    changes = {"hosts": {"maintenance": True}, "users": {"full_name": "Carl C."}, "groups": {"description": "they sell"},
               "networks": {"isolated": True}, "images": {"description": "a disc"}, "policies": {"clipboard": "both"},
               "templates": {"memory": 128}, "pools": {"size": 0, "spares": 0}, "desktops": {"memory": 128}}
    for kind, fields in changes.items():
        admin("PATCH", f"/{kind}/{made[kind]}", 200, json=fields)
    for kind in [*made, "settings"]:
        assert admin("GET", f"/{kind}", 200).json()["count"] >= 1
        admin("GET", f"/{kind}/{made.get(kind, 'pools.left-minutes')}", 200)
        admin("GET", f"/{kind}/{uuid.uuid4()}", 404)
    return made


def test_things(held):
    admin = held("ada", "admin")
    made = walk_things(admin)
    for kind in ("assignments", "groups", "desktops", "hosts", "images"):
        admin("DELETE", f"/{kind}/{made[kind]}", 204)
    wanted = {operation["operationId"] for path, item in admin.document["paths"].items()
              for operation in item.values() if operation.get("tags")}
    # in use, as desktops of the pool may be there by now; takePool where there is none yet
    wanted -= {"deleteUser", "deleteNetwork", "deletePolicy", "deleteTemplate", "deletePool", "takePool"}
    own = {"setPassword", "removeTotp", "getLive", "controlDesktop", "listSnapshots", "getScreen", "connect", "getViewerFile",
           "uploadImage"}
    assert wanted - own - held.called == set()


def test_people(held, web, console):
    anna = held("anna")
    anna("GET", "/session", 200)
    anna("GET", "/sessions", 200)
    anna("GET", "/my", 200)
    anna("GET", "/jobs", 200)
    begun = anna("POST", "/session/totp", 200, json={"password": PASSWORD}).json()
    anna("PUT", "/session/totp", 400, json={"secret": begun["secret"], "code": "000000"})
    other = held("anna")
    ids = [each["id"] for each in anna("GET", "/sessions", 200).json()["items"]]
    mine = anna("GET", "/session", 200).json()["id"]
    anna("DELETE", f"/sessions/{next(each for each in ids if each != mine)}", 204)
    other("GET", "/session", 401)
    me = anna("GET", "/session", 200).json()["user"]
    anna("PUT", f"/users/{me}/password", 204, json={"old": PASSWORD, "new": "another one, and long"})
    anna("POST", "/session", 201, json={"name": "anna", "password": "another one, and long", "client": "api"})
    anna("POST", "/session/code", json={"challenge": "x" * 32, "code": "123456"})
    anna("POST", f"/watch/{uuid.uuid4()}", 404, json={"agreed": True})
    anna("DELETE", f"/watch/{uuid.uuid4()}", 404)
    anna("DELETE", f"/jobs/{uuid.uuid4()}", 404)
    anna("GET", "/openapi.json", 200)
    anna("GET", "/host", 403)
    anna("GET", "/audit", 403)
    anna("DELETE", "/session", 204)


def test_house(held):
    admin = held("ada", "admin")
    admin("GET", "/host", 200)
    admin("GET", "/host/orphans", 200)
    assert admin("GET", "/audit?limit=5", 200).json()["items"]
    admin("GET", "/audit?column=command&value=user.create", 200)


def test_desktop(office, held):  # noqa: F811
    anna, operator = held("anna"), held("olga", "operator")
    desktop = office.annas
    answer = anna("POST", f"/desktops/{desktop}/connection", 201, json={})
    assert answer.json()["tunnel"] == f"/tunnel/{answer.json()['ticket']}"
    anna("GET", f"/desktops/{desktop}/desktop.vv", 200)
    live = anna("GET", f"/desktops/live?id={desktop}", 200).json()
    assert live[desktop]["state"] in ("preparing", "starting", "running")
    anna("GET", f"/desktops/{desktop}/snapshots", 403)
    operator("GET", f"/desktops/{desktop}/snapshots", 200)
    while (answer := anna("GET", f"/desktops/{desktop}/screen.png")).status_code == 429:
        assert answer.json()["error"]["code"] == "busy" and "Retry-After" in answer.headers
    assert answer.content.startswith(b"\x89PNG")
    assert anna("POST", f"/desktops/{desktop}/actions/stop", json={}).status_code in (202, 204)
    anna("POST", f"/desktops/{desktop}/actions/explode", 400, json={})
    anna("POST", f"/desktops/{uuid.uuid4()}/actions/start", 404, json={})
    image = operator("POST", "/images", 201, json={"name": "another", "type": "disk"}).json()["id"]
    job = operator("PUT", f"/images/{image}/content", 202, data=ECHO).json()["job"]
    assert job in [each["id"] for each in operator("GET", "/jobs", 200).json()["items"]]
    anna("PUT", f"/images/{image}/content", data=ECHO)
