"""The OpenAPI page, from files of this machine: FastAPI's own loads its scripts from another host."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse, Response

_FILES = {
    name: Path(fastapi_offline.__file__).parent / "static" / name
    for name in ("swagger-ui-bundle.js", "swagger-ui.css")
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dateline: the API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/api/openapi.json", dom_id: "#api", deepLinking: true, docExpansion: "list",
  defaultModelsExpandDepth: 0, validatorUrl: null,
})
"""
ABOUT = """Every sentence of an answer is cited to the characters of an article. Offsets count Unicode
code points, ends exclusive. Errors have one form: `{"error": {"message", "type", "param", "code"}}`."""


def routes(described: APIRouter) -> APIRouter:
    """`/api/docs` and `/api/openapi.json`, which describe the routes of `described`."""
    router = APIRouter(prefix="/api", include_in_schema=False)
    made: dict[str, Any] = {}

    @router.get("/openapi.json")
    def openapi() -> dict[str, Any]:
        if not made:
            made.update(
                get_openapi(
                    title="Dateline",
                    version=version("dateline"),
                    description=ABOUT,
                    routes=described.routes,
                )
            )
        return made

    @router.get("/docs")
    def page() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @router.get("/docs/start.js")
    def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @router.get("/docs/{name}")
    def file(name: str) -> Response:
        if name not in _FILES:
            return HTMLResponse("There is no such file.", 404)
        return FileResponse(_FILES[name])

    return router
