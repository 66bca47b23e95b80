"""The public names of ganfw and the modules they are in; `ganfw/__init__.py` imports each when it is first used."""

from .data import Batch as Batch
from .data import RowRandom as RowRandom
from .data import TensorData as TensorData
from .engine.device import choose_device as choose_device
from .engine.gradients import update as update
from .engine.networks import call_with_labels as call_with_labels
from .engine.networks import treats_rows_alone as treats_rows_alone
from .engine.sampling import (
    draw_noise as draw_noise,
)
from .engine.sampling import (
    generate as generate,
)
from .engine.sampling import (
    interpolate as interpolate,
)
from .engine.sampling import (
    sample as sample,
)
from .errors import (
    DataError as DataError,
)
from .errors import (
    GanfwError as GanfwError,
)
from .errors import (
    InputError as InputError,
)
from .errors import (
    PartError as PartError,
)
from .errors import (
    PluginError as PluginError,
)
from .errors import (
    RecipeError as RecipeError,
)
from .errors import (
    RunError as RunError,
)
from .errors import (
    TrainingError as TrainingError,
)
from .evaluation.assembly import open_evaluator as open_evaluator
from .evaluation.classifier import TrainedClassifier as TrainedClassifier
from .evaluation.classifier_training import train_classifier as train_classifier
from .evaluation.evaluator import (
    Evaluation as Evaluation,
)
from .evaluation.evaluator import (
    Evaluator as Evaluator,
)
from .evaluation.evaluator import (
    MetricResult as MetricResult,
)
from .evaluation.evaluator import (
    evaluate as evaluate,
)
from .evaluation.inputs import (
    Embedding as Embedding,
)
from .evaluation.inputs import (
    Metric as Metric,
)
from .evaluation.inputs import (
    MetricInputs as MetricInputs,
)
from .evaluation.inputs import (
    MetricValue as MetricValue,
)
from .evaluation.inputs import (
    SampleSet as SampleSet,
)
from .evaluation.record import record_evaluation as record_evaluation
from .files import write_atomically as write_atomically
from .images import (
    image_grid as image_grid,
)
from .images import (
    terminal_preview as terminal_preview,
)
from .images import (
    to_uint8 as to_uint8,
)
from .images import (
    write_png as write_png,
)
from .plugins.discovery import discover as discover
from .plugins.part import Part as Part
from .plugins.part import hookimpl as hookimpl
from .plugins.registry import Registry as Registry
from .protocols import (
    Augmentation as Augmentation,
)
from .protocols import (
    Averaging as Averaging,
)
from .protocols import (
    Loss as Loss,
)
from .protocols import (
    Noise as Noise,
)
from .protocols import (
    Regularizer as Regularizer,
)
from .protocols import (
    Schedule as Schedule,
)
from .protocols import (
    Step as Step,
)
from .protocols import (
    UpdateContext as UpdateContext,
)
from .recipe.document import Recipe as Recipe
from .recipe.resolution import ResolvedRecipe as ResolvedRecipe
from .recipe.resolution import resolve as resolve
from .recipe.settings import RunSettings as RunSettings
from .run.checkpoints import remove_leftovers as remove_leftovers
from .run.directory import create_run_directory as create_run_directory
from .run.load import Checkpoint as Checkpoint
from .run.load import open_checkpoint as open_checkpoint
from .run.resume import resume_training as resume_training
from .run.save import check_space as check_space
from .run.save import save_checkpoint as save_checkpoint
from .training.callback import Callback as Callback
from .training.experiment import Experiment as Experiment
from .training.experiment import assemble as assemble
from .training.loop import Training as Training
from .training.loop import train as train
from .training.objective import Objective as Objective
