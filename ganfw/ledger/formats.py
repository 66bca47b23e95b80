"""Tables of results in the forms that people paste: Markdown, LaTeX, CSV."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence

Rows = Sequence[Sequence[str]]
"""Cells of a table; the first row is its head."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": r"$\pm$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
}


def markdown(rows: Rows) -> str:
    """Return a table of Markdown; numbers stand to the right."""
    aligns = ["--:" if numeric else "---" for numeric in _numeric(rows)]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [escaped[0], aligns, *escaped[1:]])


def latex(rows: Rows) -> str:
    r"""Return a `tabular` of LaTeX, which needs `\usepackage{booktabs}`."""
    columns = "".join("r" if numeric else "l" for numeric in _numeric(rows))
    head, *body = [" & ".join(_escape(cell) for cell in row) + r" \\" for row in rows]
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def comma_separated(rows: Rows) -> str:
    """Return CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().removesuffix("\n")


FORMATS: Mapping[str, Callable[[Rows], str]] = {"markdown": markdown, "latex": latex, "csv": comma_separated}


def _escape(cell: str) -> str:
    return "".join(_LATEX.get(character, character) for character in cell)


def _numeric(rows: Rows) -> list[bool]:
    """Return for each column whether it has numbers below its head, and nothing else but dashes."""
    columns = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(rows[0])
    return [any(map(_is_number, column)) and all(map(_is_number_or_dash, column)) for column in columns]


def _is_number(cell: str) -> bool:
    return re.match(r"[-\N{MINUS SIGN}]?[\d,.]*\d", cell) is not None


def _is_number_or_dash(cell: str) -> bool:
    return cell in ("", "\N{EN DASH}") or _is_number(cell)
