# PostgreSQL with a data directory of its own, on a free port of 127.0.0.1 and a unix socket. It refuses to run as root,
# so it runs as postgres, else as nobody. Its certificate is for localhost alone, so that 127.0.0.1 is a wrong name.

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
  as_pg "$bin/initdb" -D "$d/data" -U admin --pwfile="$d/password" -A scram-sha-256 -E UTF8 --locale=C -N >>"$d/log" 2>&1 ||
    { tail -5 "$d/log" >&2; return 1; }
  certificate "$d" && cp "$d/server.crt" "$d/server.key" "$d/data/" && chmod 600 "$d/data/server.key" || return 1
  if [ "$(id -u)" = 0 ]; then chown "$(as_pg id -un)" "$d/data/server.crt" "$d/data/server.key"; fi
  echo "$port" >"$d/port"
  resume_postgres || return 1
  pg_admin -c "CREATE ROLE decnet LOGIN CREATEDB PASSWORD '$PG_PASSWORD'" -c 'CREATE DATABASE decnet OWNER decnet' >>"$d/log" 2>&1 || return 1
  printf 'IT_PG_URL=postgres://decnet:%s@127.0.0.1:%s/decnet?sslmode=disable\nIT_PG_ADMIN_URL=postgres://admin:%s@127.0.0.1:%s/postgres?sslmode=disable\nIT_PG_CA=%s\n' \
    "$PG_PASSWORD" "$port" "$PG_PASSWORD" "$port" "$d/ca.crt" >"$d/env"
}

pg_admin() { PGPASSWORD=$PG_PASSWORD "$(pg_bin)/psql" -qX -h 127.0.0.1 -p "$(cat "$DIR/postgres/port")" -U admin -d postgres "$@"; }

# resume_postgres [OPTION...] starts it on the data it has. Without fsync: what a killed process wrote the kernel keeps,
# and no test pulls the plug.
resume_postgres() {
  local d=$DIR/postgres bin until=$((SECONDS + 60))
  bin=$(pg_bin)
  as_pg setsid nohup "$bin/postgres" -D "$d/data" -k "$d" -p "$(cat "$d/port")" -h 127.0.0.1 -c ssl=on -c fsync=off \
    "$@" >>"$d/log" 2>&1 </dev/null 9>&- &
  until pg_admin -c 'SELECT 1' >/dev/null 2>&1; do
    ((SECONDS < until)) || { say "postgres does not answer"; tail -15 "$d/log" >&2; return 1; }
    sleep 0.05
  done
  head -1 "$d/data/postmaster.pid" >"$d/launched" # its own pid; the one of this shell's child is that of runuser
}

healthy_postgres() { [ -s "$DIR/postgres/env" ] && [ -n "$(launched postgres)" ]; }

# halt_postgres and kill_postgres end it and leave its data. A killed one leaves children that hold its shared memory.
halt_postgres() { halt_fast "$(launched postgres)" INT; }

kill_postgres() { kill_group "$(launched postgres)"; }

stop_postgres() {
  halt "$(head -1 "$DIR/postgres/data/postmaster.pid" 2>/dev/null || true)" "$DIR/postgres" 20
  rm -rf "$DIR/postgres"
}
