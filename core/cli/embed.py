"""`steer embed`: vectors of many texts, by Ray workers."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from core.cli.options import console
from core.data.tables import read_rows
from core.models.weights import DEFAULT_ENCODER


class _Row(BaseModel):
    text: str


def embed(
    file: Annotated[Path, typer.Argument(help='JSON Lines file, each line such as {"text": "..."}.')],
    out: Annotated[Path, typer.Option(help="Safetensors file to write: `vectors`, one row per line.")],
    workers: Annotated[
        int, typer.Option(min=1, help="Number of processes, here or on the cluster of RAY_ADDRESS.")
    ] = 2,
    encoder: Annotated[str, typer.Option(help="Weights: pip:NAME, a folder, or a name on the hub.")] = DEFAULT_ENCODER,
) -> None:
    """Embed the texts of a file, on all processors of this machine or of a Ray cluster."""
    from safetensors.numpy import save_file

    from core.platform.scale.bulk import embed_in_bulk
    from core.util.files import replace_file

    texts = [row.text for row in read_rows(file, _Row)]
    with console.status(f"{workers} workers embed {len(texts):,} texts"):
        vectors = embed_in_bulk(texts, encoder, workers)
    with replace_file(out) as temporary:
        save_file({"vectors": vectors}, temporary)
    console.print(f"{len(vectors):,} vectors of width {vectors.shape[1]} are in {out}")
