import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganfw import InputError, Part, PartError, Registry
from ganfw.plugins.context import CONTEXT_OF
from ganfw.plugins.part import KINDS
from ganfw.plugins.registry import Plugin, RegisteredPart, describe

WriteModule = Callable[[str, str], None]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteModule]:
    """Write modules that can be imported for the length of a test."""
    written = []

    def write(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        written.append(name)
        monkeypatch.syspath_prepend(tmp_path)

    yield write
    for name in written:
        sys.modules.pop(name, None)


def plugin(distribution: str, *names: str, kind: str = "loss", target: str = "parts_x:Loss") -> Plugin:
    parts = tuple(Part(kind=kind, name=name, target=target) for name in names)
    return Plugin(distribution, "1.0", "parts_x", parts)


def offer(target: str) -> RegisteredPart:
    return next(Registry((plugin("ganfw-x", "wgan", target=target),)).parts())


class TestListing:
    def test_offers_come_in_the_order_of_the_plugins(self) -> None:
        registry = Registry((plugin("b", "one", "two"), plugin("a", "one", kind="noise")))
        assert [str(offer) for offer in registry.parts()] == [
            "loss 'one' (b 1.0)",
            "loss 'two' (b 1.0)",
            "noise 'one' (a 1.0)",
        ]

    def test_offers_can_be_of_one_kind(self) -> None:
        registry = Registry((plugin("b", "one"), plugin("a", "one", kind="noise")))
        assert [str(offer) for offer in registry.parts("noise")] == ["noise 'one' (a 1.0)"]
        assert list(registry.parts("step")) == []

    def test_kinds_of_this_version_come_before_those_of_plugins(self) -> None:
        registry = Registry((plugin("a", "html", kind="exporter"), plugin("b", "one")))
        assert registry.kinds() == (*KINDS, "exporter")

    def test_two_offers_of_one_name_are_both_listed(self) -> None:
        registry = Registry((plugin("b", "wgan"), plugin("a", "wgan")))
        assert [offer.qualified_name for offer in registry.parts("loss")] == ["b:wgan", "a:wgan"]


class TestFind:
    def test_a_bare_name_means_the_one_part_of_that_name_and_kind(self) -> None:
        registry = Registry((plugin("a", "one", "two"), plugin("b", "one", kind="noise")))
        assert registry.find("loss", "one").qualified_name == "a:one"
        assert registry.find("noise", "one").qualified_name == "b:one"

    def test_a_qualified_name_always_works(self) -> None:
        registry = Registry((plugin("a", "wgan"), plugin("b", "wgan")))
        assert registry.find("loss", "b:wgan").plugin.distribution == "b"

    def test_a_bare_name_that_two_plugins_offer_is_an_error_with_both_qualified_names(self) -> None:
        registry = Registry((plugin("a", "wgan"), plugin("b", "wgan")))
        with pytest.raises(PartError) as caught:
            registry.find("loss", "wgan")
        assert str(caught.value) == "loss 'wgan' is offered by 2 plugins; write 'a:wgan' or 'b:wgan'"

    @pytest.mark.parametrize(
        ("kind", "name", "message"),
        [
            ("los", "wgan", "unknown kind 'los'; did you mean 'loss'?; see: ganfw parts"),
            ("x", "wgan", "unknown kind 'x'; see: ganfw parts"),
            ("loss", "wgn", "no loss is named 'wgn'; did you mean 'wgan'?; see: ganfw parts loss"),
            ("loss", "", "no loss is named ''; see: ganfw parts loss"),
            ("loss", "os:path", "no loss is named 'os:path'; install its package: pip install os; "
             "see: ganfw parts loss"),
            ("loss", "mine.py:x", "no loss is named 'mine.py:x'; it is of a script: give it with --plugin mine.py; "
             "see: ganfw parts loss"),
            ("loss", "a:wgn", "no loss is named 'a:wgn'; did you mean 'a:wgan'?; see: ganfw parts loss"),
            ("loss", "y:wgan", "no loss is named 'y:wgan'; did you mean 'b:wgan' or 'a:wgan'?; install its package: "
             "pip install y; see: ganfw parts loss"),
            ("recipe", "mnist", "no recipe is named 'mnist'; see: ganfw recipes"),
            ("loss", "\x1b[2J", r"no loss is named '\x1b[2J'; see: ganfw parts loss"),
            ("loss", "x; rm -r .:y", "no loss is named 'x; rm -r .:y'; see: ganfw parts loss"),
            ("loss", "y" * 99, f"no loss is named '{'y' * 56}...; see: ganfw parts loss"),
        ],
    )  # fmt: skip
    def test_a_name_that_means_nothing_gets_help(self, kind: str, name: str, message: str) -> None:
        registry = Registry((plugin("a", "wgan"), plugin("b", "wgan")))
        with pytest.raises(PartError) as caught:
            registry.find(kind, name)
        assert str(caught.value) == message

    def test_a_missing_part_names_the_plugins_that_failed(self) -> None:
        failed = [Plugin(name, "1", name, status="failed", reason=f"no {name}") for name in ("x", "y")]
        with pytest.raises(PartError) as caught:
            Registry((plugin("a", "bce"), *failed)).find("loss", "wgan")
        assert str(caught.value) == (
            "no loss is named 'wgan'; plugin 'x' might offer it but failed: no x; "
            "plugin 'y' might offer it but failed: no y; see: ganfw parts loss"
        )

    def test_a_qualified_name_of_a_failed_plugin_does_not_say_to_install_it(self) -> None:
        failed = Plugin("x", "1", "x", status="failed", reason="it is broken")
        with pytest.raises(PartError) as caught:
            Registry((failed,)).find("loss", "x:wgan")
        assert str(caught.value) == (
            "no loss is named 'x:wgan'; plugin 'x' might offer it but failed: it is broken; see: ganfw parts loss"
        )

    def test_a_qualified_name_of_an_installed_plugin_that_is_spelt_differently_does_not_say_to_install_it(self) -> None:
        with pytest.raises(PartError) as caught:
            Registry((plugin("ganfw-x", "wgan"),)).find("loss", "ganfw_X:wgan")
        assert str(caught.value) == (
            "no loss is named 'ganfw_X:wgan'; did you mean 'ganfw-x:wgan'?; see: ganfw parts loss"
        )

    def test_a_qualified_name_of_a_plugin_without_parts_does_not_say_to_install_it(self) -> None:
        with pytest.raises(PartError) as caught:
            Registry((plugin("x"),)).find("loss", "x:wgan")
        assert str(caught.value) == "no loss is named 'x:wgan'; see: ganfw parts loss"

    def test_a_qualified_name_of_a_blocked_plugin_says_so(self) -> None:
        with pytest.raises(PartError) as caught:
            Registry((Plugin("x", "1", "x", status="blocked"),)).find("loss", "x:wgan")
        assert str(caught.value) == (
            "no loss is named 'x:wgan'; plugin 'x' is blocked by --no-plugin or GANFW_PLUGINS; see: ganfw parts loss"
        )


class TestLoad:
    def test_a_part_is_imported_when_it_is_loaded_and_not_before(self, write_module: WriteModule) -> None:
        write_module("parts_x", "class Loss:\n    pass\n")
        registry = Registry((plugin("ganfw-x", "wgan"),))
        found = registry.find("loss", "wgan")
        assert "parts_x" not in sys.modules
        assert found.load() is sys.modules["parts_x"].Loss
        assert registry.load("loss", "wgan") is sys.modules["parts_x"].Loss

    def test_a_target_may_be_an_attribute_of_an_attribute(self, write_module: WriteModule) -> None:
        write_module("parts_x", "class Losses:\n    class Wgan:\n        pass\n")
        assert offer("parts_x:Losses.Wgan").load() is sys.modules["parts_x"].Losses.Wgan

    @pytest.mark.parametrize(
        ("source", "target", "reason"),
        [
            ("raise RuntimeError('no licence')", "parts_x:Loss", "RuntimeError: no licence"),
            ("raise SystemExit(3)", "parts_x:Loss", "SystemExit: 3"),
            ("raise BaseException", "parts_x:Loss", "BaseException"),
            ("import no_such_module", "parts_x:Loss", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("", "parts_x:Loss", "AttributeError: module 'parts_x' has no attribute 'Loss'"),
            ("class Loss: pass", "parts_x:Loss.x", "AttributeError: type object 'Loss' has no attribute 'x'"),
            ("", "no_such_parts:Loss", "ModuleNotFoundError: No module named 'no_such_parts'"),
            ("class class", "parts_x:Loss", "SyntaxError: invalid syntax (parts_x.py, line 1)"),
            ("def __getattr__(name): raise SystemExit('bye')", "parts_x:Loss", "SystemExit: bye"),
        ],
    )
    def test_a_part_that_cannot_be_loaded_is_an_error_with_its_package_and_reason(
        self, write_module: WriteModule, source: str, target: str, reason: str
    ) -> None:
        write_module("parts_x", source)
        with pytest.raises(PartError) as caught:
            offer(target).load()
        assert str(caught.value) == f"loss 'wgan' (ganfw-x 1.0) cannot be loaded from '{target}': {reason}"

    def test_an_interrupt_while_loading_is_an_interrupt(self, write_module: WriteModule) -> None:
        write_module("parts_x", "raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            offer("parts_x:Loss").load()


class TestSignature:
    def test_the_signature_of_a_part_is_its_schema(self, write_module: WriteModule) -> None:
        write_module("parts_x", "class Loss:\n    def __init__(self, z_dim, /, *, weight: float = 1.0): ...\n")
        signature = offer("parts_x:Loss").signature()
        assert (signature.context, list(signature.keys)) == (("z_dim",), ["weight"])

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("Loss = 3", "loss 'wgan' (ganfw-x 1.0): its target 'parts_x:Loss' must be a class or function"),
            (
                "def Loss(learning_rate, /): ...",
                "loss 'wgan' (ganfw-x 1.0) asks for 'learning_rate', which a loss is not given; it may ask for "
                + ", ".join(CONTEXT_OF["loss"]),
            ),
            ("def Loss(*, weight): ...", "loss 'wgan' (ganfw-x 1.0): parameter 'weight' has no type; give it one"),
        ],
    )
    def test_a_part_with_an_unusable_signature_is_an_error(
        self, write_module: WriteModule, source: str, message: str
    ) -> None:
        write_module("parts_x", source)
        with pytest.raises(PartError) as caught:
            offer("parts_x:Loss").signature()
        assert str(caught.value) == message


class TestBuild:
    def test_a_part_gets_the_context_arguments_it_asks_for_and_its_parameters_with_their_types(
        self, write_module: WriteModule
    ) -> None:
        write_module(
            "parts_x",
            "def Loss(z_dim, seed, /, *, rate: float, betas: tuple[float, ...] = ()): return z_dim, seed, rate, betas",
        )
        built = offer("parts_x:Loss").build({"seed": 7, "z_dim": 64, "noise": None}, {"rate": 1, "betas": [0, 0.5]})
        assert repr(built) == "(64, 7, 1.0, (0.0, 0.5))"

    def test_an_optional_context_argument_that_is_not_there_keeps_its_default(self, write_module: WriteModule) -> None:
        write_module("parts_x", "def Loss(seed, num_classes=3, device=None, /): return seed, num_classes, device")
        assert offer("parts_x:Loss").build({"seed": 7}, {}) == (7, 3, None)
        assert offer("parts_x:Loss").build({"seed": 7, "device": "cpu"}, {}) == (7, 3, "cpu")
        assert offer("parts_x:Loss").build({"seed": 7, "num_classes": 10}, {}) == (7, 10, None)

    def test_a_context_argument_that_its_kind_is_not_given_is_an_error(self, write_module: WriteModule) -> None:
        write_module("parts_x", "def Loss(generator, /): ...")
        with pytest.raises(PartError) as caught:
            offer("parts_x:Loss").build({"seed": 7}, {})
        assert str(caught.value) == (
            "loss 'wgan' (ganfw-x 1.0) asks for 'generator', which a loss is not given; it may ask for "
            + ", ".join(CONTEXT_OF["loss"])
        )

    def test_a_part_that_refuses_its_parameters_is_named(self, write_module: WriteModule) -> None:
        write_module("parts_x", "from ganfw import InputError\ndef Loss(): raise InputError('too wide')")
        with pytest.raises(InputError) as caught:
            offer("parts_x:Loss").build({}, {})
        assert str(caught.value) == "loss 'wgan' (ganfw-x 1.0): too wide"

    def test_a_mistake_in_the_code_of_a_part_keeps_its_traceback(self, write_module: WriteModule) -> None:
        write_module("parts_x", "def Loss(): return 1 / 0")
        with pytest.raises(ZeroDivisionError):
            offer("parts_x:Loss").build({}, {})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (SystemExit(), "SystemExit"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_an_error_is_said_in_a_line(error: BaseException, expected: str) -> None:
    assert describe(error) == expected
