"""What the server tells of its work: figures for Prometheus, traces for OpenTelemetry, lines of a log.

Each server has a registry and a tracer of its own: libraries it uses (Chainlit among them) fill the
process-wide ones.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from assistant.schema import Answer
from assistant.settings import Settings
from indexing.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Watch:
    """Counts, times and traces. Safe to share between threads.

    Raises SettingsError for a `traces_url` that is no address.
    """

    def __init__(self, settings: Settings, log: TextIO = sys.stderr) -> None:
        self._settings = settings
        self._log = log
        self._registry = CollectorRegistry()
        self._traces = _provider(settings.traces_url) if settings.traces_url else None
        self._requests = Counter(
            "dateline_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._request_s = Histogram(
            "dateline_request_seconds",
            "Seconds until a request was answered whole.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "dateline_answers",
            "Answers by what became of the question and what wrote them.",
            ("status", "engine"),
            registry=self._registry,
        )
        self._answer_s = Histogram(
            "dateline_answer_seconds",
            "Seconds from a thread's taking up a question to its whole answer.",
            ("engine",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._failures = Counter(
            "dateline_answer_failures", "Questions that ended in an error.", registry=self._registry
        )
        self._tokens = Counter(
            "dateline_model_tokens",
            "Tokens of chat models, as far as their servers say.",
            ("model", "direction"),
            registry=self._registry,
        )
        self._under_way = Gauge(
            "dateline_answers_under_way",
            "Answers asked for and not there yet, those that wait for a thread among them.",
            registry=self._registry,
        )

    def metrics(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def count_under_way(self, count: Callable[[], int]) -> None:
        self._under_way.set_function(count)

    @contextmanager
    def answering(self) -> Iterator[Callable[[Answer], None]]:
        """Around the making of an answer, in its thread; to be told the answer."""
        begun, wall = time.perf_counter(), time.time_ns()
        made: list[Answer] = []
        try:
            yield made.append
        except Exception:
            self._failures.inc()
            raise
        finally:
            for answer in made:
                self._answers.labels(str(answer.status), answer.engine).inc()
                self._answer_s.labels(answer.engine).observe(time.perf_counter() - begun)
                self._count_tokens(answer)
                self._trace_answer(answer, wall)

    def _count_tokens(self, answer: Answer) -> None:
        if use := answer.model:
            self._tokens.labels(use.name, "in").inc(use.input_tokens or 0)
            self._tokens.labels(use.name, "out").inc(use.output_tokens or 0)

    def _trace_answer(self, answer: Answer, begun_ns: int) -> None:
        asked = {"dateline.question": answer.question} if self._settings.log_questions else {}
        steps = {f"dateline.{step}_ms": ms for step, ms in answer.timings_ms.items()}
        self._trace(
            "answer",
            begun_ns,
            {
                "dateline.status": str(answer.status),
                "dateline.engine": answer.engine,
                "dateline.confidence": answer.confidence,
                "dateline.citations": len(answer.citations),
                **steps,
                **asked,
            },
        )

    def request(
        self, id: str, method: str, route: str, status: int, begun_ns: int, by: str, asked: str
    ) -> None:
        """That a request was answered: `by` is the key's name, empty without one; `asked` is only
        told where the settings allow it."""
        seconds = (time.time_ns() - begun_ns) / 1e9
        self._requests.labels(method, route, str(status)).inc()
        self._request_s.labels(route).observe(seconds)
        told: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "key": by or None,
        }
        if self._settings.log_questions and asked:
            told["question"] = asked
        attributes = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "dateline.request_id": id,
        }
        self._trace(f"{method} {route}", begun_ns, attributes)
        if self._settings.log == "json":
            print(json.dumps(told), file=self._log, flush=True)
        elif self._settings.log == "text":
            line = " ".join(f"{name}={json.dumps(value)}" for name, value in told.items())
            print(line, file=self._log, flush=True)

    def _trace(self, name: str, begun_ns: int, attributes: dict[str, Any]) -> None:
        if self._traces is not None:
            tracer = self._traces.get_tracer("dateline")
            tracer.start_span(name, start_time=begun_ns, attributes=attributes).end()

    def close(self) -> None:
        """Sends the traces that are not sent yet, for as long as their exporter tries."""
        if self._traces is not None:
            self._traces.shutdown()


def _provider(url: str) -> TracerProvider:
    if not url.startswith(("http://", "https://")):
        raise SettingsError(
            "DATELINE_TRACES_URL must be an address such as http://127.0.0.1:4318/v1/traces, "
            f"got {url!r}"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource({"service.name": "dateline"}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
    return provider
