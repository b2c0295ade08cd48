"""The app as the platform sees it."""

from apps.recommender.api import routes
from apps.recommender.engine import RecommenderEngine
from apps.recommender.service import open_service
from apps.recommender.task import Recommender
from apps.recommender.texts import TEXTS
from apps.recommender.visits import Visits
from core.platform.apps.spec import AppSpec, Page


def _page() -> Page[Visits]:
    from apps.recommender.tools import tools
    from apps.recommender.ui import build

    return Page(build, tools)


app = AppSpec(
    name=Recommender.name,
    path="recommend",
    texts=TEXTS,
    task=Recommender,
    engine=RecommenderEngine,
    model=open_service,
    service=Visits,
    api=routes,
    page=_page,
)
