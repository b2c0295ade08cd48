"""The app as the platform sees it."""

from apps.finance_monitor.api import routes
from apps.finance_monitor.desk import NewsDesk
from apps.finance_monitor.engine import FinanceEngine
from apps.finance_monitor.service import open_service
from apps.finance_monitor.task import FinanceMonitor
from apps.finance_monitor.texts import TEXTS
from apps.finance_monitor.work import take
from core.platform.apps.spec import AppSpec, Page


def _page() -> Page[NewsDesk]:
    from apps.finance_monitor.tools import tools
    from apps.finance_monitor.ui import build

    return Page(build, tools)


app = AppSpec(
    name=FinanceMonitor.name,
    path="news",
    texts=TEXTS,
    task=FinanceMonitor,
    engine=FinanceEngine,
    model=open_service,
    service=NewsDesk,
    api=routes,
    page=_page,
    take=take,
)
