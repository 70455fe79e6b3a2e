# PostgreSQL with a data directory of its own, on a free port of 127.0.0.1 and a unix socket. It refuses to run as root,
# so it runs as postgres, else as nobody.

readonly PG_PASSWORD=decnet-it

# pg_bin prints where the server is: Debian keeps it off PATH.
pg_bin() {
  local d
  for d in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin; do
    if [ -x "$d/postgres" ]; then echo "$d"; return; fi
  done
  return 1
}

install_postgres() {
  pg_bin >/dev/null || { need postgres postgresql && pg_bin >/dev/null; }
}

# as_pg COMMAND...: in a directory its user can read, with an empty environment.
as_pg() {
  if [ "$(id -u)" != 0 ]; then (cd "$DIR" && exec "$@"); return; fi
  local user=postgres
  id -u postgres >/dev/null 2>&1 || user=nobody
  (cd / && exec runuser -u "$user" -- "$@")
}

start_postgres() {
  local d=$DIR/postgres bin port
  stop_postgres
  mkdir -p "$d"
  bin=$(pg_bin) && port=$(free_port) || return 1
  printf %s "$PG_PASSWORD" >"$d/password"
  if [ "$(id -u)" = 0 ]; then chown -R "$(as_pg id -un)" "$d"; fi
  as_pg "$bin/initdb" -D "$d/data" -U decnet --pwfile="$d/password" -A scram-sha-256 -E UTF8 --locale=C -N >>"$d/log" 2>&1 ||
    { tail -5 "$d/log" >&2; return 1; }
  # fsync stays on: what survives a kill is part of what is tested.
  as_pg setsid nohup "$bin/postgres" -D "$d/data" -k "$d" -p "$port" -h 127.0.0.1 >>"$d/log" 2>&1 </dev/null 9>&- &
  # The postmaster writes its own pid; the one of this shell's child is that of runuser.
  local until=$((SECONDS + 60))
  until pg_ready "$bin" "$port"; do
    ((SECONDS < until)) || { say "postgres does not answer"; tail -15 "$d/log" >&2; return 1; }
    sleep 0.1
  done
  head -1 "$d/data/postmaster.pid" >"$d/launched"
  PGPASSWORD=$PG_PASSWORD "$bin/psql" -qX -h 127.0.0.1 -p "$port" -U decnet -d postgres -c 'CREATE DATABASE decnet' >>"$d/log" 2>&1 || return 1
  printf 'IT_PG_URL=postgres://decnet:%s@127.0.0.1:%s/decnet?sslmode=disable\nIT_PG_PID=%s\n' \
    "$PG_PASSWORD" "$port" "$(launched postgres)" >"$d/env"
}

pg_ready() { PGPASSWORD=$PG_PASSWORD "$1/psql" -qX -h 127.0.0.1 -p "$2" -U decnet -d postgres -c 'SELECT 1' >/dev/null 2>&1; }

healthy_postgres() { [ -s "$DIR/postgres/env" ] && [ -n "$(launched postgres)" ]; }

stop_postgres() {
  halt "$(head -1 "$DIR/postgres/data/postmaster.pid" 2>/dev/null || true)" "$DIR/postgres" 20
  rm -rf "$DIR/postgres"
}
