"""A judge on loopback that speaks OpenAI's chat-completions protocol and replies as it is told.

A request's JSON schema tells which of Ragas' prompts it is; the input at the prompt's end, what to
judge. A statement is true where its words are in the context.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal[
    "none",
    "slow",
    "malformed",
    "wrong schema",
    "not a verdict",
    "empty",
    "refusal",
    "filtered",
    "cut off",
    "too long",
    "HTTP 500",
    "HTTP 401",
    "no JSON at all",
]
PROMPTS = {
    "StatementGeneratorOutput": "faithfulness",
    "ClaimDecompositionOutput": "factual_correctness",
    "AnswerRelevanceOutput": "answer_relevancy",
    "ContextRecallOutput": "context_recall",
}
"""The metric whose first prompt asks for a schema of this name."""


@dataclass
class ScriptedJudge:
    """`faults` are by metric, "" for all.

    `requests` are the bodies got, with their `paths` and `keys`; `given` their schemas' names and
    what Ragas asks to judge.
    """

    url: str = ""
    question: str = "When did it open?"
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    given: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def fault(self, schema: str) -> Fault:
        return self.faults.get(PROMPTS.get(schema, "nli"), self.faults.get("", "none"))

    def judgement(self, schema: str, given: dict[str, Any]) -> dict[str, Any]:
        """What a sensible model would say to Ragas' prompt for `schema`."""
        if schema == "StatementGeneratorOutput":
            return {"statements": _sentences(given["answer"])}
        if schema == "ClaimDecompositionOutput":
            return {"claims": _sentences(given["response"])}
        if schema == "NLIStatementOutput":
            return {
                "statements": [
                    {"statement": s, "reason": "compared", "verdict": _within(s, given["context"])}
                    for s in given["statements"]
                ]
            }
        if schema == "AnswerRelevanceOutput":
            return {"question": self.question, "noncommittal": 0}
        if schema == "ContextRecallOutput":
            return {
                "classifications": [
                    {
                        "statement": s,
                        "reason": "compared",
                        "attributed": _within(s, given["context"]),
                    }
                    for s in _sentences(given["answer"])
                ]
            }
        raise AssertionError(f"no prompt of Ragas asks for {schema}")


def _sentences(text: str) -> list[str]:
    return [s.strip() + "." for s in text.split(".") if s.strip()]


def _within(statement: str, context: str) -> int:
    return int(set(re.findall(r"\w+", statement)) <= set(re.findall(r"\w+", context)))


def _given(prompt: str) -> dict[str, Any]:
    """The input a prompt of Ragas ends with."""
    found = json.JSONDecoder().raw_decode(prompt.rpartition("\ninput: ")[2])[0]
    assert isinstance(found, dict)
    return found


@contextmanager
def scripted_judge(**faults: Fault) -> Iterator[ScriptedJudge]:
    """Serves on a free port of 127.0.0.1. `faults`: by metric, `everything` for all of them."""
    judge = ScriptedJudge(faults={"" if m == "everything" else m: f for m, f in faults.items()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            judge.requests.append(body)
            judge.paths.append(self.path)
            judge.keys.append(self.headers["Authorization"])
            asked = body["response_format"]["json_schema"]
            schema, given = asked["name"], _given(body["messages"][-1]["content"])
            judge.given.append((schema, given))
            fault = judge.fault(schema)
            if fault == "slow":
                judge.closing.wait()
            elif fault == "HTTP 500":
                self.send(500, {"error": {"message": "overloaded", "type": "server_error"}})
            elif fault == "HTTP 401":
                self.send(401, {"error": {"message": "wrong key", "type": "invalid_request_error"}})
            elif fault == "too long":
                self.send(400, {"error": {"message": "too many tokens", "type": "invalid_request"}})
            elif fault == "no JSON at all":
                self.send(200, "<html>a page</html>")
            else:
                self.send(200, self.completion(schema, given, fault))

        def completion(self, schema: str, given: dict[str, Any], fault: Fault) -> dict[str, Any]:
            said = judge.judgement(schema, given)
            text: str | None = json.dumps(said)
            refusal, reason = None, "stop"
            if fault == "malformed":
                text = "I think it is right, {"
            elif fault == "wrong schema":
                text = json.dumps({"verdict": "good"})
            elif fault == "not a verdict":
                text = text.replace(": 1}", ": 7}").replace(": 0}", ": 7}") if text else text
            elif fault == "empty":
                text = json.dumps(
                    {k: v if isinstance(v, int) else type(v)() for k, v in said.items()}
                )
            elif fault == "refusal":
                text, refusal = None, "I cannot help with that."
            elif fault == "filtered":
                text, reason = "", "content_filter"
            elif fault == "cut off":
                text, reason = (text or "")[:10], "length"
            message = {"role": "assistant", "content": text, "refusal": refusal}
            return {
                "id": f"chatcmpl-{len(judge.requests)}",
                "object": "chat.completion",
                "created": 1_790_000_000,
                "model": "scripted",
                "choices": [
                    {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
                ],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
            }

        def send(self, status: int, body: dict[str, Any] | str) -> None:
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True  # a client may hold its connection open
        judge.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield judge
        finally:
            judge.closing.set()
            server.shutdown()
            thread.join()
