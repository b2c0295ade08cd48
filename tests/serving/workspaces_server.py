"""A server of one small task, on whose page workspaces are made: its arguments are the folder of runs and the port."""

import sys
from pathlib import Path

import uvicorn

from core.platform.http.logs import set_up_logs
from core.platform.pages.task_app import find_apps
from core.platform.server.application import Serving, create_app
from core.platform.store.database import open_store, sqlite_url
from tests.serving.conftest import TASK

if __name__ == "__main__":
    runs, port = Path(sys.argv[1]), int(sys.argv[2])
    set_up_logs(as_json=False)
    store = open_store(sqlite_url(runs / "steer.db"))
    app = create_app(find_apps([TASK]), runs, store, Serving(workspaces=True))
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=2)
