"""The monitor as tools for language models (Model Context Protocol)."""

from collections.abc import Callable
from typing import Any

from apps.finance_monitor.service import MonitorService


def tools(service: MonitorService) -> list[Callable[..., Any]]:
    """`read_headline` and `news_alerts`."""

    def read_headline(headline: str, company: str = "") -> dict[str, Any]:
        """Tell topic and sentiment of a financial headline from the point of view of a holder of the company's shares.

        Args:
            headline: Headline as it was published.
            company: Name or id of the company that it is about.

        Returns:
            Topic, sentiment, and the probability of each sentiment.
        """
        (label,) = service.read([(company, headline)])
        return {"topic": label.topic, "sentiment": label.sentiment, "probabilities": label.probabilities}

    def news_alerts(count: float = 10) -> list[dict[str, Any]]:
        """List the newest surges of bad news about companies, with the reason for each.

        Args:
            count: Number of alerts at most.

        Returns:
            Company, time of opening, state, severity, and the headlines behind it.
        """
        return [
            {
                "company": service.name(alert.company),
                "opened": alert.opened.isoformat(),
                "state": alert.state,
                "severity": alert.severity,
                "headlines": [cause.headline for cause in alert.reason.causes],
            }
            for alert in service.alerts(int(min(max(1, count), 100)))  # not a number is 1, infinity 100
        ]

    return [read_headline, news_alerts]
