"""Arrays that the machines computed piece by piece, put together on all of them."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.cluster.agreement import Agreement


def gather(
    own: Mapping[int, Mapping[str, np.ndarray]],
    dtypes: Mapping[str, type],
    *,
    num_pieces: int,
    num_rows: int,
    agreement: Agreement,
) -> list[dict[str, np.ndarray]]:
    """All pieces in order, each of which one machine has; bit for bit.

    Args:
      own: this machine's pieces by number: arrays `[rows]` by name.
      dtypes: the dtypes of the arrays by name: int32, float32 or bool.
      num_pieces: the number of pieces of all machines.
      num_rows: the largest number of rows of a piece.
      agreement: with the other machines.
    """
    # A row of a column of its own says that it is there.
    table = np.zeros((num_pieces, len(dtypes) + 1, num_rows), np.int32)
    for number, piece in own.items():
        for column, name in enumerate(dtypes):
            values = piece[name]
            is_float = values.dtype == np.float32
            bits = values.view(np.int32) if is_float else values.astype(np.int32)
            table[number, column, : len(bits)] = bits
            table[number, -1, : len(bits)] = 1
    return [_piece(rows, dtypes) for rows in agreement.add(table)]


def _piece(rows: np.ndarray, dtypes: Mapping[str, type]) -> dict[str, np.ndarray]:
    there: Sequence[bool] = rows[-1] == 1
    return {
        name: (bits.view(np.float32) if dtype is np.float32 else bits.astype(dtype))
        for (name, dtype), bits in zip(dtypes.items(), rows[:, there], strict=False)
    }
