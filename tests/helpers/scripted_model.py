"""A chat model on loopback that says what it is told and fails to order.

One server speaks three protocols, by the path asked for: OpenAI's chat completions, whole or
streamed, under `url`; Ollama's /api/chat and Anthropic's /v1/messages, streamed, under `root`.
"""

from __future__ import annotations

import json
import re
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal[
    "silent",  # accepts the request and never answers
    "hangs up",  # accepts the request and closes the connection
    "stalls",  # says half of it, then nothing more
    "cut",  # says half of it, then closes the connection
    "unfinished",  # says half of it, then ends as if that were all, without saying so
    "breaks off",  # says half of it, then reports an error
    "malformed",  # says half of it, then broken JSON
    "endless",  # says it again and again, until the client goes
    "html",
    "HTTP 307",  # to `elsewhere`
    "HTTP 400",
    "HTTP 401",
    "HTTP 403",
    "HTTP 404",
    "HTTP 408",
    "HTTP 425",
    "HTTP 429",
    "HTTP 500",
    "HTTP 503",
    "too long",
    "refusal",
    "filtered",
    "empty",
]
STATUSES = {"too long": 400} | {
    f"HTTP {n}": n for n in (307, 400, 401, 403, 404, 408, 425, 429, 500, 503)
}


@dataclass(frozen=True, slots=True)
class Script:
    """What the model says to one prompt, and how.

    `pieces`: how the text is cut, by words where empty; a piece counts as one token. `thought`:
    what it says before, as reasoning. `pace_s`: the seconds before each piece. `fail_first`: the
    server's first so many calls meet the fault, all of them where it is 0. `retry_after`: the
    header of an error; `said`: its text, where it shall differ.
    """

    text: str = ""
    pieces: Sequence[str] = ()
    thought: str = ""
    pace_s: float = 0.0
    fault: Fault | None = None
    fail_first: int = 0
    retry_after: str = ""
    said: str = ""

    @property
    def cut(self) -> list[str]:
        return list(self.pieces) or re.findall(r"\s*\S+\s*", self.text)


Reply = Callable[[list[dict[str, Any]]], "str | Script"]


@dataclass
class ScriptedModel:
    """What a server was asked: bodies, keys and headers, a call each, and the paths of all requests.

    `rejects` names what a request may not hold. `closed_by_client` is set once a client has closed
    its connection before the reply's end, `closed` counts them. `most_at_once` calls were there
    together.
    """

    root: str = ""
    elsewhere: str = ""
    rejects: set[str] = field(default_factory=set)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    closed_by_client: threading.Event = field(default_factory=threading.Event)
    closed: int = 0
    failed: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    shut: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    @property
    def host(self) -> str:
        return self.root.removeprefix("http://")

    @property
    def messages(self) -> list[list[dict[str, Any]]]:
        """What each call asked."""
        return [request["messages"] for request in self.requests]


class _Gone(Exception):
    """The client has closed the connection, or the test is over."""


class _OpenAI:
    """https://platform.openai.com/docs/api-reference/chat-streaming"""

    media_type = "text/event-stream"

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
        self.is_streamed = bool(asked.get("stream"))
        self.prompt = " ".join(str(m["content"]) for m in asked["messages"])

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        named = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": self.asked["model"]}
        kind = "chat.completion.chunk"
        return _event({**named, "object": kind, "choices": choices, **more})

    def _delta(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._chunk([choice])

    def opening(self) -> bytes:
        return self._delta({"role": "assistant", "content": "", "refusal": None})

    def thought(self, text: str) -> bytes:
        return self._delta({"reasoning_content": text})

    def piece(self, text: str) -> bytes:
        return self._delta({"content": text})

    def closing(self, finish: str, tokens: int) -> bytes:
        if finish == "refusal":  # which is a text of its own here, not a reason to finish
            ended = self._delta({"refusal": "I cannot help with that."}) + self._delta({}, "stop")
        else:
            ended = self._delta({}, finish)
        if (self.asked.get("stream_options") or {}).get("include_usage"):
            ended += self._chunk([], usage=self._usage(tokens))
        return ended + b"data: [DONE]\n\n"

    def whole(self, text: str, finish: str, tokens: int) -> dict[str, Any]:
        refusal = "I cannot help with that." if finish == "refusal" else None
        message = {"role": "assistant", "content": text, "refusal": refusal}
        reason = "stop" if refusal else finish
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": self.asked["model"],
            "choices": [choice],
            "usage": self._usage(tokens),
        }

    def _usage(self, tokens: int) -> dict[str, int]:
        asked = len(self.prompt.split())
        return {
            "prompt_tokens": asked,
            "completion_tokens": tokens,
            "total_tokens": asked + tokens,
        }

    def broken(self) -> bytes:
        return b'data: {"id": "chatcmpl-1", "choices": [{"ind\n\n'

    def error(self, said: str, code: str | None = None) -> dict[str, Any]:
        return {"error": {"message": said, "type": "error", "param": None, "code": code}}

    def fault(self, said: str) -> bytes:
        return _event(self.error(said))


