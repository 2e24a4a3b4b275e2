"""A network and its optimizer, kept so that a training that was stopped goes on."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops


def resume(network: keras.Model, path: Path) -> int:
    """Fill the compiled network and its built optimizer from a checkpoint; the steps that it had done."""
    with np.load(path, allow_pickle=False) as saved:
        for number, variable in enumerate(_variables(network)):
            variable.assign(saved[str(number)])
        return int(saved["step"])


def keep(network: keras.Model, path: Path, step: int) -> None:
    """In one rename: a cut leaves the old checkpoint or the new one."""
    values: dict[str, Any] = {str(n): ops.convert_to_numpy(variable) for n, variable in enumerate(_variables(network))}
    temporary = path.with_suffix(".new.npz")
    np.savez(temporary, **values, step=step)
    temporary.replace(path)


def _variables(network: keras.Model) -> list[Any]:
    return [*network.variables, *network.optimizer.variables]
