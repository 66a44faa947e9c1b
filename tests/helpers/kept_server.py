"""A small chat page of Chainlit's over `DataLayer`: anybody signs in, and is answered at once.

Run as a program: `python kept_server.py INDEX [DATABASE_URL]`.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from assistant.doors.chat import folder
from assistant.settings import Settings

settings = replace(
    Settings(), index=Path(sys.argv[1]), database_url=sys.argv[2] if len(sys.argv) > 2 else ""
)
folder.prepare(settings.index / "chat" / "test")
folder.configure_environment(settings.index / "chat" / "test")
os.environ["CHAINLIT_AUTH_SECRET"] = "a secret of the tests, long enough to sign with"

import chainlit as cl  # noqa: E402
from chainlit.config import SpontaneousFileUploadFeature, config  # noqa: E402

from assistant.doors.chat.data_layer import DataLayer  # noqa: E402
from assistant.keeping.conversations import open_conversations  # noqa: E402

config.features.spontaneous_file_upload = SpontaneousFileUploadFeature(enabled=True, accept=["*/*"])
conversations = open_conversations(settings)


@cl.data_layer
def data_layer() -> DataLayer:
    return DataLayer(conversations)


@cl.password_auth_callback
async def sign_in(name: str, password: str) -> cl.User | None:
    return cl.User(identifier=name) if password == "right" else None


@cl.on_chat_start
async def welcome() -> None:
    await cl.Message("Welcome").send()


@cl.on_chat_resume
async def resume(thread: object) -> None:
    pass


@cl.on_message
async def reply(message: cl.Message) -> None:
    async with cl.Step(name="Searched", type="tool", icon="search") as step:
        step.output = "5 articles"
    answer = f"Answer to {message.content}"
    kept = {"question": message.content, "answer": answer}
    shown = cl.Message("", metadata={"answer": kept})
    for word in answer.split(" "):
        await shown.stream_token(f"{word} ")
    shown.content = answer
    shown.elements = [cl.CustomElement(name="Answer", props={"of": message.content, "n": [1]})]
    await shown.send()


app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {}


from chainlit.server import app as page  # noqa: E402

app.mount("/", page)
listening = socket.create_server(("127.0.0.1", 0))
print(f"Dateline is at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
