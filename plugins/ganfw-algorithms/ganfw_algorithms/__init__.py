"""Training algorithms for ganfw, each with its networks and a recipe that shows what it is for."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's parts; their modules are imported when a recipe uses them."""

    def part(kind: str, name: str, target: str, help: str) -> Part:  # noqa: A002 - the field's name
        return Part(kind=kind, name=name, target=f"ganfw_algorithms{target}", help=help)

    yield part("generator", "mlp_classes", ".perceptrons:ClassMLPGenerator", "the MLP, given the class")
    yield part("discriminator", "mlp_classes", ".perceptrons:ClassMLPDiscriminator", "the MLP with a head of classes")
    yield part("regularizer", "auxiliary_classifier", ".acgan:AuxiliaryClassifier", "AC-GAN's term of the classes")
    yield part("metric", "label_agreement", ".acgan:LabelAgreement", "samples of the class that was asked for")
    yield part("recipe", "mnist_acgan", ".recipes:mnist_acgan.toml", "MNIST, digit by digit, with AC-GAN")

    yield part("data", "mnist_slant", ".slant:slanted_digits", "MNIST, each digit with its slant, a number")
    yield part("generator", "mlp_number", ".slant:NumberMLPGenerator", "the MLP, given a number")
    yield part("discriminator", "mlp_number", ".slant:NumberMLPDiscriminator", "the MLP, with a number that is to fit")
    yield part("sampler", "number_traversal", ".slant:NumberTraversal", "the same noise with numbers from low to high")
    yield part("metric", "slant_error", ".slant:SlantError", "how far samples are from the slant that was asked for")
    yield part("recipe", "mnist_slant", ".recipes:mnist_slant.toml", "MNIST with the slant that is asked for")

    yield part("data", "mnist_few_labels", ".semi_supervised:few_labels", "MNIST of which 100 images have a label")
    yield part("discriminator", "mlp_open_set", ".semi_supervised:OpenSetMLP", "K classes, and fakes as none of them")
    yield part("step", "semi_supervised", ".semi_supervised:SemiSupervised", "a classifier against feature matching")
    yield part("callback", "test_error", ".semi_supervised:TestError", "what is classified wrongly, during training")
    yield part("recipe", "mnist_100_labels", ".recipes:mnist_100_labels.toml", "MNIST's classes from 100 labels")

    yield part("discriminator", "mlp_features", ".perceptrons:FeatureMLPDiscriminator", "the MLP, with its features")
    yield part("noise", "codes", ".infogan:Codes", "noise, a category, and numbers to be found again in samples")
    yield part("network", "code_head", ".infogan:CodeHead", "InfoGAN's Q on features of the discriminator")
    yield part("regularizer", "information", ".infogan:Information", "InfoGAN's term of the codes")
    yield part("network", "code_reader", ".augmented_information:CodeReader", "InfoGAN's Q on images")
    yield part(
        "regularizer",
        "augmented_information",
        ".augmented_information:AugmentedInformation",
        "InfoGAN's term on changed images, with a Q that sorts real ones too",
    )
    yield part("sampler", "traversal", ".infogan:Traversal", "samples in which one code moves")
    yield part("callback", "code_purity", ".infogan:CodePurity", "whether the category is the label, during training")
    yield part("recipe", "mnist_infogan", ".recipes:mnist_infogan.toml", "MNIST's classes without labels, with InfoGAN")

    yield part("network", "mlp_encoder", ".bigan:MLPEncoder", "from samples to noise, and features on the way")
    yield part("discriminator", "mlp_pairs", ".bigan:PairMLPDiscriminator", "judges samples with their noise")
    yield part("step", "bigan", ".bigan:BiGAN", "generator and encoder against a discriminator of pairs")
    yield part("sampler", "reconstruction", ".bigan:Reconstruction", "what is made of the codes of given inputs")
    yield part("callback", "linear_probe", ".bigan:LinearProbe", "a linear classifier on features, during training")
    yield part("recipe", "mnist_bigan", ".recipes:mnist_bigan.toml", "features of MNIST without labels, with BiGAN")

    yield part("network", "mlp_codes", ".aae:CodeMLPDiscriminator", "a discriminator of codes, MLP")
    yield part("step", "aae", ".aae:AdversarialAutoencoder", "an autoencoder whose codes are to follow the noise")
    yield part("callback", "autoencoding", ".aae:Autoencoding", "held-out reconstructions and codes, during training")
    yield part("recipe", "mnist_aae", ".recipes:mnist_aae.toml", "MNIST, encoded and decoded, adversarial autoencoder")

    yield part("network", "mlp_gaussian_encoder", ".vaegan:GaussianMLPEncoder", "from samples to normal distributions")
    yield part("discriminator", "mlp_similarity", ".vaegan:SimilarityMLPDiscriminator", "the MLP, with middle features")
    yield part("step", "vaegan", ".vaegan:VAEGAN", "an autoencoder that compares by features of a discriminator")
    yield part(
        "callback",
        "reconstructed_features",
        ".vaegan:ReconstructedFeatures",
        "held-out reconstructions in features of MNIST's classifier, during training",
    )
    yield part("recipe", "mnist_vaegan", ".recipes:mnist_vaegan.toml", "MNIST, encoded and decoded, with VAE-GAN")

    yield part("data", "mnist_outlines", ".pairs:outlines", "outlines of digits, and the digits; in pairs or not")
    yield part("generator", "translator", ".translators:Translator", "from images to images, convolutional")
    yield part("network", "translator", ".translators:Translator", "from images to images, convolutional")
    yield part("discriminator", "patch", ".translators:PatchDiscriminator", "a logit for each patch")
    yield part("network", "patch", ".translators:PatchDiscriminator", "a discriminator of patches of another domain")
    yield part("discriminator", "patch_pairs", ".translators:PairPatchDiscriminator", "patches beside their source")
    yield part(
        "discriminator",
        "multi_scale_patch_pairs",
        ".translators:MultiScalePatches",
        "patches beside their source, at several scales",
    )
    yield part("step", "pix2pix", ".pix2pix:Pix2Pix", "translation learnt from pairs")
    yield part("step", "cyclegan", ".cyclegan:CycleGAN", "translation learnt without pairs")
    yield part(
        "callback", "translation_error", ".translators:TranslationError", "held-out pixel errors, during training"
    )
    yield part("recipe", "mnist_pix2pix", ".recipes:mnist_pix2pix.toml", "outlines to digits, with pix2pix")
    yield part("recipe", "mnist_cyclegan", ".recipes:mnist_cyclegan.toml", "outlines to digits and back, with CycleGAN")

    yield part(
        "sampler", "rejection", ".discriminator_samplers:Rejection", "keeps what the discriminator takes for real"
    )
    yield part(
        "sampler",
        "metropolis_hastings",
        ".discriminator_samplers:MetropolisHastings",
        "chains of fakes that move to what the discriminator takes for real",
    )

    yield part(
        "sampler",
        "latent_langevin",
        ".latent_langevin:LatentLangevin",
        "noise that moves to what the discriminator takes for real",
    )
    yield part("step", "discriminator_only", ".discriminator_only:DiscriminatorOnly", "the generator stays as it is")

    yield part("discriminator", "mlp_packed", ".pacgan:PackedMLPDiscriminator", "judges several samples together")
    yield part("recipe", "stacked_mnist_pacgan", ".recipes:stacked_mnist_pacgan.toml", "modes of Stacked MNIST, PacGAN")

    yield part("regularizer", "lecam", ".lecam:LeCam", "logits near the running mean of the other side's")
    yield part("regularizer", "bcr", ".consistency:BalancedConsistency", "logits that stay where samples are shifted")
    yield part("regularizer", "zcr", ".consistency:LatentConsistency", "logits that stay, samples that move with noise")
    yield part("regularizer", "feature_matching", ".feature_matching:FeatureMatching", "the mean features of real ones")
    yield part("step", "top_k", ".top_k:TopK", "the generator learns from the fakes with the highest logits")
    yield part("step", "extragradient", ".extragradient:Extragradient", "both networks look a step ahead")
    yield part("optimizer", "optimistic_adam", ".optimistic_adam:OptimisticAdam", "Adam that does not circle")
    yield part("optimizer", "lookahead", ".lookahead:Lookahead", "Adam that goes back half of the way at times")
    yield part(
        "optimizer",
        "historical_averaging",
        ".historical_averaging:HistoricalAveraging",
        "Adam with weights drawn to the mean of where they have been",
    )

    yield part("data", "densest", ".densest:densest", "the samples of other data with the highest density of features")

    yield part("network", "mlp_discriminator", ".perceptrons:FeatureMLPDiscriminator", "a further discriminator, MLP")
    yield part("step", "d2gan", ".d2gan:D2GAN", "a discriminator for real samples, and one for fakes")
    yield part("recipe", "grid_d2gan", ".recipes:grid_d2gan.toml", "25 Gaussians in the plane, with D2GAN")

    yield part("discriminator", "mlp_autoencoder", ".ebgan:MLPAutoencoder", "reconstructs samples; an error is energy")
    yield part("loss", "energy_margin", ".ebgan:EnergyMargin", "EBGAN's loss: fakes have at least some energy")
    yield part("regularizer", "pulling_away", ".ebgan:PullingAway", "EBGAN's term against fakes with similar codes")
    yield part("recipe", "grid_ebgan", ".recipes:grid_ebgan.toml", "25 Gaussians in the plane, with EBGAN")

    yield part("step", "began", ".began:BEGAN", "a generator and an autoencoder, held in equilibrium")
    yield part("recipe", "mnist_began", ".recipes:mnist_began.toml", "MNIST, with BEGAN")

    yield part("generator", "mlp_even", ".perceptrons:EvenMLPGenerator", "a small MLP with layers of one width")
    yield part("discriminator", "mlp_even", ".perceptrons:EvenMLPDiscriminator", "a small MLP, layers of one width")
    yield part("step", "unrolled", ".unrolled:Unrolled", "the generator foresees steps of the discriminator")
    yield part("recipe", "ring_unrolled", ".recipes:ring_unrolled.toml", "8 Gaussians on a circle, unrolled GAN")

    yield part("network", "sharpness", ".gman:Sharpness", "how much GMAN's strongest discriminator counts, learnt")
    yield part("step", "gman", ".gman:GMAN", "several discriminators, of which the strongest count most")
    yield part("recipe", "grid_gman", ".recipes:grid_gman.toml", "25 Gaussians in the plane, with GMAN")
