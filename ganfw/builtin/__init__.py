"""The built-in parts: a plugin like any other, found through its entry point and using only public names."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer the built-in parts."""

    def part(kind: str, name: str, target: str, help: str) -> Part:  # noqa: A002 - the field's name
        return Part(kind=kind, name=name, target=f"ganfw.builtin.{target}", help=help)

    yield part("data", "mnist", "mnist:mnist", "70,000 handwritten digits, 28 x 28; shipped with ganfw")
    yield part("data", "stacked_mnist", "stacked_mnist:stacked_mnist", "1,000 modes: three random digits as channels")
    yield part("data", "ring", "mixtures:ring", "points in the plane: 8 narrow Gaussians on a circle")
    yield part("data", "grid", "mixtures:grid", "points in the plane: 25 narrow Gaussians on a square grid")

    yield part("noise", "normal", "noise:Normal", "N(0, I)")
    yield part("noise", "truncated", "noise:Truncated", "N(0, I) with every coordinate in [-t, t]")
    yield part("noise", "uniform", "noise:Uniform", "uniform on [-1, 1] in every coordinate")

    yield part("generator", "mlp", "mlp:MLPGenerator", "multilayer perceptron with BatchNorm")
    yield part("discriminator", "mlp", "mlp:MLPDiscriminator", "multilayer perceptron with LeakyReLU")

    yield part("loss", "bce", "losses:BCE", "binary cross-entropy, non-saturating generator")
    yield part("loss", "minimax", "losses:Minimax", "binary cross-entropy, the saturating original")
    yield part("loss", "lsgan", "losses:LSGAN", "squared distance of logits from 0 and 1")
    yield part("loss", "hinge", "losses:Hinge", "a margin of 1 on each side of the decision")
    yield part("loss", "wasserstein", "losses:Wasserstein", "difference of mean logits; limit the critic's slope")
    yield part("loss", "logistic", "losses:Logistic", "non-saturating, as StyleGAN writes it: twice bce")
    yield part("loss", "relativistic", "losses:Relativistic", "which of a pair is the real one, as in R3GAN")

    yield part("regularizer", "r1", "gradient_penalties:R1", "squared slope of the discriminator at real samples")
    yield part("regularizer", "r2", "gradient_penalties:R2", "squared slope of the discriminator at fakes")
    yield part(
        "regularizer", "gradient_penalty", "gradient_penalties:GradientPenalty", "slope 1 between reals and fakes"
    )
    yield part("regularizer", "dragan", "gradient_penalties:Dragan", "slope 1 around real samples")
    yield part("regularizer", "weight_clipping", "weight_clipping:WeightClipping", "bounds on the critic's weights")

    yield part("optimizer", "adam", "optimizers:adam", "Adam")
    yield part("optimizer", "adamw", "optimizers:adamw", "Adam with decoupled weight decay")
    yield part("optimizer", "rmsprop", "optimizers:rmsprop", "RMSprop")
    yield part("optimizer", "sgd", "optimizers:sgd", "stochastic gradient descent, with momentum if wished")

    yield part("schedule", "linear", "schedules:Linear", "constant, then falling on a line; warm-up if wished")
    yield part("schedule", "cosine", "schedules:Cosine", "falling along a cosine; warm-up if wished")

    yield part("averaging", "ema", "ema:EMA", "an exponential moving average")

    yield part("sampler", "translation", "translation:Translation", "a network's outputs for given inputs")

    yield part("step", "alternating", "alternating:Alternating", "discriminator updates, then generator updates")

    yield part("callback", "health", "health:Health", "stops on values that are not finite, warns of collapse")
    yield part("callback", "progress", "progress:Progress", "a progress bar, or plain lines without a terminal")
    yield part("callback", "metrics", "metrics:Metrics", "one line of metrics.jsonl for each window")
    yield part("callback", "sample_grid", "sample_pictures:SampleGrid", "pictures of samples of a fixed noise")
    yield part("callback", "sample_scatter", "sample_pictures:SampleScatter", "pictures of points over the real ones")
    yield part("callback", "sample_lines", "sample_pictures:SampleLines", "pictures of series, a line for each")
    yield part("callback", "profile", "profile:Profile", "a trace and a table of what the time of a step goes to")
    yield part("callback", "checkpoint", "checkpoint:Checkpoint", "all state, to resume and to sample from")
    yield part("callback", "evaluate", "evaluate:Evaluate", "evaluations during training, and the best checkpoint")

    yield part("launcher", "local", "local:Local", "processes on this machine, several at once")

    yield part("embedding", "mnist_classifier", "mnist_classifier:mnist_classifier", "the shipped classifier of digits")
    yield part("embedding", "classifier", "mnist_classifier:classifier", "your own classifier")
    by_channel = "the shipped classifier on each of three channels"
    yield part("embedding", "stacked_mnist_classifier", "stacked_mnist:StackedMNISTClassifier", by_channel)
    yield part("embedding", "pixels", "pixels:Pixels", "the values themselves, a baseline")
    yield part("embedding", "inception", "inception:inception", "Inception v3 of torch-fidelity, an extra")

    yield part("metric", "frechet_distance", "frechet_distance:FrechetDistance", "distance of Gaussians fitted to them")
    yield part("metric", "kernel_distance", "kernel_distance:KernelDistance", "squared mean discrepancy, unbiased")
    yield part("metric", "precision_recall", "neighbourhoods:PrecisionRecall", "how real samples look, what they reach")
    yield part("metric", "density_coverage", "neighbourhoods:DensityCoverage", "the same, less led by outliers")
    yield part("metric", "classifier_score", "classifier_score:ClassifierScore", "what a classifier makes of samples")
    yield part("metric", "nearest_neighbours", "nearest_neighbours:NearestNeighbours", "copies of training samples")
    yield part("metric", "diversity", "diversity:Diversity", "how different samples are from each other")
    yield part("metric", "ring_modes", "mixtures:ring_modes", "modes of the data `ring` that samples fall on")
    yield part("metric", "grid_modes", "mixtures:grid_modes", "modes of the data `grid` that samples fall on")
    yield part("metric", "stacked_modes", "stacked_mnist:StackedModes", "modes of Stacked MNIST that are found")

    def recipe(name: str, help: str) -> Part:  # noqa: A002 - the field's name
        return Part(kind="recipe", name=name, target=f"ganfw.recipes:{name}.toml", help=help)

    yield recipe("mnist_mlp", "the classic first GAN on MNIST: two MLPs, 200 epochs")
    yield recipe("mnist_mlp_fast", "the same MLPs with what came since: far better in a twentieth of the time")
    yield recipe("mnist_mlp_dash", "mnist_mlp_fast for 700 steps: mnist_mlp's last quality in seconds")
    yield recipe("stacked_mnist_mlp", "1,000 modes of three digits: two MLPs with the relativistic loss")
    yield recipe("grid_mlp", "25 Gaussians in the plane: two MLPs with the relativistic loss")
    yield recipe("ring_mlp", "8 Gaussians on a circle: two MLPs with the relativistic loss")
    yield recipe("mnist_mlp_short", "the same networks with later rates, 5 epochs: to compare losses")
    yield recipe("mnist_mlp_minimax", "mnist_mlp_short with the saturating loss")
    yield recipe("mnist_mlp_lsgan", "mnist_mlp_short with least squares")
    yield recipe("mnist_mlp_hinge", "mnist_mlp_short with the hinge loss")
    yield recipe("mnist_mlp_logistic", "mnist_mlp_short with the logistic loss and R1")
    yield recipe("mnist_mlp_wgan", "mnist_mlp_short with the Wasserstein loss and weight clipping")
    yield recipe("mnist_mlp_wgan_gp", "mnist_mlp_short with the Wasserstein loss and a gradient penalty")
    yield recipe("mnist_mlp_dragan", "mnist_mlp_short with the penalty of DRAGAN")
    yield recipe("mnist_mlp_relativistic", "mnist_mlp_short with the relativistic loss, R1 and R2")
