"""Writes the JSON schemas that lie beside the templates of workspaces: `make schemas`."""

import json
from pathlib import Path

from core.training.loader import load_task, task_names
from core.training.workspace import SCHEMA


def schemas() -> dict[Path, str]:
    """What each app's schema file has to hold."""
    tasks = [task for name in task_names() if (task := load_task(name)).template is not None]
    return {
        task.template / SCHEMA: json.dumps(task.config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
        for task in tasks
        if task.template is not None and task.config is not None
    }


if __name__ == "__main__":
    for file, text in schemas().items():
        file.write_text(text, encoding="utf-8")
