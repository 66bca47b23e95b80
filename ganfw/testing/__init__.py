"""Checks for authors of parts, to be called from their own tests. A failed check raises `AssertionError`.

They are assert statements, as the tests that call them: `python -O` leaves them out.

`checks_of("ganfw-x")` gives every check of every part of a package, for `pytest.mark.parametrize`.
"""

from ganfw.testing.catalogue import Check as Check
from ganfw.testing.catalogue import checks_of as checks_of
from ganfw.testing.recipe import recipe_using as recipe_using
from ganfw.testing.recipe import small_recipe as small_recipe
from ganfw.testing.resume import assert_same_run as assert_same_run
from ganfw.testing.resume import check_exact_resume as check_exact_resume

__all__ = ["Check", "assert_same_run", "check_exact_resume", "checks_of", "recipe_using", "small_recipe"]
