"""What Chainlit writes is kept and read as it expects: by calls, and by a page it really serves."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
import warnings
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import socketio
from postgres import Postgres
from repository import HELPERS
from running import Running, running

from assistant.doors.chat.folder import configure_environment
from assistant.keeping.conversations import Conversations, open_conversations
from assistant.settings import Settings
from indexing.errors import NotTheirs, StoreError

SERVER = str(HELPERS / "kept_server.py")
PATIENCE_S = 30


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kept_in(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = replace(Settings(), index=tmp_path_factory.mktemp("kept") / "index")
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return replace(settings, database_url=server.new_database())
    return settings


@pytest.fixture(scope="module")
def kept(kept_in: Settings) -> Iterator[Conversations]:
    opened = open_conversations(kept_in)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def chainlit(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The names of Chainlit and of the data layer, imported where they may write."""
    root, before = tmp_path_factory.mktemp("chainlit"), logging.getLogger().handlers[:]
    configure_environment(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [
            import_module(name)
            for name in (
                *("chainlit.context", "chainlit.element", "chainlit.session", "chainlit.types"),
                *("chainlit.user", "assistant.doors.chat.data_layer"),
            )
        ]
    logging.getLogger().handlers[:] = before  # it adds one of its own
    names: dict[str, Any] = {}
    for module in found:  # in this order: the data layer has an `Element` of its own
        names = vars(module) | names
    return SimpleNamespace(**names)


class Layer:
    """Runs the calls of one test, in a session of somebody or outside any."""

    def __init__(self, names: SimpleNamespace, conversations: Conversations) -> None:
        self.names = names
        self.layer = names.DataLayer(conversations)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: asyncio.run(getattr(self.layer, method)(*args, **kwargs))

    def person(self) -> Any:
        return self.create_user(self.names.User(identifier=str(uuid.uuid4()), metadata={"a": 1}))

    def as_(self, user: Any, *calls: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
        """The calls, started at once as Chainlit starts them, in a session of `user`."""

        async def run() -> list[Any]:
            session = self.names.HTTPSession(id="s", client_type="webapp", user=user)
            self.names.context_var.set(self.names.ChainlitContext(session))
            return await asyncio.gather(*(asyncio.create_task(call()) for call in calls))

        return asyncio.run(run())


@pytest.fixture(scope="module")
def layer(chainlit: SimpleNamespace, kept: Conversations) -> Layer:
    return Layer(chainlit, kept)


def new_id() -> str:
    return str(uuid.uuid4())


def step(thread_id: str, **more: Any) -> dict[str, Any]:
    """As `Message.to_dict` makes it."""
    created_at = "2100-01-01T00:00:00.123456Z"
    return {
        "id": new_id(), "threadId": thread_id, "parentId": None, "createdAt": created_at,
        "command": None, "modes": None, "start": created_at, "end": created_at, "output": "Hello",
        "name": "Ann", "type": "user_message", "language": None, "streaming": False,
        "isError": False, "waitForAnswer": False, "metadata": {}, "tags": None,
    } | more  # fmt: skip


def test_a_user_is_made_once_and_found(layer: Layer) -> None:
    ann = layer.person()
    assert ann.metadata == {"a": 1}
    assert ann.createdAt.endswith("Z")
    assert layer.get_user(ann.identifier) == ann
    assert layer.get_user(new_id()) is None
    again = layer.create_user(layer.names.User(identifier=ann.identifier, metadata={}))
    assert (again.id, again.metadata) == (ann.id, {})


def test_a_thread_is_read_back_field_by_field(layer: Layer) -> None:
    ann, thread_id, names = layer.person(), new_id(), layer.names
    asked = step(thread_id, output="When?")
    tool = {
        "name": "Searched", "type": "tool", "id": new_id(), "threadId": thread_id,
        "parentId": asked["id"], "streaming": False, "metadata": {"icon": "search"}, "tags": ["t"],
        "input": "in", "isError": None, "output": "out", "createdAt": "2100-01-01T00:00:01Z",
        "start": None, "end": None, "language": "json", "defaultOpen": True, "autoCollapse": False,
        "showInput": False, "generation": {"model": "m"},
    }  # fmt: skip
    drawn = names.CustomElement(
        thread_id=thread_id, name="Answer", props={"n": [1, None]}, for_id=asked["id"]
    )
    file = names.File(
        thread_id=thread_id, name="a.pdf", path="/secret/a.pdf", mime="application/pdf",
        for_id=asked["id"], chainlit_key="key",
    )  # fmt: skip
    loose = names.CustomElement(thread_id=thread_id, name="Panel", props={})
    call = layer.layer
    layer.as_(
        ann,
        lambda: call.create_step(tool),
        lambda: call.create_step(asked),
        lambda: call.create_element(drawn),
        lambda: call.create_element(file),
        lambda: call.create_element(loose),
        lambda: call.update_thread(thread_id, name="When?", tags=["a"]),
    )
    given = names.Feedback(forId=asked["id"], value=0, threadId=thread_id, comment="No")
    feedback_id = layer.upsert_feedback(given)
    thread = layer.get_thread(thread_id)
    assert thread["userId"] == ann.id
    assert thread["userIdentifier"] == layer.get_thread_author(thread_id) == ann.identifier
    assert (thread["name"], thread["tags"], thread["metadata"]) == ("When?", ["a"], {})
    first, second = thread["steps"]
    said = {"forId": asked["id"], "id": feedback_id, "value": 0, "comment": "No"}
    assert {k: first[k] for k in asked} == asked
    assert first["feedback"] == said
    expected = tool | {"isError": False, "createdAt": "2100-01-01T00:00:01.000000Z"}
    assert {k: second[k] for k in tool} == expected
    assert second["feedback"] is None
    custom, pdf = thread["elements"]
    assert (custom["type"], custom["name"], custom["props"]) == ("custom", "Answer", drawn.props)
    assert (custom["id"], custom["forId"], custom["threadId"]) == (
        drawn.id, asked["id"], thread_id,
    )  # fmt: skip
    assert (pdf["type"], pdf["name"], pdf["mime"]) == ("file", "a.pdf", "application/pdf")
    assert (pdf["url"], pdf["chainlitKey"], pdf["props"]) == (None, None, {})
    assert "secret" not in str(pdf)
    assert layer.get_element(thread_id, drawn.id) == custom
    assert layer.get_element(new_id(), drawn.id) is None
    layer.as_(ann, lambda: call.delete_element(drawn.id, thread_id))
    assert layer.get_thread(thread_id)["elements"] == [pdf]
    assert layer.delete_feedback(feedback_id)
    assert layer.get_thread(thread_id)["steps"][0]["feedback"] is None


def test_writes_are_made_in_the_order_they_were_started(layer: Layer) -> None:
    ann, said = layer.person(), step(new_id())
    texts = [f"text {n}" for n in range(40)]
    call = layer.layer
    layer.as_(
        ann,
        lambda: call.create_step(said | {"output": ""}),
        *(lambda text=text: call.update_step(said | {"output": text}) for text in texts),
    )
    (only,) = layer.get_thread(said["threadId"])["steps"]
    assert only["output"] == texts[-1]
    gone = step(said["threadId"])
    layer.as_(
        ann,
        *(lambda: call.update_step(gone), lambda: call.update_step(gone)),
        lambda: call.delete_step(gone["id"]),
    )
    assert len(layer.get_thread(said["threadId"])["steps"]) == 1


def test_what_comes_before_the_first_message_waits_for_it(layer: Layer) -> None:
    ann, said = layer.person(), step(new_id())
    names = layer.names

    async def run() -> tuple[Any, Any]:
        session = names.WebsocketSession(
            id=new_id(), socket_id=new_id(), emit=print, emit_call=print, user_env={},
            client_type="webapp", thread_id=said["threadId"], user=ann,
        )  # fmt: skip
        names.context_var.set(names.ChainlitContext(session))
        await layer.layer.create_step(said)
        await layer.layer.update_step(said | {"output": "Changed"})
        before = await layer.layer.get_thread(said["threadId"])
        session.has_first_interaction = True
        await session.flush_method_queue()
        return before, await layer.layer.get_thread(said["threadId"])

    before, after = asyncio.run(run())
    assert before is None
    assert [s["output"] for s in after["steps"]] == ["Changed"]
    assert after["userId"] == ann.id


def test_threads_are_listed_page_by_page_without_their_steps(layer: Layer) -> None:
    ann, ben, names = layer.person(), layer.person(), layer.names
    made = []
    for n in range(5):
        said = step(new_id(), createdAt=f"2100-01-01T00:00:0{n}Z", output=f"100% of {n}")
        layer.as_(ann, lambda said=said: layer.layer.create_step(said))
        made.append(said)
    layer.upsert_feedback(names.Feedback(forId=made[1]["id"], value=0))

    def listed(first: int = 10, cursor: str | None = None, **filters: Any) -> Any:
        filters = {"userId": ann.id} | filters
        pagination = names.Pagination(first=first, cursor=cursor)
        return layer.list_threads(pagination, names.ThreadFilter(**filters)).to_dict()

    newest = [said["threadId"] for said in reversed(made)]
    one = listed(first=3)
    assert [t["id"] for t in one["data"]] == newest[:3]
    assert one["data"][0]["createdAt"] == "2100-01-01T00:00:04.000000Z"
    assert all(t["steps"] == [] for t in one["data"])
    assert one["pageInfo"]["hasNextPage"]
    two = listed(first=3, cursor=one["pageInfo"]["endCursor"])
    assert [t["id"] for t in two["data"]] == newest[3:]
    assert two["pageInfo"] == {"hasNextPage": False, "startCursor": None, "endCursor": None}
    assert [t["id"] for t in listed(search="100% OF 2")["data"]] == [made[2]["threadId"]]
    assert [t["id"] for t in listed(feedback=0)["data"]] == [made[1]["threadId"]]
    assert listed(feedback=1)["data"] == []
    assert listed(userId=ben.id)["data"] == []
    with pytest.raises(ValueError, match="one person"):
        listed(userId=None)


def test_a_thread_is_renamed_and_its_metadata_merged(layer: Layer) -> None:
    ann, thread_id = layer.person(), new_id()
    layer.update_thread(thread_id, name="First", user_id=ann.id)
    layer.update_thread(thread_id, metadata={"a": 1, "b": 2})
    layer.update_thread(thread_id, metadata={"a": None})
    thread = layer.get_thread(thread_id)
    assert (thread["name"], thread["metadata"], thread["userId"]) == ("First", {"b": 2}, ann.id)
    with pytest.raises(NotTheirs):
        layer.update_thread(thread_id, user_id=layer.person().id)
    layer.delete_thread(thread_id)
    assert layer.get_thread(thread_id) is None
    assert layer.get_thread_author(thread_id) == ""


def test_favorites_are_kept(layer: Layer) -> None:
    ann, said = layer.person(), step(new_id())
    call = layer.layer
    layer.as_(ann, lambda: call.create_step(said))
    layer.as_(ann, lambda: call.set_step_favorite(said, True))
    (found,) = layer.get_favorite_steps(ann.id)
    assert (found["id"], found["metadata"]) == (said["id"], {"favorite": True})
    layer.as_(ann, lambda: call.set_step_favorite(found, False))
    assert layer.get_favorite_steps(ann.id) == []


def test_a_session_cannot_write_to_another_persons_thread(
    layer: Layer, caplog: pytest.LogCaptureFixture
) -> None:
    ann, ben, hers = layer.person(), layer.person(), step(new_id(), output="Hers")
    call = layer.layer
    layer.as_(ann, lambda: call.create_step(hers))
    before = layer.get_thread(hers["threadId"])
    for somebody in (ben, None):
        layer.as_(
            somebody,
            lambda: call.update_step(hers | {"output": "x"}),
            lambda: call.create_step(step(hers["threadId"])),
            lambda: call.delete_step(hers["id"]),
            lambda: call.update_thread(hers["threadId"], name="x"),
        )
    assert layer.get_thread(hers["threadId"]) == before
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 8
    assert all("belongs to another person" in text for text in said)


def test_a_failure_in_a_session_is_logged_in_one_sentence_and_raised_elsewhere(
    chainlit: SimpleNamespace,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = replace(Settings(), index=tmp_path / "index")
    opened = open_conversations(settings)
    layer = Layer(chainlit, opened)
    with opened._database.writing() as connection:
        for table in ("elements", "feedback", "steps", "threads"):
            connection.exec_driver_sql(f"DROP TABLE dateline_{table}")
    said = step(new_id(), output="A private question")
    element = chainlit.CustomElement(
        thread_id=said["threadId"], name="Answer", props={"private": 1}, for_id=said["id"]
    )
    call = layer.layer
    layer.as_(
        None,
        lambda: call.create_step(said),
        lambda: call.update_step(said),
        lambda: call.delete_step(said["id"]),
        lambda: call.create_element(element),
        lambda: call.delete_element(element.id),
        lambda: call.update_thread(said["threadId"], name="A private question"),
    )
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == 6
    for record in logged:
        text = record.getMessage()
        assert "no such table" in text
        assert str(tmp_path) in text
        assert "private" not in text
        assert "\n" not in text
        assert record.exc_info is None
    for failing in (
        lambda: layer.update_thread(said["threadId"], name="x"),
        lambda: layer.get_thread(said["threadId"]),
        lambda: layer.get_thread_author(said["threadId"]),
        lambda: layer.delete_thread(said["threadId"]),
        lambda: layer.upsert_feedback(chainlit.Feedback(forId=said["id"], value=1)),
    ):
        with pytest.raises(StoreError, match="no such table"):
            failing()
    asyncio.run(layer.layer.close())


# A page that is really served


@pytest.fixture(scope="module")
def server(kept_in: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    given = [str(kept_in.index), *([kept_in.database_url] if kept_in.database_url else [])]
    with running([SERVER, *given], tmp_path_factory.mktemp("cwd")) as started:
        yield started
        printed = "".join(started.printed)
        assert "Traceback" not in printed, printed


class Browser:
    """One person's: what the page asks for, and a session of its socket."""

    def __init__(self, server: Running, name: str) -> None:
        self.http = httpx.Client(base_url=server.url, trust_env=False, timeout=PATIENCE_S)
        signed = self.http.post("/login", data={"username": name, "password": "right"})
        assert signed.status_code == 200
        self.url, self.events = server.url, list[tuple[str, Any]]()
        self.session = self.thread = ""
        self.socket = socketio.Client()

    def open(self, thread: str = "") -> None:
        """A new session, of a new conversation or a kept one."""
        self.session, self.thread, self.events = new_id(), thread or new_id(), []
        self.socket = socketio.Client(reconnection=False)
        self.socket.on("*", lambda event, data=None: self.events.append((event, data)))
        auth = {
            "clientType": "webapp", "sessionId": self.session, "threadId": self.thread,
            "userEnv": "{}", "chatProfile": "",
        }  # fmt: skip
        cookies = "; ".join(f"{k}={v}" for k, v in self.http.cookies.items())
        self.socket.connect(
            self.url, socketio_path="ws/socket.io", auth=auth, transports=["websocket"],
            headers={"Cookie": cookies},
        )  # fmt: skip
        self.socket.emit("connection_successful")
        if not thread:
            self.waits(lambda: ("new_message", "Welcome") in self.said())

    def said(self) -> list[tuple[str, str]]:
        return [(kind, data["output"]) for kind, data in self.events if "message" in kind]

    def waits(self, until: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := until()):
            assert time.monotonic() < deadline, self.events
            time.sleep(0.02)
        return found

    def asks(self, question: str, files: list[str] | None = None) -> dict[str, Any]:
        """Sends it, and returns the conversation once it is kept with its answer."""
        message = {"id": new_id(), "name": "x", "type": "user_message", "output": question}
        message["createdAt"] = "2020-01-01T00:00:00Z"
        references = [{"id": id_} for id_ in files or []]
        self.socket.emit("client_message", {"message": message, "fileReferences": references})
        return self.waits(lambda: self.kept(f"Answer to {question}"))

    def kept(self, last: str) -> dict[str, Any] | None:
        """The conversation, when its last message is this and everything was written."""
        got = self.http.get(f"/project/thread/{self.thread}")
        if got.status_code != 200:
            return None
        thread: dict[str, Any] = got.json()
        drawn = {e["forId"] for e in thread["elements"] if e["type"] == "custom"}
        messages = [s for s in thread["steps"] if s["type"] == "assistant_message"]
        welcomed = any(s["output"] == "Welcome" for s in thread["steps"])
        is_done = welcomed and all(s["end"] for s in thread["steps"])
        ended = messages and messages[-1]["output"] == last and messages[-1]["id"] in drawn
        return thread if ended and is_done else None

    def threads(self, **filters: Any) -> list[dict[str, Any]]:
        asked = {"pagination": {"first": 35}, "filter": filters}
        data: list[dict[str, Any]] = self.http.post("/project/threads", json=asked).json()["data"]
        return data

    def close(self) -> None:
        self.socket.disconnect()
        self.http.close()


@pytest.fixture
def sign_in(server: Running) -> Iterator[Callable[[], Browser]]:
    opened: list[Browser] = []

    def open_() -> Browser:
        opened.append(Browser(server, f"{new_id()}@example.org"))
        return opened[-1]

    yield open_
    for browser in opened:
        browser.close()


def test_a_conversation_is_kept_listed_rated_and_opened_again(
    sign_in: Callable[[], Browser],
) -> None:
    ann = sign_in()
    ann.open()
    assert ann.threads() == []  # nothing is kept of a page that was only looked at
    thread = ann.asks("When is it due?")
    kinds = [(s["type"], s["output"]) for s in thread["steps"] if s["type"] != "run"]
    assert kinds == [
        ("assistant_message", "Welcome"),
        ("user_message", "When is it due?"),
        ("tool", "5 articles"),
        ("assistant_message", "Answer to When is it due?"),
    ]
    by_type = {s["type"]: s for s in thread["steps"]}
    assert by_type["run"]["parentId"] == by_type["user_message"]["id"]
    assert by_type["tool"]["parentId"] == by_type["run"]["id"]
    assert by_type["tool"]["metadata"] == {"icon": "search"}
    answer = thread["steps"][-1]
    assert answer["metadata"]["answer"]["question"] == "When is it due?"
    (element,) = thread["elements"]
    assert (element["forId"], element["props"]) == (
        answer["id"], {"of": "When is it due?", "n": [1]},
    )  # fmt: skip
    assert [(t["id"], t["name"]) for t in ann.threads()] == [(ann.thread, "When is it due?")]

    rating = {"forId": answer["id"], "value": 1, "comment": "Good", "threadId": ann.thread}
    put = {"feedback": rating, "sessionId": ann.session}
    rated = ann.http.put("/feedback", json=put).json()
    step = ann.http.get(f"/project/thread/{ann.thread}").json()["steps"][-1]
    assert step["feedback"] == {
        "forId": answer["id"], "id": rated["feedbackId"], "value": 1, "comment": "Good",
    }  # fmt: skip
    assert len(ann.threads(feedback=1)) == 1
    assert ann.threads(feedback=0) == []
    named = {"threadId": ann.thread, "name": "Renamed"}
    assert ann.http.put("/project/thread", json=named).status_code == 200
    assert [t["name"] for t in ann.threads(search="WHEN is")] == ["Renamed"]
    assert ann.threads(search="% is") == []

    ann.socket.disconnect()
    ann.open(ann.thread)
    (resumed,) = ann.waits(lambda: [d for kind, d in ann.events if kind == "resume_thread"])
    assert [s["id"] for s in resumed["steps"]] == [s["id"] for s in thread["steps"]]
    assert resumed["elements"] == thread["elements"]
    assert resumed["steps"][-1]["feedback"]["value"] == 1
    longer = ann.asks("And where?")
    assert [s["output"] for s in longer["steps"] if s["type"] == "user_message"] == [
        "When is it due?", "And where?",
    ]  # fmt: skip
    assert [(t["id"], t["name"]) for t in ann.threads()] == [(ann.thread, "Renamed")]


def test_an_edited_question_is_kept_in_the_place_of_the_first(
    sign_in: Callable[[], Browser],
) -> None:
    ann = sign_in()
    ann.open()
    asked = next(s for s in ann.asks("One?")["steps"] if s["type"] == "user_message")
    ann.asks("Two?")
    ann.socket.emit("edit_message", {"message": asked | {"output": "Three?"}})
    thread = ann.waits(lambda: ann.kept("Answer to Three?"))
    messages = [s["output"] for s in thread["steps"] if "message" in s["type"]]
    assert messages == ["Welcome", "Three?", "Answer to Three?"]
    assert [e["props"]["of"] for e in thread["elements"]] == ["Three?"]


def test_an_attached_file_is_kept_by_its_name(sign_in: Callable[[], Browser]) -> None:
    ann = sign_in()
    ann.open()
    upload = {"file": ("A report.pdf", b"%PDF-1.4 secret", "application/pdf")}
    sent = ann.http.post("/project/file", params={"session_id": ann.session}, files=upload)
    thread = ann.asks("What does it say?", [sent.json()["id"]])
    file = next(e for e in thread["elements"] if e["type"] == "pdf")
    assert (file["name"], file["mime"], file["url"]) == ("A report.pdf", "application/pdf", None)
    user_message = next(s for s in thread["steps"] if s["type"] == "user_message")
    assert file["forId"] == user_message["id"]


def test_one_person_reaches_nothing_of_anothers(
    sign_in: Callable[[], Browser], server: Running
) -> None:
    ann, ben = sign_in(), sign_in()
    ann.open()
    thread = ann.asks("Hers?")
    (element,) = thread["elements"]
    ben.open()
    ben.asks("His?")
    at = f"/project/thread/{ann.thread}"
    for read in (at, f"{at}/element/{element['id']}"):
        assert ben.http.get(read).status_code == 401
    assert ben.threads(search="hers") == []
    assert [t["id"] for t in ben.threads(userId=thread["userId"])] == [ben.thread]
    rename = ben.http.put("/project/thread", json={"threadId": ann.thread, "name": "x"})
    delete = ben.http.request("DELETE", "/project/thread", json={"threadId": ann.thread})
    assert (rename.status_code, delete.status_code) == (401, 401)
    # Chainlit asks here for the session alone, and takes the thread from what is sent.
    forged = element | {"props": {"of": "forged"}}
    for method in ("PUT", "DELETE"):
        ben.http.request(
            method, "/project/element", json={"element": forged, "sessionId": ben.session}
        )
    with pytest.raises(socketio.exceptions.ConnectionError):
        sign_in().open(ann.thread)
    assert ann.http.get(at).json() == thread
    refused = [line for line in server.printed if "belongs to another person" in line]
    assert refused


def test_a_deleted_conversation_stays_deleted_when_its_session_ends(
    sign_in: Callable[[], Browser], kept: Conversations
) -> None:
    ann = sign_in()
    ann.open()
    ann.asks("Hers?")
    gone = ann.http.request("DELETE", "/project/thread", json={"threadId": ann.thread})
    assert gone.status_code == 200
    ann.socket.disconnect()  # upon which Chainlit writes the session's metadata
    other = sign_in()
    other.open()
    other.asks("A later one?")
    assert ann.threads() == []
    assert ann.http.get(f"/project/thread/{ann.thread}").status_code == 404
    assert kept.thread(ann.thread) is None


def test_what_the_page_keeps_is_told_by_the_command(
    sign_in: Callable[[], Browser], kept: Conversations
) -> None:
    ann = sign_in()
    ann.open()
    first = ann.asks("When?")["steps"][-1]
    second = ann.asks("Where?")["steps"][-1]
    for answer in (first, second):
        rating = {"forId": answer["id"], "value": 0, "comment": None, "threadId": ann.thread}
        ann.http.put("/feedback", json={"feedback": rating, "sessionId": ann.session})
    told = [r for r in kept.rated(0) if r.answer["question"] in ("When?", "Where?")]
    assert [(r.answer["answer"], r.history) for r in told] == [
        ("Answer to Where?", (("When?", "Answer to When?"),)),
        ("Answer to When?", ()),
    ]
