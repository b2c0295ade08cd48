"""The page with the login form."""

import base64
import hashlib
import html
from collections.abc import Mapping
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse

from core.platform.http.languages import requested_language

TEXTS = {
    "en": {
        "title": "Log in",
        "name": "Name",
        "password": "Password",
        "wrong": "Name and password do not belong together, or the account is disabled.",
        "wait": "Too many attempts. Please try again in {seconds} seconds.",
    },
    "zh": {
        "title": "登录",
        "name": "用户名",
        "password": "密码",
        "wrong": "用户名或密码不正确，或账户已停用。",
        "wait": "尝试次数过多，请在 {seconds} 秒后重试。",
    },
    "de": {
        "title": "Anmelden",
        "name": "Name",
        "password": "Passwort",
        "wrong": "Name und Passwort gehören nicht zusammen, oder das Konto ist gesperrt.",
        "wait": "Zu viele Versuche. Bitte versuchen Sie es in {seconds} Sekunden noch einmal.",
    },
}

_STYLE = """
:root { color-scheme: light dark; --back: #f8fafc; --card: #fff; --text: #0f172a; --line: #94a3b8; --accent: #0f766e;
  --wrong: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --back: #0f172a; --card: #1e293b; --text: #e2e8f0; --line: #64748b;
  --accent: #0f766e; --wrong: #fca5a5; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { width: min(22rem, calc(100vw - 4rem)); padding: 1.5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; }
label { display: block; margin-bottom: 1rem; }
input, button { box-sizing: border-box; width: 100%; padding: .6rem; font: inherit; border-radius: 8px; }
input { border: 1px solid var(--line); background: var(--back); color: inherit; }
button { border: 0; background: var(--accent); color: #fff; cursor: pointer; }
[role=alert] { margin: 0 0 1rem; color: var(--wrong); }
"""

_PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title · Steer</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
$notice
<form method="post" action="/login">
<input type="hidden" name="next" value="$back">
<label>$name<input name="name" autocomplete="username" autocapitalize="none" maxlength="80" required autofocus></label>
<label>$password<input name="password" type="password" autocomplete="current-password" maxlength="256" required></label>
<button>$title</button>
</form>
</main>
</body>
</html>
""")

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def login_page(
    request: Request,
    back: str,
    notice: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> HTMLResponse:
    """The form, in the language that the browser asks for.

    Args:
        request: Request that is answered.
        back: Local path to go on to afterwards.
        notice: Reason for showing the form again, `wrong` or `wait`; None the first time.
        status: Status of the response.
        headers: Headers of the response, besides those of the page.
        values: Values of the fields in the notice's text.
    """
    language = requested_language(request)
    texts = TEXTS[language]
    page = _PAGE.substitute(
        texts,
        language=language,
        style=_STYLE,
        back=html.escape(back),
        notice=f'<p role="alert">{texts[notice].format(**values)}</p>' if notice else "",
    )
    return HTMLResponse(page, status, {**_HEADERS, **(headers or {})})
