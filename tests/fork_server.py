"""Runs ganfw again and again in forked children, for importing torch takes longer than a tiny run.

Each line of standard input is a request, a JSON object; each is answered by a line: `[exit status, output]`. With the
argument `trained` it trains once before, so that children need not import and build what that needs either.

A child is killed after `kill_after_seconds`, or when there is something at the path `kill_at`. `watched`, if it is not
null, says what happens at operations: `folder`, `spared`, `before` and `command`. An *operation* is anything that
changes names in the folder of runs, called what it does and how often it did that before:
`"mkdir checkpoints/.step-000004.tmp 0"`.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

import PIL.Image  # noqa: F401 - what ganfw imports late is here imported once
import torch
import torchvision.utils  # noqa: F401

import ganfw.run.resume
from ganfw.cli import main

WRITING = os.O_WRONLY | os.O_RDWR


def changed_path(event: str, arguments: tuple[Any, ...]) -> Path | None:
    """Return what an audit event is about to change: to open for writing, to make, to rename or to remove."""
    match event, arguments:
        case "open", (str() | bytes() as path, _, int(flags)) if flags & WRITING:
            folder = -1
        case "os.mkdir", (path, _, folder):
            pass
        case (("os.remove" | "os.rmdir"), (path, folder)):
            pass
        case "os.rename", (path, _, folder, _):
            pass
        case _:
            return None
    return (Path.cwd() if folder == -1 else Path(f"/proc/self/fd/{folder}").readlink()) / os.fsdecode(path)


def watch_operations(folder: str, spared: list[str] | None, before: str, command: str) -> None:
    """Die at the first operation that is not spared, if a list of those is given; run a command before another."""
    seen: Counter[str] = Counter()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        path = changed_path(event, arguments)
        if path is None or Path(folder) not in path.parents:
            return
        inside = Path(*path.relative_to(folder).parts[1:])  # the first is the number of the run
        name = re.sub(r"\.\d+\.tmp$", ".tmp", f"{event.removeprefix('os.')} {inside}")
        operation = f"{name} {seen[name]}"
        seen[name] += 1
        if spared is not None and operation not in spared:
            os.write(2, operation.encode())
            os.kill(os.getpid(), signal.SIGKILL)
        if operation == before:
            subprocess.run(command, shell=True, stderr=subprocess.DEVNULL)

    sys.addaudithook(hook)


def run_ganfw(arguments: list[str]) -> NoReturn:
    """Do what the command `ganfw` does, but end without the second that torch takes to leave."""
    sys.argv = ["ganfw", *arguments]
    status = 1
    try:
        main()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def train_once() -> None:
    """Import and build what every trial of a sweep does."""
    small = {"generator": {"hidden_dim": 4}, "discriminator": {"hidden_dim": 4}, "data": {"split": "test"}}
    recipe = ganfw.Recipe(extends="mnist_mlp", run={"max_steps": 1, "device": "cpu"}, **small)
    experiment = ganfw.assemble(ganfw.resolve(recipe, ganfw.discover()))
    with tempfile.TemporaryDirectory() as folder:
        ganfw.train(experiment, directory=ganfw.create_run_directory(Path(folder), experiment))


def serve() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        readable, writable = os.pipe()  # a file would fall under the limit on files that a test may set
        child = os.fork()
        if child == 0:
            for descriptor in (1, 2):
                os.dup2(writable, descriptor)
            if request["watched"] is not None:
                watch_operations(**request["watched"])
            run_ganfw(request["arguments"])
        os.close(writable)
        process = os.pidfd_open(child)
        path, seconds = request["kill_at"], request["kill_after_seconds"]
        while not select.select([process], [], [], seconds if path is None else 0.002)[0]:
            if path is None or os.path.exists(path):  # noqa: PTH110 - again and again
                break
        os.close(process)
        os.kill(child, signal.SIGKILL)  # too late for one that has ended
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with os.fdopen(readable) as output:
            print(json.dumps([status, output.read()]), flush=True)


torch.set_num_threads(1)
if sys.argv[1:] == ["trained"]:
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - what the run prints
    train_once()
    sys.stderr = sys.__stderr__
else:
    ganfw.resolve(ganfw.Recipe(extends="mnist_mlp"), ganfw.discover())  # loads its parts
serve()
