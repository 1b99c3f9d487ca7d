#!/usr/bin/env bash
# The live tests: the SDK, its command and all samples of the README against a gateway. It is started here from the
# folder above, with data of its own, stand-ins in place of the vendors, and a fake server of models for sessions.
#
#   GATEWAY_PYTHON  has the gateway's packages (default: ../.venv/bin/python)
#   SDK_PYTHON      has the SDK and pytest (default: .venv/bin/python)
#
# Arguments go to pytest: sdk/try_live.sh -k session
set -euo pipefail
sdk="$(cd "$(dirname "$0")" && pwd)"
gateway="$(dirname "$sdk")"
gateway_python="${GATEWAY_PYTHON:-$gateway/.venv/bin/python}"
sdk_python="${SDK_PYTHON:-$sdk/.venv/bin/python}"

data="$(mktemp -d)"
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$data"
}
trap finish EXIT

# Waits for a line in a file that a process writes.
await() {
  for _ in $(seq 300); do
    grep -q "$1" "$2" && return
    kill -0 "$3" 2>/dev/null || break
    sleep 0.1
  done
  echo "try_live: '$1' did not come:" >&2
  cat "$2" >&2
  exit 1
}

cd "$gateway"
unset ARKROUTE_API_KEY ARKROUTE_BASE_URL
"$gateway_python" - > "$data/pool" 2>&1 <<'PYTHON' &
import signal

from tests.upstreams.replica import FakeReplica

with FakeReplica(models=("their-llama",)) as replica:
    print("pool", replica.base_url, flush=True)
    signal.pause()
PYTHON
pids+=($!)
await '^pool ' "$data/pool" "${pids[0]}"

port="$("$gateway_python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
replica="$(sed -n 's/^pool //p' "$data/pool")"
export ARKROUTE_DATA="$data" DEBUG=on SECRET_KEY=live-tests PORT="$port" LOCAL_CHAT_GGUF= LOG_LEVEL=WARNING
export SELFHOSTED_POOLS='{"gpus": {"replicas": ["'"$replica"'"], "models": {"llama-3.1-8b": {"upstream": "their-llama", "type": "chat", "credits": 1}}}}'
"$gateway_python" manage.py migrate --verbosity 0
key="$("$gateway_python" manage.py issue_key --email sdk@example.com --credits 5000)"
poor="$("$gateway_python" manage.py issue_key --email poor@example.com --credits 0)"
"$gateway_python" manage.py serve > "$data/serve" 2>&1 &
pids+=($!)
await 'is ready on' "$data/serve" "${pids[1]}"

cd "$sdk"
export ARKROUTE_BASE_URL="http://127.0.0.1:$port/v1" ARKROUTE_API_KEY="$key" ARKROUTE_POOR_KEY="$poor"
"$sdk_python" -m pytest live "$@"
