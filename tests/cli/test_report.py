"""`ganfw report`: a page from run directories."""

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from ganfw.cli import main


def test_report_writes_one_page_and_prints_its_path(trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["report", str(trained), str(trained), "-o", str(page)])

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{page}\n"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>\n")


def test_report_refuses_what_is_no_run_or_no_page(trained: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ([str(trained), "-o", "page.pdf"], "-o page.pdf: the name must end in .html"),
        ([str(tmp_path / "none")], f"{tmp_path / 'none'}: no such run directory; see: ganfw runs"),
    ):
        result = CliRunner().invoke(main, ["report", *arguments])
        assert result.exit_code == 2
        assert result.stderr == f"Error: {message}\n"


def test_report_does_not_import_torch(trained: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ganfw.cli import main\n"
        f"sys.argv = ['ganfw', 'report', {str(trained)!r}, '-o', {str(tmp_path / 'page.html')!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'torch', 'torchvision', 'numpy', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
