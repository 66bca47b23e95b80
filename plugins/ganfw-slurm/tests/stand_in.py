"""A stand-in for the commands of Slurm: `python stand_in.py sbatch|srun|sacct|scancel …`, each job a process here.

Its state is in the folder `$STAND_IN`. Jobs wait in the queue while the file `full` is there, and are refused if
`refuses` is there. It shows that the launcher talks to Slurm as submitit does, not that a cluster would answer so.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["STAND_IN"])


def sbatch(script: str) -> None:
    if (FOLDER / "refuses").exists():
        sys.exit("sbatch: error: Batch job submission failed: Invalid account")
    number = 1 + len(list(FOLDER.glob("*.sh")))
    (FOLDER / f"{number}.sh").write_text(Path(script).read_text())
    if not (FOLDER / "full").exists():
        environment = {**os.environ, "SLURM_JOB_ID": str(number), "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
        command, quiet = ["bash", f"{FOLDER}/{number}.sh"], subprocess.DEVNULL
        job = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)
        (FOLDER / f"{number}.pid").write_text(str(job.pid))
    print(f"Submitted batch job {number}")


def srun(*arguments: str) -> None:
    python = arguments.index(sys.executable)
    os.execv(sys.executable, arguments[python:])


def sacct(*arguments: str) -> None:
    print("JobID|State|NodeList")
    for number in arguments[arguments.index("-j") + 1 :: 2]:
        print(f"{number}|{_state(number)}|here")


def scancel(*arguments: str) -> None:
    *options, number = arguments
    if options == ["--state=PENDING"] and _state(number) != "PENDING":
        return
    (FOLDER / f"{number}.cancelled").touch()
    if _state(number) == "RUNNING":
        os.killpg(int((FOLDER / f"{number}.pid").read_text()), signal.SIGTERM)


def _state(number: str) -> str:
    pid = FOLDER / f"{number}.pid"
    if pid.exists() and _lives(int(pid.read_text())):
        return "RUNNING"
    if (FOLDER / f"{number}.cancelled").exists():
        return "CANCELLED by 0"
    return "COMPLETED" if pid.exists() else "PENDING"


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scancel": scancel}[sys.argv[1]](*sys.argv[2:])
