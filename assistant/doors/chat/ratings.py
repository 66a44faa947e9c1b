"""The thumbs under an answer. Chainlit's own routes for them never ask whose answer it is."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from chainlit.auth import get_current_user
from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from assistant.keeping.conversations import NOBODY, Conversations
from indexing.errors import StoreError

Person = Annotated[Any, Depends(get_current_user)]


class Rating(BaseModel):
    """`forId` is the step that is rated, `value` 1 for good and 0 for bad."""

    forId: str
    value: int = Field(ge=0, le=1)
    comment: str | None = Field(default=None, max_length=10_000)


class Rate(BaseModel):
    feedback: Rating


class Unrate(BaseModel):
    feedbackId: str


def routes(conversations: Conversations) -> APIRouter:
    """`PUT` and `DELETE /feedback` as the page calls them, for the person's own answers only."""
    router = APIRouter()

    @router.put("/feedback")
    async def rate(given: Rate, user: Person) -> dict[str, object]:
        rating = given.feedback
        try:
            id = await asyncio.to_thread(
                conversations.put_feedback,
                rating.forId,
                rating.value,
                rating.comment,
                _id_of(user),
            )
        except StoreError as exc:
            raise HTTPException(404, str(exc)) from exc
        return {"success": True, "feedbackId": id}

    @router.delete("/feedback")
    async def unrate(given: Unrate, user: Person) -> dict[str, bool]:
        done = await asyncio.to_thread(
            conversations.delete_feedback, given.feedbackId, _id_of(user)
        )
        return {"success": done}

    return router


def _id_of(user: Any) -> str:
    return str(getattr(user, "id", NOBODY))
