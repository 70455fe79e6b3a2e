package fabric

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// child is what this test binary becomes where a test needs a process to kill.
type child struct {
	Role   string // hub, worker
	Listen string
	Files  Files
	Pins   []messages.Pin
	Host   string
	Book   string // the hub's database: a line for each committed transition
}

const childEnv = "FABRIC_TEST_CHILD"

func runChild(text string) {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		panic(err)
	}
	switch c.Role {
	case "hub":
		runChildHub(c)
	case "worker":
		runChildWorker(c)
	}
}

func runChildHub(c child) {
	seen := booked(c.Book)
	f, err := os.OpenFile(c.Book, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	_, err = Listen(context.Background(), HubConfig{Listen: c.Listen, Files: c.Files, Version: "1.0", Now: time.Now,
		Pins: func(context.Context) ([]messages.Pin, error) { return c.Pins, nil },
		Deliver: func(_ context.Context, _ string, b messages.ShipBatch) (messages.ShipAck, error) {
			mu.Lock()
			defer mu.Unlock()
			var out strings.Builder
			for _, e := range b.Events {
				if !seen[e.EventID] {
					fmt.Fprintln(&out, e.EventID)
				}
			}
			if _, err := f.WriteString(out.String()); err != nil {
				return messages.ShipAck{}, err
			}
			if err := f.Sync(); err != nil {
				return messages.ShipAck{}, err
			}
			for _, e := range b.Events { // only what is durable counts as seen
				seen[e.EventID] = true
			}
			return messages.ShipAck{}, nil
		}})
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	select {}
}

func runChildWorker(c child) {
	w, err := Dial(WorkerConfig{Hub: "tls://" + c.Listen, HostUUID: c.Host, Files: c.Files, Version: "1.0", Now: time.Now, Jitter: rand.Float64,
		State: func(s messages.LinkState) {
			if s.Phase == messages.LinkConnected {
				fmt.Println("ready")
			}
		}})
	if err != nil {
		panic(err)
	}
	for n := uint64(0); ; n++ {
		_ = w.Beat(messages.Beat{N: n})
		time.Sleep(100 * time.Millisecond)
	}
}

// booked is what a hub committed, a half line at the end left out.
func booked(path string) map[string]bool {
	text, _ := os.ReadFile(path)
	lines := strings.Split(string(text), "\n")
	out := map[string]bool{}
	for _, l := range lines[:len(lines)-1] {
		out[l] = true
	}
	return out
}

// spawn starts a child and waits until it is ready. The function it gives kills it as kill -9 does, and waits.
func (c child) spawn(t testing.TB) (kill func()) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		kill()
		t.Fatalf("the child said %q, %v", line, err)
	}
	return kill
}
