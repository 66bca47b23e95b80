"""The training samples nearest to a sample."""

import pytest
import torch
from scipy.spatial.distance import cdist

from ganfw.evaluation.neighbours import CHUNK, nearest_samples


@pytest.mark.parametrize("size", [3, CHUNK + 7])
def test_the_nearest_samples_are_those_of_scipy(size: int) -> None:
    random = torch.Generator().manual_seed(0)
    training = torch.randint(0, 256, (size, 1, 3, 3), dtype=torch.uint8, generator=random)
    sample = torch.randint(0, 256, (1, 3, 3), dtype=torch.uint8, generator=random)
    expected = cdist(sample.reshape(1, 9).double() / 255, training.reshape(size, 9).double() / 255)[0] / 3

    indices, distances = nearest_samples(sample, training, 5)

    assert len(indices) == min(size, 5)
    assert torch.allclose(distances.double(), torch.from_numpy(expected).sort().values[:5])
    assert torch.allclose(torch.from_numpy(expected)[indices], distances.double())


def test_a_training_sample_is_at_distance_0_from_itself() -> None:
    training = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))

    indices, distances = nearest_samples(training[7], training, 1)

    assert (indices.tolist(), distances.tolist()) == ([7], [0.0])
