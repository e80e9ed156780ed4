#!/bin/sh
# Makes .venv from requirements.lock (every file checked against its hash) and installs Kubetutor into it.
# Instant when nothing changed. Names what the machine lacks together with the line that installs it.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
lacks() { echo "kubetutor needs $1. On Debian or Ubuntu: $2" >&2; exit 69; }

command -v "$python" >/dev/null 2>&1 || lacks "Python 3.11 or newer" "sudo apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || lacks "Python 3.11 or newer (this is $("$python" --version 2>&1))" "sudo apt-get install python3 python3-venv, or set PYTHON=/path/to/python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null || lacks "Python's venv module" "sudo apt-get install python3-venv"

want="$(cat requirements.lock pyproject.toml scripts/setup.sh | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())') $(pwd)"
stamp=.venv/.kubetutor-setup
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0

echo "Setting up Kubetutor in .venv (about a minute the first time) ..."
[ -x .venv/bin/python ] && .venv/bin/python -c 'import sys' 2>/dev/null || { rm -rf .venv; "$python" -m venv .venv; }
rm -f "$stamp"
total=$(grep -c '^[a-z0-9].*==' requirements.lock)
# pip names each library as it takes it up; the count is the progress.
{ .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off --no-deps --require-hashes -r requirements.lock || echo FAILED; } \
  | awk -v total="$total" '
      /^Collecting/ { n++; if (n % 10 == 0) { printf "  1/2  libraries fetched: %d of %d\n", n, total; fflush() } }
      /^Installing collected/ { print "  1/2  unpacking them"; fflush() }
      $0 == "FAILED" { failed = 1 }
      END { exit failed }' \
  || { echo "The libraries could not be installed; the lines above say why. Cure: check the network or the disk, then run make setup again." >&2; exit 69; }
echo "  2/2  installing kubetutor itself"
.venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
printf '%s' "$want" > "$stamp"
echo "Ready."
