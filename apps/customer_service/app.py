"""The app as the platform sees it."""

from functools import partial

from apps.customer_service.api import complete, routes
from apps.customer_service.engine import SupportEngine
from apps.customer_service.model import SupportModel
from apps.customer_service.service import SupportService
from apps.customer_service.task import CustomerService
from apps.customer_service.texts import TEXTS
from core.platform.apps.spec import AppSpec, Page


def _page() -> Page[SupportService]:
    from apps.customer_service.tools import tools
    from apps.customer_service.ui import build

    return Page(build, tools, lambda service: (TEXTS,))


app = AppSpec(
    name=CustomerService.name,
    path="support",
    texts=TEXTS,
    task=CustomerService,
    engine=SupportEngine,
    model=SupportModel,
    service=SupportService,
    api=routes,
    page=_page,
    counts=SupportService.counts,
    chat=lambda service: partial(complete, service),
)
