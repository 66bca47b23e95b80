"""A real server, asked by a real client: who may ask, and what malformed requests do."""

import asyncio
import http.client
import json
import random
import socket
import string
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import torch
from starlette.types import Receive, Scope, Send

import ganfw
from ganfw import InputError
from ganfw.images import to_uint8
from ganfw.play.guard import HEADERS, Guard
from ganfw.play.serving import Playground, open_playground

Serve = Callable[..., Playground]

GRID = "api/samples?view=grid&run=0&count=25&seed=3"
MALFORMED = 1000


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(playground: Playground, path: str, *, method: str = "GET", token: bool = True, **headers: str) -> Answer:
    """Ask for a path behind the token; headers are written with `_` for `-`."""
    address = urlsplit(playground.address)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    whole = f"{address.path}{path}" if token else f"/{path}"
    connection.request(method, whole, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return each file below a folder with the time of its change and its content."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_samples_are_sent_as_they_are_drawn(serve: Serve, digits: Path, ring: Path) -> None:
    playground = serve(digits, ring)

    images, points = ask(playground, GRID), ask(playground, GRID.replace("run=0", "run=1"))

    drawn = [ganfw.open_checkpoint(run).source(ganfw.discover(), "cpu").sample(25, seed=3) for run in (digits, ring)]
    about = json.loads(images.headers["X-Samples"])
    assert (about["kind"], about["shape"], about["step"]) == ("images", [25, 1, 28, 28], 10)
    assert images.body == to_uint8(drawn[0]).numpy().tobytes()
    assert json.loads(points.headers["X-Samples"])["kind"] == "points"
    assert torch.equal(torch.from_numpy(np.frombuffer(points.body, "<f4").copy()), drawn[1].flatten())


def test_answers_are_not_held_back(playground: Playground) -> None:
    """Nagle's algorithm, with delayed acknowledgements, would hold each back for 40 ms."""
    address = urlsplit(playground.address)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    took = []
    for _ in range(20):
        started = time.perf_counter()
        connection.request("GET", f"{address.path}api/samples?view=grid&run=0&count=25&seed=0")
        connection.getresponse().read()
        took.append(time.perf_counter() - started)
    connection.close()

    assert min(took) < 0.035


def test_the_page_is_told_of_its_runs_and_their_checkpoints(serve: Serve, classes: Path, translations: Path) -> None:
    playground = serve(classes, translations)

    first, second = ask(playground, "api/runs").json["runs"]
    assert (first["label"], first["kind"], first["z_dim"], first["classes"]) == ("classes-1", "images", 48, 10)
    assert (first["truncation"], first["inputs"]) == (True, False)
    assert first["keeps"] == {"every_steps": 5, "keep": 2}
    assert (second["z_dim"], second["truncation"], second["inputs"]) == (None, False, True)
    assert ask(playground, "api/steps").json == [{"steps": [5, 10], "newest": 10}, {"steps": [1], "newest": 1}]


def test_the_code_of_a_view_is_reported(playground: Playground, digits: Path) -> None:
    code = ask(playground, "api/code?view=grid&run=0&count=25&seed=3&step=5&truncation=0.5").json
    none = ask(playground, "api/code?view=map&run=0&seed=3").json

    assert code["command"].startswith(f"ganfw sample {digits}/checkpoints/step-000005 -n 25 --seed 3 --truncation 0.5")
    assert "samples = source.sample(25, seed=3, truncation=0.5)" in code["python"]
    assert (none["command"], none["why"]) == (None, "No command moves in a plane.")


def test_nothing_is_answered_without_the_token(playground: Playground, digits: Path) -> None:
    for path in ("", "page.js", GRID, "api/runs", f"{'x' * 32}/", f"{'ä' * 8}/".encode().decode("latin1")):
        answer = ask(playground, quote(path, safe="/?&="), token=False)
        assert answer.status == 403
        assert answer.json == {"error": "the address lacks the token: open the one that ganfw play has printed"}
    assert ask(playground, "").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "8.8.8.8", "", "localhost.x"]
)
def test_another_name_for_this_machine_is_refused(playground: Playground, host: str) -> None:
    answer = ask(playground, "api/runs", Host=host)

    assert (answer.status, answer.json) == (421, {"error": "this server is not called by that name"})


