"""What the tests share: the option --device of ganfw, and its fixture."""

pytest_plugins = ["ganfw.testing.devices"]
