#!/bin/sh
# The lab's workload: listens, calls its targets again and again, and logs every attempt as one line.
#
#   listen=PORT/TCP[:WORD]   an HTTP listener whose page is WORD (an empty page without one)
#   call=NAME=URL            a target: http://host[:port]/path or tcp://host:port; repeat for more
#   every=SECONDS            pause between rounds, 5 unless told otherwise
#
# A line of the log:
#   2026-01-01T00:00:00Z call=NAME target=URL outcome=ok|timeout|refused|dns-failure|error ms=NUMBER
#
# Needs only busybox (1.35 or newer): sh, wget, nc, nslookup, httpd, timeout. Kubetutor's simulator reads the
# arguments and follows the same rules in tutor/kubesim/flowlog.py: change both together.

every=5
limit=2 # seconds an attempt may take, name lookup included, before it counts as a timeout
site=/tmp/site

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
}

# Milliseconds since the machine started, in steps of ten: busybox date knows no fractions of a second.
uptime_ms() {
  read -r up _ </proc/uptime
  fraction=${up#*.}
  echo $((${up%.*} * 1000 + ${fraction#0} * 10))
}

listen() {
  port=${1%%/*}
  word=
  case $1 in *:*) word=${1#*:} ;; esac
  mkdir -p "$site/$port"
  if [ -n "$word" ]; then echo "$word"; fi >"$site/$port/index.html"
  httpd -f -p "$port" -h "$site/$port" &
}

# The host of a URL.
host_of() {
  host=${1#*://}
  host=${host%%/*}
  echo "${host%%:*}"
}

# One connection. nc runs `true` on it, so it ends as soon as it is open, whatever the listener does.
attempt() {
  case $1 in
    http://*) timeout "$limit" wget -q -O /dev/null "$1" ;;
    tcp://*) timeout "$limit" nc "$(host_of "$1")" "${1##*:}" -e true </dev/null ;;
    *) echo "not a target: $1" && return 1 ;;
  esac 2>&1
}

# Whether the name server answers for a host: an attempt that ran into the limit may have waited for nothing but a name.
name_answers() {
  case $1 in *[!0-9.]*) ;; *) return 0 ;; esac
  for domain in $(sed -n 's/^search//p' /etc/resolv.conf) ''; do
    reply=$(timeout "$limit" nslookup -type=a "$1${domain:+.$domain}" 2>&1)
    case $reply in
      *Name:*) return 0 ;;
      *NXDOMAIN*) ;;
      *) return 1 ;;
    esac
  done
  return 1
}

# The word for an attempt's end, from its exit code, message and host. Some versions of nc refuse in silence.
outcome() {
  case $1:$2 in
    0:*) echo ok ;;
    *'bad address'*) echo dns-failure ;;
    *refused* | 1:) echo refused ;;
    124:* | 137:* | 143:* | *'timed out'*) if name_answers "$3"; then echo timeout; else echo dns-failure; fi ;;
    *) echo error ;;
  esac
}

call() {
  name=${1%%=*}
  target=${1#*=}
  at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  before=$(uptime_ms)
  message=$(attempt "$target")
  code=$?
  ms=$(($(uptime_ms) - before))
  echo "$at call=$name target=$target outcome=$(outcome "$code" "$message" "$(host_of "$target")") ms=$ms"
}

# The first process of a container ignores TERM unless it says otherwise: without this a delete takes half a minute.
trap 'exit 0' TERM INT

say "start $*"
for word in "$@"; do
  case $word in
    listen=*) listen "${word#listen=}" ;;
    every=*) every=${word#every=} ;;
  esac
done

# The rounds run in the background, so that the shell hears TERM at once. The calls of a round run side by side, so that one
# that waits holds nobody up and a round starts every so many seconds. The first waits a second, for what starts together
# with this pod. What the shell itself says about a command that ran into the limit ("Terminated") is no line of the log.
{
  sleep 1
  while :; do
    for word in "$@"; do
      case $word in call=*) call "${word#call=}" & ;; esac
    done
    sleep "$every"
  done
} 2>/dev/null &
wait
