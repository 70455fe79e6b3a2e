#!/usr/bin/env bash
# The real services the integration tests talk to: brought up privately, installed where they are missing, and taken
# down again without touching anything this script did not start.
#
#   services.sh up [docker] [systemd] [postgres] [mariadb]   start what does not run yet (default: all of them), print the env lines
#   services.sh down                               stop what was started, and what a killed test run left; remove its data
#   services.sh env                                print the env lines of what runs
#   services.sh tools                              install the C compiler that Go's race detector needs, systemd-analyze, tmux and promtool
#   services.sh halt|kill NAME                     for the tests: end postgres or mariadb (kill: as kill -9 does, docker too), keep its data
#   services.sh resume NAME [OPTION...]            for the tests: start it again on the same port, with more options of the server
#   services.sh browser                            install Chromium for the tests of the console's pages
#   services.sh reap NAME                          for the tests: end the engine below engines/NAME and what it left
#
# Everything lives below one directory: $IT_DIR, else ${TMPDIR:-/tmp}/decnet-fleetd-it. Sockets are unix sockets in
# there; ports are free ones on 127.0.0.1. The tests read the env lines from the file `env` in that directory. With
# CI=true a service that cannot be had is an error; elsewhere it is said, and the tests that need it skip.
set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly DIR=${IT_DIR:-${TMPDIR:-/tmp}/decnet-fleetd-it}
readonly ALL=(docker systemd postgres mariadb)
# Daemons live in sbin, which is not on everybody's PATH; a Go from its own archive lives in /usr/local/go.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin

say() { printf 'services: %s\n' "$*" >&2; }

# need COMMAND PACKAGE...: installs the packages where the command is missing.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "$command is missing: install $* (this is not done by itself without root and apt)"
    return 1
  fi
  say "$command is missing: installing $*"
  apt_install "$@" || return 1
  hash -r
}

# apt_install installs without asking and without letting the packages start their own services: a private one
# follows, and nobody would stop the others.
apt_install() {
  local policy=/usr/sbin/policy-rc.d ours='' rc=0
  if [ ! -e "$policy" ]; then
    ours=$policy
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  mkdir -p "$DIR"
  {
    apt-get -o Acquire::Retries=3 update -q &&
      DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
        install -qy --no-install-recommends "$@"
  } </dev/null >"$DIR/apt.log" 2>&1 || rc=$?
  [ -z "$ours" ] || rm -f "$ours"
  [ "$rc" = 0 ] || { say "apt-get said:"; tail -20 "$DIR/apt.log" >&2; }
  return "$rc"
}

# alive PID WORD: whether that process runs, is no zombie and has WORD in its command line, so that a recycled pid
# is never taken for ours.
alive() {
  local state
  [ -n "$1" ] && [ -r "/proc/$1/stat" ] || return 1
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1)
  [ "$state" != Z ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$2"
}

# launch NAME COMMAND...: starts a daemon in its own session with its pid in $DIR/NAME/launched.
launch() {
  local d=$DIR/$1
  shift
  setsid nohup "$@" >>"$d/log" 2>&1 </dev/null 9>&- &
  echo $! >"$d/launched"
}

# launched NAME: its pid, empty where it does not run.
launched() {
  local pid
  pid=$(cat "$DIR/$1/launched" 2>/dev/null || true)
  if alive "$pid" "$DIR/$1"; then echo "$pid"; fi
}

# await SECONDS NAME COMMAND...: until the command succeeds; gives up when the daemon is gone or the time is over.
await() {
  local until=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ -z "$(launched "$name")" ] || ((SECONDS >= until)); then
      say "$name does not answer; the end of $DIR/$name/log:"
      tail -15 "$DIR/$name/log" >&2 || true
      return 1
    fi
    sleep 0.1
  done
}

# halt PID WORD SECONDS: TERM, and KILL for one that does not go in time.
halt() {
  local until=$((SECONDS + $3))
  alive "$1" "$2" || return 0
  kill -TERM "$1" 2>/dev/null || true
  while alive "$1" "$2"; do
    if ((SECONDS >= until)); then kill -KILL "$1" 2>/dev/null || true; fi
    sleep 0.1
  done
}

