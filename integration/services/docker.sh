# Docker Engine of our own: own socket, own data, no bridge, no firewall rules, the vfs driver (it works anywhere).
# An engine that is there already is used only where DOCKER_HOST says so.

readonly IMAGE=decnet-fleetd-it:latest

engine() { docker -H "unix://$DIR/docker/docker.sock" "$@"; }

install_docker() {
  need dockerd docker.io && need docker docker.io
}

start_docker() {
  local d=$DIR/docker
  stop_docker
  mkdir -p "$d"
  CGO_ENABLED=0 go -C "$HERE/.." build -trimpath -buildvcs=false -ldflags=-s -o "$d/sleeper" ./integration/sleeper || return 1
  if [ -n "${DOCKER_HOST:-}" ]; then
    say "using the engine at $DOCKER_HOST, as DOCKER_HOST says"
    import_image docker || return 1
    printf 'IT_DOCKER_HOST=%s\nIT_SLEEPER=%s\n' "$DOCKER_HOST" "$d/sleeper" >"$d/env"
    return
  fi
  # Two engines never see each other's containers, not even through a containerd they share.
  echo "decnet-it-$(printf %s "$d" | cksum | cut -d' ' -f1)" >"$d/namespace"
  run_docker
  # 60 s: an engine that finds another one's leftovers takes up to that to answer.
  await 60 docker engine version && import_image engine || return 1
  printf 'IT_DOCKER_HOST=unix://%s\nIT_DOCKERD_PID=%s\nIT_SLEEPER=%s\n' \
    "$d/docker.sock" "$(launched docker)" "$d/sleeper" >"$d/env"
}

# run_docker starts the engine on the data it has.
run_docker() {
  local d=$DIR/docker ns
  ns=$(cat "$d/namespace")
  launch docker dockerd -H "unix://$d/docker.sock" --data-root "$d/data" --exec-root "$d/exec" --pidfile "$d/pid" \
    --bridge=none --iptables=false --ip-forward=false --storage-driver=vfs \
    --containerd-namespace="$ns" --containerd-plugins-namespace="$ns-plugins"
}

# kill_docker ends the engine as kill -9 does and leaves its containers and its data; resume_docker starts it again. It would
# not start while the process in its pid file exists, and where nobody reaps orphans a dead one exists for ever.
kill_docker() { kill_group "$(launched docker)"; }

resume_docker() {
  rm -f "$DIR/docker/pid" "$DIR/docker/exec/containerd/containerd.pid"
  run_docker
  await 90 docker engine version
}

# import_image CLIENT: there is no registry, so the image is one static binary.
import_image() {
  tar -C "$DIR/docker" -c sleeper | "$1" import --change 'ENTRYPOINT ["/sleeper"]' - "$IMAGE" >/dev/null
}

healthy_docker() {
  [ -s "$DIR/docker/env" ] || return 1
  if grep -q '^IT_DOCKERD_PID=' "$DIR/docker/env"; then
    [ -n "$(launched docker)" ] && engine image inspect "$IMAGE" >/dev/null 2>&1
  else
    docker image inspect "$IMAGE" >/dev/null 2>&1
  fi
}

# stop_docker ends our engine, and the engines of tests that were interrupted (they stand below engines/).
stop_docker() {
  local d
  for d in "$DIR/docker" "$DIR"/engines/*; do
    if [ -d "$d" ]; then reap_engine "$d"; fi
  done
}

reap_engine() {
  local d=$1 pid
  pid=$(cat "$d/pid" 2>/dev/null || true)
  if alive "$pid" "$d"; then
    # shellcheck disable=SC2046
    timeout 60 docker -H "unix://$d/docker.sock" rm -f $(timeout 10 docker -H "unix://$d/docker.sock" ps -aq) >/dev/null 2>&1 || true
    halt "$pid" "$d" 20
  fi
  reap_shims "$d"
  # Deepest first; an engine that was killed leaves its mounts behind.
  awk -v d="$d/" 'index($2, d) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r m; do umount -l "$m" || true; done
  rm -rf "$d"
}

# reap_shims ends the containers an engine left running when it was killed: shims name the directory or the namespace of
# their engine, and a container's first process is the child of its shim.
reap_shims() {
  local d=$1 ns p pid child
  ns=$(cat "$d/namespace" 2>/dev/null || echo "$d/exec/")
  for p in /proc/[0-9]*; do
    pid=${p#/proc/}
    alive "$pid" containerd || continue
    alive "$pid" "$d/exec/" || alive "$pid" "$ns" || continue
    for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do kill -KILL "$child" 2>/dev/null || true; done
    kill -KILL "$pid" 2>/dev/null || true
  done
}
