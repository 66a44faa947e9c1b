"""`/v1`: answers in the form of OpenAI's chat completions, for the clients there are for that.

What is sent is Markdown in which an article's text can be neither link nor image, for these clients
draw what they are sent.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from assistant.doors import requests
from assistant.doors.http import bodies
from assistant.doors.http.api import NOT_FOUND, STREAM_HEADERS, Api, events_schema
from assistant.doors.http.problems import Problem, problem_of
from assistant.doors.show.json import citation_to_json, to_json
from assistant.doors.show.markdown import as_markdown, claim_as_markdown
from assistant.schema import Answer, Claim
from assistant.service import LONGEST_QUESTION

ITSELF = "dateline"
"""The model that means whichever engine answers."""


def add_routes(router: APIRouter, api: Api) -> None:
    """Adds `/v1/models` and `/v1/chat/completions`."""

    @router.get(
        "/v1/models", tags=["OpenAI"], summary="List the engines", response_model=bodies.Models
    )
    async def models() -> dict[str, Any]:
        names = [ITSELF, *api.assistant.engines()]
        return {
            "object": "list",
            "data": [
                {"id": name, "object": "model", "created": 0, "owned_by": ITSELF} for name in names
            ],
        }

    @router.post(
        "/v1/chat/completions",
        tags=["OpenAI"],
        summary="Answer the last message",
        response_model=bodies.Completed,
        responses={
            **NOT_FOUND,
            200: {"content": {"text/event-stream": {"schema": events_schema()}}},
        },
    )
    async def complete(request: Request, asked: bodies.Completion) -> Response:
        question = _question(asked)
        request.state.question = question.question
        engine = api.asking.engine(None if asked.model == ITSELF else asked.model)
        head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": asked.model,
        }
        if asked.stream:
            items = api.items(question, engine)
            usage = asked.stream_options is not None and asked.stream_options.include_usage
            return StreamingResponse(
                _chunks(items, head, usage),
                media_type="text/event-stream",
                headers=STREAM_HEADERS,
            )
        return JSONResponse({**head, **_completed(await api.answer(request, question, engine))})


def _completed(answer: Answer) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": as_markdown(answer),
        "refusal": None,
        "citations": [citation_to_json(c) for c in answer.citations],
    }
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _usage(answer),
        "dateline": to_json(answer),
    }


def _question(asked: bodies.Completion) -> requests.Ask:
    """The last message as a question, with the turns before it. What instructs a model (system
    messages) or comes from tools is no part of the conversation."""
    *before, last = asked.messages
    if last.role != "user" or not last.text.strip():
        raise Problem(400, "the last message must be the user's, with text in it", "no_question")
    turns: list[list[str]] = []
    said: list[str] = []
    for message in before:
        if message.role == "user":
            said.append(message.text)
        elif message.role == "assistant" and said:
            turns.append(["\n".join(said), message.text])
            said = []
    return requests.Ask(
        question=last.text[:LONGEST_QUESTION], history=turns[-requests.MOST_TURNS :]
    )


def _usage(answer: Answer) -> dict[str, int]:
    """Tokens of a chat model; quotes cost none."""
    use = answer.model
    read, written = (use.input_tokens or 0, use.output_tokens or 0) if use else (0, 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


async def _chunks(
    items: AsyncGenerator[Claim | Answer, None], head: dict[str, Any], usage: bool
) -> AsyncIterator[str]:
    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _line({**head, "object": "chat.completion.chunk", "choices": [choice], **more})

    yield chunk({"role": "assistant", "content": ""})
    told: list[Claim] = []
    try:
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Claim):
                    told.append(item)
                    text = claim_as_markdown(item.text, item.citations)
                    yield chunk({"content": f"{text}\n\n"})
                    continue
                if any(claim not in item.claims for claim in told):
                    yield chunk({"content": "---\n\n"})  # a model that failed: what follows counts
                    told = []
                yield chunk({"content": as_markdown(item, told)})
                yield chunk({}, "stop", dateline=to_json(item))
                if usage:
                    counted = {**head, "object": "chat.completion.chunk", "choices": []}
                    yield _line({**counted, "usage": _usage(item)})
    except Exception as exc:  # noqa: BLE001 - the stream has begun: what fails is its last line
        yield _line(problem_of(exc).to_json())
    yield "data: [DONE]\n\n"


def _line(data: Any) -> str:
    return f"data: {json.dumps(data)}\n\n"
