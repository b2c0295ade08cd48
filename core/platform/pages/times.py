"""Times as pages show them: how long ago, in the visitor's language, with the moment in their time zone on hover."""

import html
from datetime import datetime

TIMES_JS = """
const UNITS = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
const tellTimes = () => element.querySelectorAll('time').forEach(time => {
  const at = new Date(time.dateTime), seconds = Math.min(0, (at - Date.now()) / 1000);
  const [unit, length] = UNITS.find(([, length]) => -seconds >= length) || UNITS.at(-1);
  const relative = new Intl.RelativeTimeFormat(navigator.language, {numeric: 'auto'});
  time.textContent = relative.format(Math.ceil(seconds / length), unit);
  time.title = at.toLocaleString(navigator.language, {dateStyle: 'long', timeStyle: 'medium'});
});
tellTimes();
watch('value', tellTimes);
"""
"""What a `gr.HTML` runs when it is there, so that the times in it are told."""


def shown_time(moment: datetime) -> str:
    """A moment for `TIMES_JS` to tell."""
    return f'<time datetime="{html.escape(moment.isoformat())}">{moment:%Y-%m-%d %H:%M} UTC</time>'
