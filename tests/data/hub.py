"""A cache of data sets of the Hugging Face Hub, as `datasets` leaves it."""

from pathlib import Path

from datasets.packaged_modules.csv.csv import Csv


def keep_in_cache(name: str, file: Path, cache: Path) -> None:
    """Keep a CSV file in a cache, as if it had been loaded from the Hub once under a name such as `owner/name`."""
    folder = cache / name.replace("/", "___") / "default" / "0.0.0" / "0"
    builder = Csv(cache_dir=str(cache), data_files={"train": [str(file)]}, keep_default_na=False)
    builder.dataset_name = name.rpartition("/")[2]
    builder.download_and_prepare(output_dir=str(folder))
    # The name of the file's own builder stands in what a later load compares.
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace(builder.config.name, "default"))
