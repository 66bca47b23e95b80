"""Read a safetensors file with nothing but torch. An export with `--format torch` has this code in it."""

import json
from pathlib import Path

import torch
from torch import Tensor

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name."""
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    values = torch.frombuffer(content, dtype=torch.uint8)[start:].clone()
    weights = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__":
            first, end = entry["data_offsets"]
            weights[name] = values[first:end].view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return weights
