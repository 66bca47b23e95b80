"""The server's answers. All of them are read from runs; nothing is changed by asking."""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ganfw.errors import GanfwError, PartFailure, size_problem
from ganfw.images import to_uint8
from ganfw.play.code import command_of, python_of, why_no_command
from ganfw.play.requests import read_request
from ganfw.play.runs import Model, PlayedRun
from ganfw.play.views import Shown, View

T = TypeVar("T")

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
PAGE = "page.html"
CLOSED = 499
"""The status, which nobody reads, of an answer to a page that has stopped waiting."""


def create_app(runs: Sequence[PlayedRun]) -> Starlette:
    """Return the application of the playground, without its guard."""
    return Starlette(routes=_Answers(runs).routes(), exception_handlers={404: _not_found})


def _not_found(asked: Asked, error: Exception) -> Response:
    return JSONResponse({"error": "there is nothing at this address"}, 404)


class _Answers:
    """What is answered to each request. Work with tensors is done in one thread, a request at a time."""

    def __init__(self, runs: Sequence[PlayedRun]) -> None:
        self.runs = runs
        self.turn = asyncio.Lock()
        self.worker = ThreadPoolExecutor(1, "play")

    def routes(self) -> list[Route]:
        folder = files("ganfw.play") / "static"
        names = [each.name for each in folder.iterdir() if each.name.rpartition(".")[2] in TYPES]
        assert PAGE in names
        return [
            *(Route("/" if name == PAGE else f"/{name}", _file((folder / name).read_bytes(), name)) for name in names),
            Route("/api/runs", self.about),
            Route("/api/steps", self.steps),
            Route("/api/samples", self.samples),
            Route("/api/code", self.code),
        ]

    async def about(self, asked: Asked) -> Response:
        """What the page must know of each run."""
        return await self._work(asked, lambda: JSONResponse({"runs": [run.about for run in self.runs]}))

    async def steps(self, asked: Asked) -> Response:
        """The checkpoints of each run as they are now."""
        return await self._refusing(
            asyncio.to_thread(
                lambda: JSONResponse([{"steps": run.steps(), "newest": run.newest()} for run in self.runs])
            )
        )

    async def samples(self, asked: Asked) -> Response:
        """The samples of a view: uint8 images or float32 points, their shape in the header `X-Samples`."""
        return await self._work(asked, lambda: self._view(asked, lambda view, model: _encoded(view.show(model), model)))

    async def code(self, asked: Asked) -> Response:
        """The command line and the Python that make them."""

        def written(view: View, model: Model) -> Response:
            code = {
                "python": python_of(view, model),
                "command": command_of(view, model),
                "why": why_no_command(view, model),
            }
            return JSONResponse(code)

        return await self._work(asked, lambda: self._view(asked, written))

    def _view(self, asked: Asked, do: Callable[[View, Model], Response]) -> Response:
        request = read_request(asked.scope["query_string"], len(self.runs))
        model = self.runs[request.run].model(request.step, request.sampler)
        request.check(model)
        return do(request.view, model)

    async def _work(self, asked: Asked, do: Callable[[], Response]) -> Response:
        """Do what needs the worker, unless the page has stopped waiting for it before its turn."""
        async with self.turn:
            await asked.body()  # what comes after it is that the page has gone
            if await asked.is_disconnected():
                return Response(status_code=CLOSED)
            return await self._refusing(asyncio.get_running_loop().run_in_executor(self.worker, do))

    async def _refusing(self, done: Any) -> Response:
        """Return an answer; an error that a user can correct becomes a sentence."""
        try:
            response: Response = await done
        except (GanfwError, PartFailure) as error:
            return JSONResponse({"error": str(error)}, 400)
        except Exception as error:
            if reason := size_problem(error):
                return JSONResponse({"error": f"more than the memory holds: {reason}; ask for less"}, 400)
            raise
        return response


def _file(content: bytes, name: str) -> Callable[[Asked], Response]:
    kind = f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return lambda asked: Response(content, media_type=kind)


def _encoded(shown: Shown, model: Model) -> Response:
    is_images = model.kind == "images"
    samples = to_uint8(shown.samples) if is_images else shown.samples.float()
    about = {
        **shown.about,
        "shape": list(samples.shape),
        "kind": model.kind,
        "step": model.checkpoint.manifest.step,
    }
    body = samples.contiguous().numpy().tobytes()
    return Response(body, media_type="application/octet-stream", headers={"X-Samples": json.dumps(about)})
