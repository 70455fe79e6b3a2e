# A Debian whose first process is systemd, as an image of the engine: what the unit is tested in. The root file system
# takes under a minute to make, so it is kept beside $DIR: `down` leaves it there.

readonly SYSTEMD_IMAGE=decnet-fleetd-it-systemd:latest
readonly SYSTEMD_SUITE=bookworm
readonly SYSTEMD_CACHE=${TMPDIR:-/tmp}/decnet-fleetd-cache-$(id -u)
readonly SYSTEMD_ROOT=$SYSTEMD_CACHE/systemd-$SYSTEMD_SUITE.tar

install_systemd() {
  [ -s "$SYSTEMD_ROOT" ] || need debootstrap debootstrap
}

start_systemd() {
  healthy_docker || { say "systemd needs the engine: services.sh up docker systemd"; return 1; }
  [ -s "$SYSTEMD_ROOT" ] || make_root || return 1
  systemd_engine image inspect "$SYSTEMD_IMAGE" >/dev/null 2>&1 ||
    systemd_engine import "$SYSTEMD_ROOT" "$SYSTEMD_IMAGE" >/dev/null || return 1
  mkdir -p "$DIR/systemd"
  printf 'IT_SYSTEMD_IMAGE=%s\n' "$SYSTEMD_IMAGE" >"$DIR/systemd/env"
}

# systemd_engine is the engine the tests use, ours or the one DOCKER_HOST names.
systemd_engine() { docker -H "$(sed -n 's/^IT_DOCKER_HOST=//p' "$DIR/docker/env")" "$@"; }

# make_root makes the archive under another name and moves it: half a one is never used. Nobody else may prepare it.
make_root() {
  local work=$SYSTEMD_CACHE/work rc=0
  mkdir -p -m 0700 "$SYSTEMD_CACHE"
  [ -O "$SYSTEMD_CACHE" ] && [ ! -L "$SYSTEMD_CACHE" ] || { say "$SYSTEMD_CACHE belongs to somebody else"; return 1; }
  [ "$(id -u)" = 0 ] || { say "debootstrap needs root"; return 1; }
  exec 8>"$SYSTEMD_CACHE/lock"
  flock -w 600 8 || return 1
  if [ ! -s "$SYSTEMD_ROOT" ]; then
    rm -rf "$work"
    say "making $SYSTEMD_ROOT"
    { debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus "$SYSTEMD_SUITE" "$work" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" &&
        rm -rf "$work"/var/cache/apt/* "$work"/var/lib/apt/lists/* "$work"/usr/share/{doc,locale,man}/* &&
        tar -C "$work" -cf "$SYSTEMD_ROOT.new" . && mv "$SYSTEMD_ROOT.new" "$SYSTEMD_ROOT"; } >"$SYSTEMD_CACHE/log" 2>&1 || rc=1
    rm -rf "$work"
    [ "$rc" = 0 ] || { say "debootstrap said:"; tail -5 "$SYSTEMD_CACHE/log" >&2; }
  fi
  exec 8>&-
  return "$rc"
}

healthy_systemd() {
  [ -s "$DIR/systemd/env" ] && healthy_docker && systemd_engine image inspect "$SYSTEMD_IMAGE" >/dev/null 2>&1
}

stop_systemd() { rm -rf "$DIR/systemd"; }
