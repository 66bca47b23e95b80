"""How the noise of a generator is drawn without ganfw."""

from attrs import frozen

from ganfw.export.generator import TrainedGenerator


@frozen
class Drawing:
    """One way to draw noise.

    Attributes:
        words: the distribution: `"64 numbers from N(0, 1)"`.
        numpy: an expression that gives 25 vectors; read from a file where only ganfw knows how.
        torch: the same for torch.
        imports: what `numpy` needs besides numpy.
        distribution: `"normal"` or `"uniform"`; None where only ganfw knows how to draw.
        threshold: the largest absolute value of a coordinate of normal noise; None without such a limit.
    """

    words: str
    numpy: str
    torch: str
    imports: tuple[str, ...] = ()
    distribution: str | None = None
    threshold: float | None = None


def drawing_of(trained: TrainedGenerator) -> Drawing:
    """Return how the noise of a generator is drawn: that of ganfw's own parts, or read from a file."""
    shape = f"(25, {trained.z_dim})"
    numbers = f"{trained.z_dim} numbers"
    match trained.noise_part.qualified_name:
        case "ganfw:normal":
            return Drawing(
                f"{numbers} from N(0, 1)",
                f"np.random.default_rng(0).standard_normal({shape}, dtype=np.float32)",
                f"torch.randn{shape}",
                distribution="normal",
            )
        case "ganfw:truncated":
            limit = float(trained.noise_parameters["threshold"])
            return Drawing(
                f"{numbers} from N(0, 1), each between {-limit:g} and {limit:g}",
                f"truncnorm.rvs({-limit!r}, {limit!r}, size={shape}, random_state=0).astype(np.float32)",
                f"torch.nn.init.trunc_normal_(torch.empty{shape}, a={-limit!r}, b={limit!r})",
                ("from scipy.stats import truncnorm",),
                "normal",
                limit,
            )
        case "ganfw:uniform":
            return Drawing(
                f"{numbers}, each uniform between -1 and 1",
                f"np.random.default_rng(0).uniform(-1, 1, {shape}).astype(np.float32)",
                f"torch.rand{shape} * 2 - 1",
                distribution="uniform",
            )
    return Drawing(f"{numbers} from {trained.noise_part}", 'np.load("z.npy")', 'torch.load("z.pt")')
