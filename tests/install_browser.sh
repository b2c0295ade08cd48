#!/bin/sh
# The page tests drive a real Chromium; where there is none, Debian's package is installed.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null && exit 0
fi
echo "No Chromium here and none could be installed: install it (e.g. 'sudo apt install chromium') to run the page tests." >&2