class _Ollama(_OpenAI):
    """https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion"""

    media_type = "application/x-ndjson"

    def __init__(self, asked: dict[str, Any]) -> None:
        super().__init__(asked)
        self.limit = asked["options"].get("num_predict")
        self.is_streamed = bool(asked.get("stream", True))

    def _line(self, message: dict[str, str], **more: Any) -> bytes:
        named = {"model": self.asked["model"], "created_at": "2026-11-22T12:00:00Z"}
        said = {"role": "assistant", "content": "", **message}
        return json.dumps({**named, "message": said, "done": False, **more}).encode() + b"\n"

    def opening(self) -> bytes:
        return b""

    def thought(self, text: str) -> bytes:
        return self._line({"thinking": text})

    def piece(self, text: str) -> bytes:
        return self._line({"content": text})

    def closing(self, finish: str, tokens: int) -> bytes:
        asked = len(self.prompt.split())
        counted = {"prompt_eval_count": asked, "eval_count": tokens, "total_duration": 1}
        return self._line({}, done=True, done_reason=finish, **counted)

    def broken(self) -> bytes:
        return b'{"model": "scripted", "mess\n'

    def error(self, said: str, code: str | None = None) -> dict[str, Any]:
        return {"error": said}

    def fault(self, said: str) -> bytes:
        return json.dumps(self.error(said)).encode() + b"\n"


class _Anthropic(_OpenAI):
    """https://docs.claude.com/en/api/messages-streaming"""

    def __init__(self, asked: dict[str, Any]) -> None:
        super().__init__(asked)
        self.limit = asked["max_tokens"]
        self.blocks = -1

    def _block(self, kind: str, delta: dict[str, str]) -> bytes:
        self.blocks += 1
        at = {"index": self.blocks}
        empty = {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})
        return (
            _event({"type": "content_block_start", **at, "content_block": empty}, named=True)
            + _event({"type": "content_block_delta", **at, "delta": delta}, named=True)
            + _event({"type": "content_block_stop", **at}, named=True)
        )

    def opening(self) -> bytes:
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self.asked["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": len(self.prompt.split()), "output_tokens": 1},
        }
        return _event({"type": "message_start", "message": message}, named=True)

    def thought(self, text: str) -> bytes:
        return self._block("thinking", {"type": "thinking_delta", "thinking": text})

    def piece(self, text: str) -> bytes:
        return self._block("text", {"type": "text_delta", "text": text})

    def closing(self, finish: str, tokens: int) -> bytes:
        reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
        ended = {"stop_reason": reason.get(finish, finish), "stop_sequence": None}
        counted = {"input_tokens": len(self.prompt.split()), "output_tokens": tokens}
        return _event(
            {"type": "message_delta", "delta": ended, "usage": counted}, named=True
        ) + _event({"type": "message_stop"}, named=True)

    def broken(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type": "content_bl\n\n'

    def error(self, said: str, code: str | None = None) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "api_error", "message": said}}

    def fault(self, said: str) -> bytes:
        return _event(self.error(said), named=True)


PROTOCOLS: dict[str, type[_OpenAI]] = {
    "/v1/chat/completions": _OpenAI,
    "/api/chat": _Ollama,
    "/v1/messages": _Anthropic,
}


def _event(data: dict[str, Any], *, named: bool = False) -> bytes:
    """A server-sent event."""
    name = f"event: {data['type']}\n" if named else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@contextmanager
