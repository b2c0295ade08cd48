"""The model of the version that serves, replaced while it answers."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from core.platform.store import versions
from core.platform.store.schema import ModelVersion
from core.platform.versions.library import Library
from core.training.run import Run
from core.util.errors import SteerError, UnavailableError

ModelT = TypeVar("ModelT")

# A request that took up the old service just before it was replaced is answered by then.
_LAST_REQUESTS_SECONDS = 60.0


class LiveModel(Generic[ModelT]):
    """Holds the model of an app's current version, and follows promotions.

    A new version's model is opened completely before it takes the place of the old one, which goes on serving if
    that fails.

    Args:
        library: Library with the versions.
        app: Name of the app whose versions they are.
        open_model: Factory of a model from a version's run.
        seconds: Pause between two looks at the store.
        retire: Callback for the old model a while after another took its place, when its last requests are answered.

    Raises:
        SteerError: No version serves yet, or its model does not open.
    """

    def __init__(
        self,
        library: Library,
        app: str,
        open_model: Callable[[Run], ModelT],
        *,
        seconds: float = 3.0,
        retire: Callable[[ModelT], None] | None = None,
    ) -> None:
        self._retire = retire
        self._library, self._app, self._open_model, self._seconds = library, app, open_model, seconds
        promoted = self._newest()
        if promoted is None:
            raise SteerError(f"no version of {app} serves yet; run `steer train {app}` or import one and promote it")
        self._promotion, version = promoted
        self._current = self._opened(version)
        self._last_error = ""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"versions of {app}", daemon=True)
        self._thread.start()

    @property
    def current(self) -> tuple[ModelT, str]:
        """The model and the name of its version, which belong together; never waits."""
        return self._current

    def refresh(self) -> None:
        """Take up the newest promotion now, if it is not taken up yet; each promotion is tried once."""
        with self._lock:
            try:
                self._take_up()
                self._last_error = ""
            except Exception as error:  # whatever a model or a store can raise: the old version goes on serving
                self._log_once(error)

    def close(self) -> None:
        """Stop following promotions."""
        self._closing.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._closing.wait(self._seconds):
            self.refresh()

    def _take_up(self) -> None:
        try:
            promoted = self._newest()
        except UnavailableError:  # the store itself logs that it is out
            return
        if promoted is None or promoted[0] == self._promotion:
            return
        self._promotion, version = promoted
        if version.name != self._current[1]:
            old, _ = self._current
            self._current = self._opened(version)  # one assignment: readers see the old pair or the new one
            if self._retire is not None:
                timer = threading.Timer(_LAST_REQUESTS_SECONDS, self._retire, [old])
                timer.daemon = True
                timer.start()

    def _newest(self) -> tuple[int, ModelVersion] | None:
        with self._library.store.reading() as session:
            promotion = versions.newest_promotion(session, self._app)
            version = None if promotion is None else versions.find(session, self._app, promotion.version)
        return None if promotion is None or version is None else (promotion.id, version)

    def _opened(self, version: ModelVersion) -> tuple[ModelT, str]:
        return self._open_model(self._library.open(version)), version.name

    def _log_once(self, error: Exception) -> None:
        """Log an error once, however often it returns."""
        if str(error) != self._last_error:
            self._last_error = str(error)
            unexpected = None if isinstance(error, SteerError) else error  # a SteerError says all in its message
            structlog.get_logger().error(
                "the newest promotion is not taken up",
                app=self._app,
                serving=self._current[1],
                reason=self._last_error,
                exc_info=unexpected,
            )
