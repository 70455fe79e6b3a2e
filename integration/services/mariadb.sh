# MariaDB with a data directory of its own, on a free port of 127.0.0.1 and a unix socket.

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
  launch mariadb mariadbd --no-defaults --user="$user" --datadir="$d/data" --socket="$d/sock" --pid-file="$d/pid" \
    --bind-address=127.0.0.1 --port="$port" --skip-name-resolve
  await 60 mariadb my -e 'SELECT 1' || return 1
  # Two accounts, because names are not resolved: one for the port, one for the socket. utf8mb4: names of deckies and
  # their configuration are any UTF-8.
  my -e "CREATE DATABASE decnet CHARACTER SET utf8mb4;
    CREATE USER decnet@'127.0.0.1' IDENTIFIED BY '$MY_PASSWORD'; GRANT ALL ON decnet.* TO decnet@'127.0.0.1';
    CREATE USER decnet@'localhost' IDENTIFIED BY '$MY_PASSWORD'; GRANT ALL ON decnet.* TO decnet@'localhost'" || return 1
  printf 'IT_MYSQL_URL=mysql://decnet:%s@127.0.0.1:%s/decnet\nIT_MYSQL_PID=%s\n' \
    "$MY_PASSWORD" "$port" "$(launched mariadb)" >"$d/env"
}

healthy_mariadb() { [ -s "$DIR/mariadb/env" ] && [ -n "$(launched mariadb)" ]; }

stop_mariadb() {
  halt "$(launched mariadb)" "$DIR/mariadb" 30
  rm -rf "$DIR/mariadb"
}
