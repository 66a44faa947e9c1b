"""The HTTP API as programs use it: curl, OpenAI's own client, a browser, and whatever its schema allows."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import schemathesis
from api_client import DEADLINE, PATIENCE_S, client, events, scripted_server
from hypothesis import HealthCheck, given, settings
from playwright.sync_api import Browser, expect
from running import Running
from schemathesis.checks import CheckFunction, load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from assistant.doors.show.json import citation_to_json
from assistant.doors.show.markdown import as_markdown
from assistant.service import Assistant

# Unmodified clients


@pytest.fixture
def official(dateline: Running) -> Iterator[openai.OpenAI]:
    with (
        httpx.Client(trust_env=False) as plain,
        openai.OpenAI(
            base_url=f"{dateline.url}/v1", api_key="none", max_retries=0, http_client=plain
        ) as opened,
    ):
        yield opened


def test_openais_own_client_asks_and_streams(official: openai.OpenAI, alone: Assistant) -> None:
    assert [model.id for model in official.models.list()] == ["dateline", "quotes"]
    expected = alone.ask(DEADLINE)
    messages: Any = [
        {"role": "system", "content": "Answer in French."},
        {"role": "user", "content": DEADLINE},
    ]
    for model in ("dateline", "quotes"):
        got = official.chat.completions.create(model=model, messages=messages, temperature=0.2)
        (choice,) = got.choices
        assert choice.finish_reason == "stop"
        assert choice.message.content == as_markdown(expected)
        sent = (choice.message.model_extra or {})["citations"]
        assert sent == [citation_to_json(c) for c in expected.citations]
        assert (got.model_extra or {})["dateline"]["answer"] == expected.text

    streamed = official.chat.completions.create(
        model="quotes", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(streamed)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == as_markdown(expected)
    assert len([chunk for chunk in chunks if chunk.choices]) > 3, "it comes in parts"
    assert chunks[-1].usage is not None
    (whole,) = (c.model_extra["dateline"] for c in chunks if "dateline" in (c.model_extra or {}))
    assert whole["answer"] == expected.text


def test_openais_own_client_holds_a_conversation(official: openai.OpenAI, alone: Assistant) -> None:
    first = alone.ask(DEADLINE)
    got = official.chat.completions.create(
        model="quotes",
        messages=[
            {"role": "user", "content": DEADLINE},
            {"role": "assistant", "content": first.text},
            {"role": "user", "content": [{"type": "text", "text": "And for Mexico?"}]},
        ],
    )
    expected = alone.ask("And for Mexico?", [(DEADLINE, first.text)])
    assert got.choices[0].message.content == as_markdown(expected)


def test_openais_own_client_understands_refusals(official: openai.OpenAI, tmp_path: Path) -> None:
    user: Any = [{"role": "user", "content": DEADLINE}]
    with pytest.raises(openai.NotFoundError, match="there is no engine 'gpt-9'"):
        official.chat.completions.create(model="gpt-9", messages=user)
    with pytest.raises(openai.BadRequestError, match="the last message must be the user's"):
        official.chat.completions.create(
            model="quotes", messages=[*user, {"role": "assistant", "content": "Soon."}]
        )
    with pytest.raises(openai.UnprocessableEntityError):
        official.chat.completions.create(model="quotes", messages=[])
    with (
        scripted_server(tmp_path, DATELINE_API_KEYS="required") as started,
        httpx.Client(trust_env=False) as plain,
        openai.OpenAI(base_url=f"{started.url}/v1", api_key="wrong", http_client=plain) as locked,
        pytest.raises(openai.AuthenticationError),
    ):
        locked.models.list()


@pytest.mark.slow
def test_markup_of_an_article_is_not_markup_for_clients_that_draw_it(tmp_path: Path) -> None:
    with scripted_server(tmp_path) as started, client(started) as api:
        asked = {"messages": [{"role": "user", "content": "Hostile?"}]}
        for stream in (False, True):
            got = api.post("/v1/chat/completions", json={**asked, "stream": stream})
            if stream:
                lines = [line[6:] for line in got.text.splitlines() if line.startswith("data: {")]
                parts = [json.loads(line)["choices"] for line in lines]
                text = "".join(c["delta"].get("content", "") for part in parts for c in part)
            else:
                text = got.json()["choices"][0]["message"]["content"]
            assert "evil" in text
            assert not re.search(r"(?<!\\)[<\[]|https?://(?=evil)", text)


def test_curl_asks_too(dateline: Running) -> None:
    command = ["curl", "-sS", "-N", "--noproxy", "*", f"{dateline.url}/api/ask"]
    asked = json.dumps({"question": DEADLINE, "stream": True})
    command += ["-H", "Content-Type: application/json", "-d", asked]
    got = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert events(got)[-1][1]["status"] == "answered"


def test_its_page_describes_it_without_another_host(dateline: Running, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked, said = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "console", lambda message: said.append(message.text) if message.type == "error" else None
    )
    page.goto(f"{dateline.url}/api/docs")
    expect(page.get_by_text("Answer a question from the articles")).to_be_visible(timeout=30_000)
    page.get_by_text("Answer a question from the articles").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table")
    expect(answer).to_contain_text('"status": "answered"', timeout=PATIENCE_S * 1000)
    assert [url for url in asked if not url.startswith((dateline.url, "data:", "blob:"))] == []
    assert said == []
    context.close()


# Whatever the schema allows

load_all_checks()
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_nothing_that_its_schema_allows_or_forbids_breaks_it(tmp_path: Path) -> None:
    with scripted_server(tmp_path, DATELINE_REQUESTS_PER_MINUTE="0") as started:
        described = schemathesis.openapi.from_url(f"{started.url}/api/openapi.json")
        operations = [found.ok() for found in described.get_all_operations()]
        assert len(operations) == 9
        for operation in operations:
            for mode in schemathesis.GenerationMode:

                @given(case=operation.as_strategy(generation_mode=mode))
                @settings(
                    max_examples=25,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                )
                def holds(case: schemathesis.Case) -> None:
                    case.call_and_validate(base_url=started.url, checks=CHECKS)

                holds()
        assert "Traceback" not in "".join(started.printed)
