"""Tables as Markdown, LaTeX and CSV."""

from ganfw.ledger.formats import comma_separated, latex, markdown

ROWS = [
    ["loss", "n", "a_b ↓"],
    ["bce|x", "3", "1.0 ± 0.5"],
    ["50 % & {c}, \\d", "2", "\N{MINUS SIGN}2"],
    ["none", "0", "\N{EN DASH}"],
]


def test_markdown() -> None:
    assert markdown(ROWS) == (
        "| loss | n | a_b ↓ |\n"
        "| --- | --: | --: |\n"
        "| bce\\|x | 3 | 1.0 ± 0.5 |\n"
        "| 50 % & {c}, \\d | 2 | \N{MINUS SIGN}2 |\n"
        "| none | 0 | \N{EN DASH} |"
    )


def test_latex_has_rules_of_booktabs_and_escapes_what_it_obeys() -> None:
    assert latex(ROWS) == (
        "\\begin{tabular}{lrr}\n"
        "\\toprule\n"
        "loss & n & a\\_b $\\downarrow$ \\\\\n"
        "\\midrule\n"
        "bce|x & 3 & 1.0 $\\pm$ 0.5 \\\\\n"
        "50 \\% \\& \\{c\\}, \\textbackslash{}d & 2 & $-$2 \\\\\n"
        "none & 0 & -- \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}"
    )


def test_csv() -> None:
    assert comma_separated([["a", "b"], ["1,5", 'x"y']]) == 'a,b\n"1,5","x""y"'
