#!/usr/bin/env bash
# What this machine, or its GPU, makes of ganfw: the tests of numbers on it, then speed, first step and memory.
#
#     benchmarks/device.sh                  # on the CPU
#     benchmarks/device.sh --device cuda    # on the GPU
#
# Takes at most eight minutes and no network. The last lines are tables in Markdown; everything measured is in a JSON
# file, whose path stands above them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec python "$here/device.py" "$@"
