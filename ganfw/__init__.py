"""ganfw: GAN experiments in PyTorch, assembled by recipes from registered parts.

Everything public is here by name; importing `ganfw` itself imports neither torch nor any plugin.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganfw.atomic import write_atomically as write_atomically
    from ganfw.callback import Callback as Callback
    from ganfw.checkpoint.folder import remove_leftovers as remove_leftovers
    from ganfw.checkpoint.read import Checkpoint as Checkpoint
    from ganfw.checkpoint.read import open_checkpoint as open_checkpoint
    from ganfw.checkpoint.resume import resume_training as resume_training
    from ganfw.checkpoint.write import check_space as check_space
    from ganfw.checkpoint.write import save_checkpoint as save_checkpoint
    from ganfw.data import Batch as Batch
    from ganfw.data import TensorData as TensorData
    from ganfw.device import choose_device as choose_device
    from ganfw.draws import Draws as Draws
    from ganfw.engine.gradients import update as update
    from ganfw.engine.networks import call_with_labels as call_with_labels
    from ganfw.engine.networks import treats_rows_alone as treats_rows_alone
    from ganfw.errors import DataError as DataError
    from ganfw.errors import GanfwError as GanfwError
    from ganfw.errors import InputError as InputError
    from ganfw.errors import PartError as PartError
    from ganfw.errors import PluginError as PluginError
    from ganfw.errors import RecipeError as RecipeError
    from ganfw.errors import RunError as RunError
    from ganfw.errors import TrainingError as TrainingError
    from ganfw.evaluation.assembly import open_judge as open_judge
    from ganfw.evaluation.classifier import TrainedClassifier as TrainedClassifier
    from ganfw.evaluation.classifier_training import train_classifier as train_classifier
    from ganfw.evaluation.evidence import Embedding as Embedding
    from ganfw.evaluation.evidence import Evidence as Evidence
    from ganfw.evaluation.evidence import Measured as Measured
    from ganfw.evaluation.evidence import Metric as Metric
    from ganfw.evaluation.evidence import SampleSet as SampleSet
    from ganfw.evaluation.judge import Evaluation as Evaluation
    from ganfw.evaluation.judge import Finding as Finding
    from ganfw.evaluation.judge import Judge as Judge
    from ganfw.evaluation.judge import evaluate as evaluate
    from ganfw.evaluation.record import record_evaluation as record_evaluation
    from ganfw.experiment import Experiment as Experiment
    from ganfw.experiment import assemble as assemble
    from ganfw.images import image_grid as image_grid
    from ganfw.images import terminal_preview as terminal_preview
    from ganfw.images import to_uint8 as to_uint8
    from ganfw.images import write_png as write_png
    from ganfw.loop import Training as Training
    from ganfw.loop import train as train
    from ganfw.objective import Objective as Objective
    from ganfw.parts import Part as Part
    from ganfw.parts import hookimpl as hookimpl
    from ganfw.plugins import discover as discover
    from ganfw.protocols import Augmentation as Augmentation
    from ganfw.protocols import Averaging as Averaging
    from ganfw.protocols import Judgement as Judgement
    from ganfw.protocols import Loss as Loss
    from ganfw.protocols import Noise as Noise
    from ganfw.protocols import Regularizer as Regularizer
    from ganfw.protocols import Schedule as Schedule
    from ganfw.protocols import Step as Step
    from ganfw.recipe.document import Recipe as Recipe
    from ganfw.recipe.resolve import ResolvedRecipe as ResolvedRecipe
    from ganfw.recipe.resolve import resolve as resolve
    from ganfw.registry import Registry as Registry
    from ganfw.run_directory import create_run_directory as create_run_directory
    from ganfw.sampling import draw_noise as draw_noise
    from ganfw.sampling import generate as generate
    from ganfw.sampling import interpolate as interpolate
    from ganfw.sampling import sample as sample
    from ganfw.settings import RunSettings as RunSettings

_HOMES = {
    "Augmentation": "protocols",
    "Averaging": "protocols",
    "Batch": "data",
    "Callback": "callback",
    "Checkpoint": "checkpoint.read",
    "DataError": "errors",
    "Draws": "draws",
    "Embedding": "evaluation.evidence",
    "Evaluation": "evaluation.judge",
    "Evidence": "evaluation.evidence",
    "Experiment": "experiment",
    "Finding": "evaluation.judge",
    "GanfwError": "errors",
    "InputError": "errors",
    "Judge": "evaluation.judge",
    "Judgement": "protocols",
    "Loss": "protocols",
    "Measured": "evaluation.evidence",
    "Metric": "evaluation.evidence",
    "Noise": "protocols",
    "Objective": "objective",
    "Part": "parts",
    "PartError": "errors",
    "PluginError": "errors",
    "Recipe": "recipe.document",
    "RecipeError": "errors",
    "Registry": "registry",
    "Regularizer": "protocols",
    "ResolvedRecipe": "recipe.resolve",
    "RunError": "errors",
    "RunSettings": "settings",
    "SampleSet": "evaluation.evidence",
    "Schedule": "protocols",
    "Step": "protocols",
    "TensorData": "data",
    "TrainedClassifier": "evaluation.classifier",
    "Training": "loop",
    "TrainingError": "errors",
    "assemble": "experiment",
    "call_with_labels": "engine.networks",
    "check_space": "checkpoint.write",
    "choose_device": "device",
    "create_run_directory": "run_directory",
    "discover": "plugins",
    "draw_noise": "sampling",
    "evaluate": "evaluation.judge",
    "generate": "sampling",
    "hookimpl": "parts",
    "image_grid": "images",
    "interpolate": "sampling",
    "open_checkpoint": "checkpoint.read",
    "open_judge": "evaluation.assembly",
    "record_evaluation": "evaluation.record",
    "remove_leftovers": "checkpoint.folder",
    "resolve": "recipe.resolve",
    "resume_training": "checkpoint.resume",
    "sample": "sampling",
    "save_checkpoint": "checkpoint.write",
    "terminal_preview": "images",
    "to_uint8": "images",
    "train": "loop",
    "train_classifier": "evaluation.classifier_training",
    "treats_rows_alone": "engine.networks",
    "update": "engine.gradients",
    "write_atomically": "atomic",
    "write_png": "images",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganfw' has no attribute '{name}'")
    return getattr(import_module(f"ganfw.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
