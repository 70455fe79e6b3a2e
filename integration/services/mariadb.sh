# MariaDB with a data directory of its own, on a free port of 127.0.0.1 and a unix socket. Its certificate is for
# localhost alone, so that 127.0.0.1 is a wrong name.

readonly MY_PASSWORD=decnet-it

install_mariadb() { need mariadbd mariadb-server; }

my() { mariadb --no-defaults --socket="$DIR/mariadb/sock" --user=root "$@"; }

start_mariadb() {
  local d=$DIR/mariadb port user=mysql
  stop_mariadb
  mkdir -p "$d"
  if [ "$(id -u)" != 0 ]; then user=$(id -un); fi
  chown "$user" "$d"
  port=$(free_port)
  mariadb-install-db --no-defaults --user="$user" --datadir="$d/data" --auth-root-authentication-method=normal \
    --skip-test-db >>"$d/log" 2>&1 || { tail -5 "$d/log" >&2; return 1; }
  certificate "$d" && chown "$user" "$d/server.key" || return 1
  echo "$port" >"$d/port"
  echo "$user" >"$d/user"
  resume_mariadb || return 1
  # Two accounts each, because names are not resolved: one for the port, one for the socket. utf8mb4: names of deckies
  # and their configuration are any UTF-8. decnet may do anything in databases whose name begins with decnet.
  my -e "CREATE DATABASE decnet CHARACTER SET utf8mb4;
    CREATE USER decnet@'127.0.0.1' IDENTIFIED BY '$MY_PASSWORD'; GRANT ALL ON \`decnet%\`.* TO decnet@'127.0.0.1';
    CREATE USER decnet@'localhost' IDENTIFIED BY '$MY_PASSWORD'; GRANT ALL ON \`decnet%\`.* TO decnet@'localhost';
    CREATE USER admin@'127.0.0.1' IDENTIFIED BY '$MY_PASSWORD'; GRANT ALL ON *.* TO admin@'127.0.0.1' WITH GRANT OPTION" || return 1
  printf 'IT_MYSQL_URL=mysql://decnet:%s@127.0.0.1:%s/decnet\nIT_MYSQL_ADMIN_URL=mysql://admin:%s@127.0.0.1:%s/mysql\nIT_MYSQL_CA=%s\n' \
    "$MY_PASSWORD" "$port" "$MY_PASSWORD" "$port" "$d/ca.crt" >"$d/env"
}

# resume_mariadb [OPTION...] starts it on the data it has. Its log is written, not synced: what a killed process wrote the
# kernel keeps, and no test pulls the plug.
resume_mariadb() {
  local d=$DIR/mariadb
  launch mariadb mariadbd --no-defaults --user="$(cat "$d/user")" --datadir="$d/data" --socket="$d/sock" --pid-file="$d/pid" \
    --bind-address=127.0.0.1 --port="$(cat "$d/port")" --skip-name-resolve \
    --innodb-flush-log-at-trx-commit=2 --innodb-flush-method=O_DIRECT_NO_FSYNC \
    --ssl-ca="$d/ca.crt" --ssl-cert="$d/server.crt" --ssl-key="$d/server.key" "$@"
  await 60 mariadb my -e 'SELECT 1'
}

halt_mariadb() { halt "$(launched mariadb)" "$DIR/mariadb" 30; }

kill_mariadb() { kill_group "$(launched mariadb)"; }

healthy_mariadb() { [ -s "$DIR/mariadb/env" ] && [ -n "$(launched mariadb)" ]; }

stop_mariadb() {
  halt "$(launched mariadb)" "$DIR/mariadb" 30
  rm -rf "$DIR/mariadb"
}