# halt_fast PID SIGNAL: the signal, and KILL for one that does not go within 20 s.
halt_fast() {
  local until=$((SECONDS + 20))
  kill -"$2" "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null; do
    if ((SECONDS >= until)); then kill -KILL "$1" 2>/dev/null || true; fi
    sleep 0.05
  done
}

# kill_group PID: KILL for it and its children, which would hold what its successor needs.
kill_group() {
  local pid children
  [ -n "$1" ] || return 0
  children=$(cat "/proc/$1/task/$1/children" 2>/dev/null || true)
  # shellcheck disable=SC2086
  kill -KILL "$1" $children 2>/dev/null || true
  for pid in "$1" $children; do
    while [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c1)" != Z ] && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  done
}

# certificate DIR: an authority, and a server certificate by it for the name localhost.
certificate() {
  need openssl openssl || return 1
  (cd "$1" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=ca -keyout ca.key -out ca.crt &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout server.key -out server.csr &&
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out server.crt \
      -extfile <(echo subjectAltName=DNS:localhost)) >>"$1/log" 2>&1
}

# free_port prints a TCP port of 127.0.0.1 that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

for service in "${ALL[@]}"; do
  # shellcheck source=/dev/null
  . "$HERE/services/$service.sh"
done

env_lines() {
  echo "IT_DIR=$DIR"
  local s
  for s in "${ALL[@]}"; do
    if healthy_"$s"; then cat "$DIR/$s/env"; fi
  done
}

up() {
  local s
  for s in "$@"; do
    if healthy_"$s"; then
      say "$s runs already"
      continue
    fi
    say "starting $s"
    if install_"$s" && start_"$s"; then
      say "$s is ready"
      continue
    fi
    [ "${CI:-}" != true ] || { say "$s is not there: in CI that is an error"; return 1; }
    say "$s is not there: the tests that need it will skip"
  done
  env_lines >"$DIR/env"
  cat "$DIR/env"
}

# stragglers ends what a test run that was killed could not: daemons and buses of its stages, and its mounts.
stragglers() {
  local p m
  for p in /proc/[0-9]*; do
    if alive "${p#/proc/}" "--bus-socket $DIR/" 2>/dev/null; then kill -KILL "${p#/proc/}" 2>/dev/null || true; fi
  done
  awk -v d="$DIR/t" 'index($2, d) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r m; do umount -l "$m" || true; done
}

down() {
  local s
  stragglers
  for s in "${ALL[@]}"; do stop_"$s"; done
  rm -rf "$DIR" "$DIR.lock"
  say "all down, $DIR removed"
}

# tools: without systemd-analyze the tests of the units skip, and without tmux those of the terminal, but in CI.
tools() {
  need gcc gcc libc6-dev
  need systemd-analyze systemd || [ "${CI:-}" != true ]
  need tmux tmux || [ "${CI:-}" != true ]
  need promtool prometheus || [ "${CI:-}" != true ]
}

# browser: without it the tests of the console's pages skip, but in CI.
browser() {
  command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || need chromium chromium || [ "${CI:-}" != true ]
}

# own makes the directory, takes the lock, and refuses a directory that somebody else prepared.
own() {
  mkdir -p -m 0755 "$DIR"
  [ -O "$DIR" ] && [ ! -L "$DIR" ] || { say "$DIR belongs to somebody else: set IT_DIR"; exit 1; }
  exec 9>"$DIR.lock"
  flock -w 600 9 || { say "another services.sh works on $DIR"; exit 1; }
}

main() {
  local verb=${1:-}
  [ $# = 0 ] || shift
  case $verb in
    up) [ $# -gt 0 ] || set -- "${ALL[@]}"; own; up "$@" ;;
    down) if [ -d "$DIR" ]; then own; down; fi ;;
    env) env_lines ;;
    halt | kill | resume)
      own
      local name=${1:?}
      shift
      [ -d "$DIR/$name" ] || exit 1
      "${verb}_$name" "$@" ;;
    reap) [ ! -d "$DIR/engines/${1:?}" ] || reap_engine "$DIR/engines/$1" ;;
    tools) own; tools ;;
    browser) own; browser ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
}

main "$@"