def serving(reply: Reply | str | Script) -> Iterator[ScriptedModel]:
    """Serves on a free port of 127.0.0.1; `reply` is called with each request's messages."""
    model = ScriptedModel()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionError):  # a client that goes between two requests
                super().handle()

        def do_GET(self) -> None:
            model.paths.append(self.path)
            self.send(404, {"error": {"message": "nothing is here"}})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
            model.paths.append(self.path)
            if self.path.partition("?")[0] not in PROTOCOLS:
                self.send(404, {"error": {"message": "nothing is here"}})
                return
            body = json.loads(raw)
            said = reply(body["messages"]) if callable(reply) else reply
            script = Script(said) if isinstance(said, str) else said
            with model.lock:
                model.requests.append(body)
                model.keys.append(self.headers["Authorization"] or self.headers["x-api-key"])
                model.headers.append({k.lower(): v for k, v in self.headers.items()})
                model.at_once += 1
                model.most_at_once = max(model.most_at_once, model.at_once)
                fails = bool(script.fault) and not 0 < script.fail_first <= model.failed
                model.failed += fails
            try:
                self.answer(PROTOCOLS[self.path](body), script, script.fault if fails else None)
            except (_Gone, OSError):
                self.close_connection = True
                if not model.shut.is_set():
                    with model.lock:
                        model.closed += 1
                    model.closed_by_client.set()
            finally:
                with model.lock:
                    model.at_once -= 1

        def answer(self, protocol: _OpenAI, script: Script, fault: Fault | None) -> None:
            unwanted = next((name for name in model.rejects if name in protocol.asked), "")
            if unwanted:
                said = f"Unsupported parameter: '{unwanted}' is not supported with this model."
                self.send(400, protocol.error(said, "unsupported_parameter"))
            elif fault in STATUSES:
                self.send_error_of(protocol, script, fault)
            elif fault == "silent":
                self.wait(None)
            elif fault == "hangs up":
                self.hang_up()
            elif fault == "html":
                self.send(200, "<!doctype html><title>Welcome</title><p>It works!")
            elif protocol.is_streamed:
                self.stream(protocol, script, fault)
            else:
                pieces, finish = self.reply(protocol, script, fault)
                self.send(200, protocol.whole("".join(pieces), finish, len(pieces)))

        def reply(
            self, protocol: _OpenAI, script: Script, fault: Fault | None
        ) -> tuple[list[str], str]:
            """The pieces that are said, and why they end."""
            if fault in ("empty", "refusal"):
                return [], "refusal" if fault == "refusal" else "stop"
            pieces = script.cut
            if protocol.limit is not None and protocol.limit < len(pieces):
                return pieces[: protocol.limit], "length"
            return pieces, "content_filter" if fault == "filtered" else "stop"

        def stream(self, protocol: _OpenAI, script: Script, fault: Fault | None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", protocol.media_type)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.write(protocol.opening())
            if script.thought:
                self.wait(script.pace_s)
                self.write(protocol.thought(script.thought))
            pieces, finish = self.reply(protocol, script, fault)
            is_half = fault in ("stalls", "cut", "unfinished", "breaks off", "malformed")
            while True:
                for piece in pieces[: len(pieces) // 2] if is_half else pieces:
                    self.wait(script.pace_s)
                    self.write(protocol.piece(piece))
                if fault != "endless":
                    break
            if fault == "stalls":
                self.wait(None)
            elif fault == "cut":
                self.hang_up()
                return
            elif fault == "breaks off":
                self.write(protocol.fault(script.said or "the model has crashed"))
            elif fault == "malformed":
                self.write(protocol.broken())
            elif fault != "unfinished":
                self.write(protocol.closing(finish, len(pieces)))
            self.wfile.write(b"0\r\n\r\n")

        def write(self, data: bytes) -> None:
            if data:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        def wait(self, seconds: float | None) -> None:
            """Waits so long, for ever where None. Raises _Gone as soon as the client closes."""
            left = float("inf") if seconds is None else seconds
            while not model.shut.is_set():
                step = min(left, 0.02)
                if select.select([self.connection], [], [], max(step, 0))[0]:
                    with suppress(BlockingIOError):
                        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
                        if not self.connection.recv(1, flags):
                            raise _Gone
                left -= step
                if left <= 0:
                    return
            raise _Gone

        def hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def send_error_of(self, protocol: _OpenAI, script: Script, fault: Fault) -> None:
            key = self.headers["Authorization"] or self.headers["x-api-key"]
            said = script.said or {
                "HTTP 401": f"Incorrect API key provided: {key}.",  # as OpenAI says it
                "too long": "This model's maximum context length is 8192 tokens: prompt is too long",
            }.get(fault, "something is amiss")
            code = "context_length_exceeded" if fault == "too long" else None
            headers = {"Retry-After": script.retry_after} if script.retry_after else {}
            if fault == "HTTP 307":
                headers["Location"] = model.elsewhere + self.path
            self.send(STATUSES[fault], protocol.error(said, code), headers)

        def send(
            self, status: int, body: dict[str, Any] | str, headers: dict[str, str] | None = None
        ) -> None:
            is_page = isinstance(body, str)
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if is_page else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True  # a client may hold its connection open
        model.root = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield model
        finally:
            model.shut.set()
            server.shutdown()
            thread.join()
