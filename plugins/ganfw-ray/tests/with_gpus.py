"""Prints how many trials there is room for by default, with half a GPU each and with none, and what two trials see."""

import sys
import time
from pathlib import Path

from ganfw import TrialTask
from ganfw_ray.launcher import Ray

address, log = sys.argv[1:]
launcher = Ray(address=address)
print(launcher.jobs, Ray(address=address, gpus=0.5).jobs, Ray(address=address, gpus=0).jobs, sep="\n")
code = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(3)"
jobs = [launcher.start(TrialTask("trial", (sys.executable, "-c", code), "", Path(log))) for _ in range(2)]
while any(job.result() is None for job in jobs):
    time.sleep(0.1)
print(*sorted(str(job.result()) for job in jobs), sep="\n")
