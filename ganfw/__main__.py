"""`python -m ganfw` is `ganfw`."""

from ganfw.cli import main

main()
