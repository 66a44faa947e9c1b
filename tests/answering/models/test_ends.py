"""Calls of chat models end when nobody wants them, and no more run at once than is set."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat_models import ASKED, SAID, after, every_protocol, failure, opened
from running import PATIENCE_S
from scripted_model import Fault, Script, serving

from assistant.answering.models.call import POLL_S, Usage

NEVER_S = 100_000
"""A time-out that the test's own comes before: what waits for it fails."""

# Ends


@every_protocol
@pytest.mark.parametrize("fault", ["silent", "stalls", "endless"])
def test_a_cancelled_call_ends_quietly_and_closes_its_connection(
    fault: Fault, protocol: str
) -> None:
    costs: list[Usage] = []
    with serving(Script(SAID, fault=fault, pace_s=0.02)) as server:
        model = opened(server, protocol, timeout_s=NEVER_S)
        said = model.complete(ASKED, cancelled=after(0.3), spent=costs.append)
        assert server.closed_by_client.wait(PATIENCE_S)
    assert said.startswith("" if fault == "silent" else "The bridge")
    assert [cost.calls for cost in costs] == [1]


def test_a_call_that_is_not_wanted_is_not_made() -> None:
    costs: list[Usage] = []
    with serving(SAID) as server:
        assert opened(server).complete(ASKED, cancelled=lambda: True, spent=costs.append) == ""
    assert not server.requests
    assert not costs


def test_a_call_is_cancelled_before_it_is_made_again() -> None:
    with serving(Script(SAID, fault="HTTP 503", retry_after=str(NEVER_S - 1))) as server:
        model = opened(server, RETRIES=5, timeout_s=NEVER_S)
        assert model.complete(ASKED, cancelled=lambda: len(server.requests) > 0) == ""
    assert len(server.requests) == 1


def test_whether_a_call_is_wanted_is_asked_ten_times_a_second() -> None:
    asked = iter(range(15))  # one after another, though nothing comes from the model
    with serving(Script(SAID, fault="silent")) as server:
        model = opened(server, timeout_s=NEVER_S)
        assert model.complete(ASKED, cancelled=lambda: next(asked, None) is None) == ""
        assert len(server.requests) == 1
    assert POLL_S <= 0.1


@every_protocol
def test_closing_the_pieces_closes_the_connection(protocol: str) -> None:
    costs: list[Usage] = []
    with serving(Script(SAID, fault="stalls")) as server:
        stream = opened(server, protocol, timeout_s=NEVER_S).stream(ASKED, spent=costs.append)
        next(stream)
        stream.close()
        assert server.closed_by_client.wait(PATIENCE_S)
    assert [cost.calls for cost in costs] == [1]


def test_pieces_that_nobody_holds_any_more_close_the_connection() -> None:
    with serving(Script(SAID, fault="endless", pace_s=0.01)) as server:
        for _ in opened(server).stream(ASKED):
            break
        gc.collect()
        assert server.closed_by_client.wait(PATIENCE_S)


def test_an_error_of_the_reader_closes_the_connection() -> None:
    def read() -> None:
        for _ in opened(server).stream(ASKED):
            raise KeyboardInterrupt

    with serving(Script(SAID, fault="endless", pace_s=0.01)) as server:
        with pytest.raises(KeyboardInterrupt):
            read()
        assert server.closed_by_client.wait(PATIENCE_S)


# Places


def test_no_more_calls_run_at_once_than_is_set() -> None:
    with serving(Script(SAID, pace_s=0.02)) as server:
        model = opened(server, AT_ONCE=2, timeout_s=10)
        with ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(lambda _: model.complete(ASKED), range(6)))
    assert replies == [SAID] * 6
    assert server.most_at_once == 2


def test_a_call_that_finds_no_place_is_told_so_and_can_be_cancelled() -> None:
    with serving(Script(SAID, fault="endless", pace_s=0.05)) as server:
        model = opened(server, AT_ONCE=1)
        stream = model.stream(ASKED)
        next(stream)
        assert "openai:local is busy: 1 calls at once" in failure(model)
        assert model.complete(ASKED, cancelled=after(0.2)) == ""
        stream.close()
        assert next(model.stream(ASKED)) == "The "
    assert len(server.requests) == 2
    assert model.usage.calls == 2


def test_a_reply_that_is_there_leaves_its_place_before_it_is_read() -> None:
    with serving(SAID) as server:
        model = opened(server, AT_ONCE=1)
        stream = model.stream(ASKED)
        read = [next(stream), model.complete(ASKED), *stream]
    assert "".join(read) == f"The {SAID}{SAID[4:]}"


@pytest.mark.parametrize("fault", ["HTTP 500", "cut", "empty", "html"])
def test_a_failed_call_leaves_its_place(fault: Fault) -> None:
    with serving(Script(SAID, fault=fault, fail_first=3)) as server:
        model = opened(server, AT_ONCE=1)
        for _ in range(3):
            failure(model)
        assert model.complete(ASKED) == SAID
