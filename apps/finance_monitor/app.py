"""The app as the platform sees it."""

from apps.finance_monitor.api import routes
from apps.finance_monitor.backtest import backtest_run
from apps.finance_monitor.engine import NewsEngine
from apps.finance_monitor.follow import follow, keep_time, take
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.service import MonitorService
from apps.finance_monitor.task import FinanceMonitor
from apps.finance_monitor.texts import TEXTS
from core.platform.apps.spec import AppSpec, Page


def _page() -> Page[MonitorService]:
    from apps.finance_monitor.tools import tools
    from apps.finance_monitor.ui import build

    return Page(build, tools, lambda service: (TEXTS,))


app = AppSpec(
    name=FinanceMonitor.name,
    path="news",
    texts=TEXTS,
    task=FinanceMonitor,
    engine=NewsEngine,
    model=NewsModel,
    service=MonitorService,
    api=routes,
    page=_page,
    take=take,
    jobs={"feed": follow, "clock": keep_time},
    counts=MonitorService.counts,
    backtest=backtest_run,
)
