"""The app as the platform sees it."""

from apps.recommender.api import routes
from apps.recommender.engine import RecommenderEngine
from apps.recommender.model import RecommenderModel
from apps.recommender.service import RecommenderService
from apps.recommender.task import Recommender
from apps.recommender.texts import TEXTS
from core.platform.apps.spec import AppSpec, Page


def _page() -> Page[RecommenderService]:
    from apps.recommender.tools import tools
    from apps.recommender.ui import build

    return Page(build, tools, lambda service: (service.texts,))


app = AppSpec(
    name=Recommender.name,
    path="recommender",
    texts=TEXTS,
    task=Recommender,
    engine=RecommenderEngine,
    model=RecommenderModel,
    service=RecommenderService,
    api=routes,
    page=_page,
)
