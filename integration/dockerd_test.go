package integration

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
)

// apiBack is how long an engine may take to answer after a kill; 60 s was seen.
const apiBack = 90 * time.Second

// dockerd is an engine of one test's own, to be killed and restarted.
type dockerd struct {
	*engine
	dir         string
	liveRestore bool
	process     *process
}

// startDockerd starts an engine that knows the test image. It stands below the directory of services.sh, which ends it
// even where the test cannot.
func startDockerd(t *testing.T, liveRestore bool) *dockerd {
	t.Helper()
	need(t, "IT_DOCKER_HOST") // engines can run here at all
	if _, err := exec.LookPath("dockerd"); err != nil && !exists("/usr/sbin/dockerd") {
		lack(t, "no dockerd to start an engine that may be killed")
	}
	dir := shortDir(t, "engines")
	d := &dockerd{engine: connect(t, "unix://"+dir+"/docker.sock"), dir: dir, liveRestore: liveRestore}
	must(t, os.WriteFile(filepath.Join(dir, "namespace"), []byte(d.namespace()+"\n"), 0o600))
	t.Cleanup(func() { d.reap(t) })
	d.start(t)
	d.importImage(t)
	return d
}

func (d *dockerd) namespace() string { return "decnet-it-" + filepath.Base(d.dir) }

// start starts the engine, also after a kill, and waits until it answers.
func (d *dockerd) start(t *testing.T) {
	t.Helper()
	d.forget(t)
	args := []string{
		"-H", d.host, "--data-root", d.dir + "/data", "--exec-root", d.dir + "/exec", "--pidfile", d.dir + "/pid",
		"--bridge=none", "--iptables=false", "--ip-forward=false", "--storage-driver=vfs",
		"--containerd-namespace=" + d.namespace(), "--containerd-plugins-namespace=" + d.namespace() + "-plugins",
		"--shutdown-timeout=5",
	}
	if d.liveRestore {
		args = append(args, "--live-restore")
	}
	program := "dockerd"
	if exists("/usr/sbin/dockerd") {
		program = "/usr/sbin/dockerd"
	}
	d.process = launch(t, d.dir+"/log", program, args...)
	eventually(t, apiBack, func() error {
		if !d.process.alive() {
			t.Fatalf("dockerd ended\n%s", d.process.tail())
		}
		return d.answers()
	})
}

// forget removes the pid files of a killed engine and of the containerd that died with it. An engine refuses to start
// while the pid in there exists, and where nobody reaps orphans a dead one exists for ever.
func (d *dockerd) forget(t *testing.T) {
	t.Helper()
	for _, file := range []string{d.dir + "/pid", d.dir + "/exec/containerd/containerd.pid"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		must(t, err)
		eventually(t, soon, func() error { return unless(dead(pid), "pid %d of %s still runs", pid, file) })
		must(t, os.Remove(file))
	}
}

// dead says whether a process is gone or a zombie.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// kill9 leaves the containers running without an engine.
func (d *dockerd) kill9(t *testing.T) {
	t.Helper()
	d.process.kill9(t)
}

// stop is the orderly stop: without live-restore it stops the containers first.
func (d *dockerd) stop(t *testing.T) {
	t.Helper()
	d.process.signal(t, syscall.SIGTERM)
	if code := d.process.exit(t, soon); code != 0 {
		t.Fatalf("dockerd exits with %d\n%s", code, d.process.tail())
	}
}

// reap ends the engine, the containers it left behind and its mounts.
func (d *dockerd) reap(t *testing.T) {
	if t.Failed() {
		t.Logf("the end of the engine's log:\n%s", d.process.tail())
	}
	out, err := exec.Command("./services.sh", "reap", filepath.Base(d.dir)).CombinedOutput()
	if err != nil {
		t.Errorf("reap the engine: %v\n%s", err, out)
	}
}

// importImage makes the test image of the sleeper, as `docker import` does.
func (d *dockerd) importImage(t *testing.T) {
	t.Helper()
	program, err := os.ReadFile(need(t, "IT_SLEEPER"))
	must(t, err)
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	must(t, w.WriteHeader(&tar.Header{Name: "sleeper", Mode: 0o755, Size: int64(len(program))}))
	_, err = w.Write(program)
	must(t, err)
	must(t, w.Close())
	answer, err := d.api.ImageImport(t.Context(), image.ImportSource{Source: &layer, SourceName: "-"}, testImage,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/sleeper"]`}})
	must(t, err)
	_, err = io.Copy(io.Discard, answer)
	must(t, err)
	must(t, answer.Close())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
