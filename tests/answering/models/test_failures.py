"""Chat models fail in words, and are asked again where that may help."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from chat_models import ASKED, SAID, SETTINGS, every_protocol, failure, is_free, opened
from scripted_model import Fault, Script, serving

from assistant.answering.models import call as chat_model
from assistant.answering.models.call import open_chat_model
from indexing.errors import ModelError

# Failures


FAULTS: dict[Fault, tuple[str, int]] = {
    "silent": ("took longer than 1 s to say a word; raise DATELINE_MODEL_TIMEOUT_S or choose a", 1),
    "hangs up": ("at {host} closed the connection without an answer", 2),
    "stalls": ("fell silent in mid-answer, for longer than 1 s; raise DATELINE_MODEL_TIMEOUT_S", 1),
    "cut": ("stopped in mid-answer", 1),
    "unfinished": ("stopped in mid-answer", 1),
    "breaks off": ("stopped in mid-answer", 1),
    "malformed": ("does not answer in the protocol of {protocol}; is {host} the right address?", 1),
    "html": ("does not answer in the protocol of {protocol}; is {host} the right address?", 1),
    "HTTP 400": ("did not accept the request (HTTP 400)", 1),
    "HTTP 404": ("is not there at {host} (HTTP 404)", 1),
    "HTTP 429": ("takes no more requests for now (HTTP 429)", 2),
    "HTTP 500": ("answered HTTP 500", 2),
    "too long": ("the prompt is too long for {name}", 1),
    "refusal": ("refuse", 1),
    "filtered": ("refused to answer", 1),
    "empty": ("said nothing", 1),
}
"""What is said of each, and how many requests it takes where one more is allowed."""


@every_protocol
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_words_of_its_own(fault: Fault, protocol: str) -> None:
    said, requests = FAULTS[fault]
    with serving(Script(SAID, fault=fault)) as server:
        model = opened(server, protocol, RETRIES=requests - 1 or int(fault != "silent"))
        message = failure(model)
        assert is_free(server)
    where = {"host": server.host, "protocol": protocol, "name": f"{protocol}:local"}
    assert said.format(**where) in message
    assert len(server.requests) == requests
    assert model.usage.calls == 1


@every_protocol
def test_a_server_that_is_not_there_is_told_by_its_host(protocol: str) -> None:
    with serving(SAID) as server:
        pass
    model = opened(server, protocol)
    host = server.host
    assert failure(model) == (
        f"{protocol}:local cannot be reached at {host}; is its server running?"
    )


@pytest.mark.parametrize(
    "said",
    [
        "the request exceeds the available context size, try increasing it",  # llama.cpp
        "This model's maximum context length is 4096 tokens. However, you requested 9000",  # vLLM
        "Trying to keep the first 900 tokens when context the overflows. The context length of 4096",
        "Prompt contains 70000 tokens, too large for model with 32768 maximum context length",
    ],
)
def test_a_prompt_that_is_too_long_is_told_whatever_the_server_calls_it(said: str) -> None:
    with serving(Script(fault="HTTP 400", said=said)) as server:
        assert "the prompt is too long for openai:local" in failure(opened(server))


def test_a_model_that_is_not_pulled_is_told_with_the_command_that_does() -> None:
    with serving(Script(fault="HTTP 404")) as server:
        assert "fetch it with: ollama pull local" in failure(opened(server, "ollama"))


def test_a_whole_call_has_a_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_model, "CEILING", 1)
    read: list[str] = []
    with serving(Script(SAID, pace_s=0.05, fault="endless")) as server:
        with pytest.raises(ModelError, match="took longer than 1 s over one answer; choose"):
            read.extend(opened(server).stream(ASKED))
        assert is_free(server)
    assert "".join(read).startswith(SAID)


# Again


@every_protocol
@pytest.mark.parametrize(
    "fault",
    ["hangs up", "HTTP 408", "HTTP 425", "HTTP 429", "HTTP 500", "HTTP 503"],
)
def test_a_call_that_failed_before_its_first_word_is_made_again(
    fault: Fault, protocol: str
) -> None:
    with serving(Script(SAID, fault=fault, fail_first=2)) as server:
        model = opened(server, protocol, RETRIES=2)
        assert model.complete(ASKED) == SAID
    assert len(server.requests) == 3
    assert model.usage.calls == 1


def test_a_silent_server_is_asked_again() -> None:
    with serving(Script(SAID, fault="silent", fail_first=1)) as server:
        assert opened(server, RETRIES=1).complete(ASKED) == SAID


def test_a_call_is_made_again_no_more_often_than_is_set() -> None:
    with serving(Script(SAID, fault="HTTP 503")) as server:
        assert "answered HTTP 503" in failure(opened(server, RETRIES=2))
    assert len(server.requests) == 3


def test_a_server_is_given_the_time_it_asks_for() -> None:
    begun = time.monotonic()
    soon = formatdate(time.time() + 0.5, usegmt=True)
    for asked, at_least in (("1", 1.0), (soon, 0.0)):
        fails_once = Script(SAID, fault="HTTP 429", fail_first=1, retry_after=asked)
        with serving(fails_once) as server:
            assert opened(server, RETRIES=1).complete(ASKED) == SAID
        assert time.monotonic() - begun >= at_least


@pytest.mark.parametrize(
    "asked", ["60", formatdate(time.time() + 3600, usegmt=True)], ids=["seconds", "date"]
)
def test_a_server_that_asks_for_more_time_than_there_is_is_not_asked_again(asked: str) -> None:
    with serving(Script(SAID, fault="HTTP 503", retry_after=asked)) as server:
        assert "answered HTTP 503; it asks to wait" in failure(opened(server, RETRIES=2))
    assert len(server.requests) == 1


@pytest.mark.parametrize("unwanted", ["temperature", "stream_options", "max_tokens"])
def test_what_a_server_refuses_is_not_asked_for_again(unwanted: str) -> None:
    with serving(SAID) as server:
        server.rejects = {unwanted}
        model = opened(server)
        assert [model.complete(ASKED), model.complete(ASKED)] == [SAID, SAID]
    assert [unwanted in request for request in server.requests] == [True, False, False]
    assert server.requests[2].keys() & {"max_tokens", "max_completion_tokens"}


def test_what_its_own_package_refuses_for_a_model_is_not_asked_for() -> None:
    with serving(SAID) as server:
        model = open_chat_model(f"anthropic:claude-fable-5@{server.root}", SETTINGS)
        assert model.complete(ASKED) == SAID
    assert len(server.requests) == 1
    assert "temperature" not in server.requests[0]
