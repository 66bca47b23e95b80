"""The contract of every kind of part, as ganfw checks it."""

from pathlib import Path

import pytest
import torch

from ganfw.testing import Check, checks_of

CHECKS = checks_of("ganfw-mlflow")


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_parts_keep_their_contract(device: torch.device, check: Check, tmp_path: Path) -> None:
    check(tmp_path, device=device)


def test_every_part_is_checked() -> None:
    assert {check.subject for check in CHECKS} == {"plugin ganfw-mlflow", "callback mlflow"}