@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("192.168.1.5:80", 403), ("[fe80::1]", 403)])
def test_a_server_for_others_is_still_not_called_by_a_foreign_name(host: str, status: int) -> None:
    """With an address of its own the machine is reached, and lacks the token."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x/", "headers": [(b"host", host.encode())]}
    asyncio.run(Guard(_never, "token", "0.0.0.0")(scope, _never, send))

    assert sent[0]["status"] == status


async def _never(*_: Any) -> Any:
    raise AssertionError("nothing is asked of the application")


def test_names_of_this_machine_are_answered(playground: Playground, digits: Path) -> None:
    for host in ("localhost", "localhost:9000", "127.0.0.1", "[::1]:80", "LOCALHOST:1"):
        assert ask(playground, "api/steps", Host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    ],
)
def test_another_page_may_not_ask(playground: Playground, headers: dict[str, str]) -> None:
    answer = ask(playground, GRID, **headers)

    assert (answer.status, answer.json) == (403, {"error": "only the playground's own page may ask"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_link_to_the_page_may_be_followed_from_anywhere(playground: Playground, digits: Path) -> None:
    port = urlsplit(playground.address).port

    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(playground, "", **link).status == 200
    own = {"Origin": f"http://127.0.0.1:{port}", "Sec_Fetch_Site": "same-origin"}
    assert ask(playground, "api/steps", **own).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_get_is_answered(playground: Playground, method: str) -> None:
    answer = ask(playground, "api/runs", method=method)

    assert (answer.status, answer.json) == (405, {"error": "this server is only asked, by GET"})


def test_every_answer_has_the_headers_that_keep_it_apart(playground: Playground, digits: Path) -> None:
    for answer in (ask(playground, ""), ask(playground, GRID), ask(playground, "x"), ask(playground, "", token=False)):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "Server" not in answer.headers
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]


def test_a_mistake_is_answered_in_a_sentence(playground: Playground, digits: Path) -> None:
    answer = ask(playground, GRID.replace("count=25", "count=101"))
    assert (answer.status, answer.json) == (400, {"error": "at most 100 such samples are drawn at once"})
    answer = ask(playground, "api/nothing")
    assert (answer.status, answer.json) == (404, {"error": "there is nothing at this address"})
    answer = ask(playground, f"{GRID}&class=3")
    assert (answer.status, answer.json) == (
        400,
        {"error": "this generator is not conditional and takes no labels; leave them out"},
    )


def test_a_thousand_malformed_requests_harm_nothing(playground: Playground, digits: Path) -> None:
    before, expected = contents(digits), ask(playground, GRID).body
    draw = random.Random(0)
    names = [
        "view",
        "run",
        "step",
        "seed",
        "count",
        "truncation",
        "class",
        "sampler",
        "number",
        "from",
        "of",
        "changes",
    ]
    words = ["grid", "path", "nearest", "0", "-1", "1e999", "9" * 400, "0-0-1", "0-0", "", "nan", "../../etc/passwd"]
    words += ["%00", "%ff", "<script>", "1:2,3", "0:0," * 90, "\u0663", "1;drop", "{}", "[]", "None", "1_0", "+1", " 1"]
    seen: dict[int, int] = {}
    for _ in range(MALFORMED):
        chosen = draw.choices(names, k=draw.randrange(6))
        query = "&".join(f"{name}={quote(draw.choice(words), safe='%:,;&=')}" for name in chosen)
        noise = "".join(draw.choices(string.printable, k=draw.randrange(12)))
        path = draw.choice(
            ["api/samples?", "api/samples?view=grid&run=0&", "api/code?", "", "../", "api/", "//", "%2e%2e/"]
        )
        answer = ask(playground, path + query + quote(noise, safe="&=;/?"))
        seen[answer.status] = seen.get(answer.status, 0) + 1
        assert answer.status in (200, 400, 403, 404), (path, query, noise)
        assert b"Traceback" not in answer.body

    assert seen[400] > MALFORMED / 3
    assert ask(playground, GRID).body == expected
    assert contents(digits) == before


def test_what_is_no_http_harms_nothing(playground: Playground, digits: Path) -> None:
    address = urlsplit(playground.address)
    draw = random.Random(0)
    lines = [
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000,
        b"\x00" * 100,
    ]
    for line in [*lines, *(draw.randbytes(200) for _ in range(20))]:
        with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            assert b"Traceback" not in connection.recv(4096)

    assert ask(playground, "api/steps").status == 200


def test_an_error_of_the_program_is_a_sentence_without_a_traceback() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("a secret")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/token/", "headers": [(b"host", b"127.0.0.1")]}
    with pytest.raises(ZeroDivisionError):  # which the server prints on its own terminal
        asyncio.run(Guard(broken, "token", "127.0.0.1")(scope, receive, send))

    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"]) == {
        "error": "something went wrong; the terminal that the server runs in says what"
    }


def test_an_address_that_is_taken_is_an_error(playground: Playground, digits: Path) -> None:
    port = int(urlsplit(playground.address).port or 0)

    with pytest.raises(InputError) as caught:
        open_playground([], port=port)
    assert str(caught.value) == (
        f"127.0.0.1, port {port}: cannot be listened at: Address already in use; choose --host or --port"
    )
    with pytest.raises(InputError, match=r"^nowhere.invalid, port 0: cannot be listened at: "):
        open_playground([], host="nowhere.invalid")
