"""Files of the public data sets."""

from pathlib import Path

from core.util.errors import SteerError


def data_file(data_dir: Path | None, folder: str, name: str) -> Path:
    """A file of a data set.

    Raises:
        SteerError: It is missing.
    """
    if data_dir is None or not (data_dir / folder / name).is_file():
        raise SteerError(f"there is no {folder}/{name} in {data_dir}; name a folder that has it with --data-dir")
    return data_dir / folder / name


def phrasebank_lines(data_dir: Path | None, name: str) -> list[tuple[str, str]]:
    """Sentences of Financial PhraseBank (Malo et al. 2014) with their labels."""
    file = data_file(data_dir, "financial_phrasebank", name)
    rows = (line.rpartition("@") for line in file.read_text(encoding="latin-1").splitlines())
    # One line of the official file has no sentence.
    return [(sentence, label.strip()) for sentence, _, label in rows if sentence.strip()]
