"""News that tests push: a surge about one company."""

from datetime import UTC, datetime, timedelta

from apps.finance_monitor.feed import Item

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROW = {"time": "2025-03-03T09:00:00Z", "company": "corvane", "headline": "Corvane plant on fire"}
BAD = [
    "profit halves after plant fire",
    "faces lawsuit over toxic leak",
    "cuts outlook and lays off thousands",
    "chief executive resigns amid fraud probe",
    "recalls its main product after injuries",
    "shares plunge as auditor quits",
    "is fined for price fixing",
    "warns of heavy losses",
]


def surge(company: str = "Acme", start: datetime = NOON) -> list[Item]:
    return [
        Item(key=f"{company}-{hour}", time=start + timedelta(hours=hour), company=company, headline=f"{company} {bad}")
        for hour, bad in enumerate(BAD)
    ]
