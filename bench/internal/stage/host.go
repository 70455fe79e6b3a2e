package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/subscriber"
	"github.com/decnet/decnet-fleetd/bench/internal/witness"
)

// Host is one host. Its exported fields are nil until the method of that name was called.
type Host struct {
	Bus, Daemon *Process
	Received    *Feed[Received]
	Seen        *Feed[witness.Sight]
	Engine      *Engine

	subscriber  *Process
	dir, binary string
	helper      string // the measuring program itself, started again for its other roles
	all         []*Process
}

// New makes a host in a directory of its own: an empty database and nothing else. binary is the product.
func New(ctx context.Context, binary string) (*Host, error) {
	helper, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "fb") // short: a socket's path has 107 bytes
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	h := &Host{dir: dir, binary: binary, helper: helper}
	err = errors.Join(createDatabase(ctx, h.Path("decnet.db")), os.Mkdir(h.Path("state"), 0o700))
	return h, err
}

// Path is that of a file of the host.
func (h *Host) Path(name string) string { return filepath.Join(h.dir, name) }

// Close ends every process and removes the directory; with keep the logs stay, and it says where.
func (h *Host) Close(keep bool) error {
	for _, p := range slices.Backward(h.all) {
		p.End()
	}
	if keep {
		fmt.Fprintln(os.Stderr, "the logs are in", h.dir)
		return nil
	}
	return os.RemoveAll(h.dir)
}

// Flags are the daemon's; nothing of the machine's own DECNET is found through them.
func (h *Host) Flags() []string {
	return []string{
		"--install-dir", h.dir, "--state-file", h.Path("decnet-state.json"), "--database", "sqlite://" + h.Path("decnet.db"),
		"--docker-host", h.Engine.Host, "--bus-socket", h.Path("bus.sock"), "--state-dir", h.Path("state"),
		"--control-socket", h.Path("control.sock"), "--log-format", "json",
	}
}

func (h *Host) launch(p Program) (*Process, error) {
	child, err := Launch(p)
	if err == nil {
		h.all = append(h.all, child)
	}
	return child, err
}

// StartBus starts the built-in bus on that socket and waits until it is there.
func (h *Host) StartBus(ctx context.Context, socket string) error {
	p, err := h.launch(Program{Log: h.Path("bus.log"), Path: h.binary, Args: []string{"bus", "--bus-socket", h.Path(socket)}})
	if err != nil {
		return err
	}
	h.Bus = p
	return Until(ctx, patience, func() error {
		if !p.Alive() {
			return fmt.Errorf("the bus ended\n%s", p.Tail())
		}
		_, err := os.Stat(h.Path(socket))
		return err
	})
}

// StartSim starts a simulated engine with so many deckies on it.
func (h *Host) StartSim(ctx context.Context, deckies int) error {
	_, err := h.launch(Program{Log: h.Path("sim.log"), Path: h.helper,
		Args: []string{"sim", "-socket", h.Path("sim.sock"), "-deckies", strconv.Itoa(deckies)}})
	if err != nil {
		return err
	}
	h.Engine, err = Connect(ctx, "unix://"+h.Path("sim.sock"))
	return err
}

// Subscribe starts a subscriber on that socket and waits until the bus fans out to it. It takes the place of an earlier
// one; what that one heard is forgotten.
func (h *Host) Subscribe(ctx context.Context, socket string) error {
	if h.subscriber != nil {
		h.subscriber.End()
	}
	p, r, err := h.helping("subscribe", "-socket", h.Path(socket))
	if err != nil {
		return err
	}
	h.subscriber, h.Received = p, Follow(r, parseReceived)
	_, err = h.Received.Await(ctx, 0, patience, func(r Received) bool { return r.Topic == subscriber.ReadyTopic })
	return err
}

// Witness starts a witness of the table: row by row, or states only.
func (h *Host) Witness(rows bool, every time.Duration) error {
	_, r, err := h.helping("witness", "-database", h.Path("decnet.db"), "-rows="+strconv.FormatBool(rows), "-every", every.String())
	if err != nil {
		return err
	}
	h.Seen = Follow(r, func(line []byte) (s witness.Sight, err error) { return s, json.Unmarshal(line, &s) })
	return nil
}

// Helping starts this program in another role and gives what it writes.
func (h *Host) helping(args ...string) (*Process, io.Reader, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer w.Close() //nolint:errcheck // the child has its own
	p, err := h.launch(Program{Log: h.Path(args[0] + ".log"), Path: h.helper, Args: args, Out: w})
	return p, r, err
}

// Count starts subscribers that only count one topic and gives what they tell.
func (h *Host) Count(topic string, connections int) (*Process, *Feed[subscriber.Counts], error) {
	p, r, err := h.helping("count", "-socket", h.Path("bus.sock"), "-topic", topic, "-connections", strconv.Itoa(connections))
	if err != nil {
		return nil, nil, err
	}
	return p, Follow(r, func(line []byte) (c subscriber.Counts, err error) { return c, json.Unmarshal(line, &c) }), nil
}

// Publish runs a publisher to its end and gives what it says.
func (h *Host) Publish(ctx context.Context, args ...string) (string, error) {
	p, err := h.run(ctx, h.helper, append([]string{"publish", "-socket", h.Path("bus.sock")}, args...)...)
	if err != nil {
		return "", err
	}
	return p.Said(), nil
}

// Weigh runs so many actors in a process of their own and gives what it says of their memory.
func (h *Host) Weigh(ctx context.Context, deckies int) (string, error) {
	p, err := h.run(ctx, h.helper, "actors", "-deckies", strconv.Itoa(deckies))
	if err != nil {
		return "", err
	}
	return p.Said(), nil
}

// Serve starts the daemon, through a wrapper where one is given.
func (h *Host) Serve(wrapper ...string) error {
	args := append(append(append([]string{}, wrapper...), h.binary, "serve"), h.Flags()...)
	p, err := h.launch(Program{Log: h.Path("daemon.log"), Path: args[0], Args: args[1:]})
	h.Daemon = p
	return err
}

// Answers waits until the daemon answers on its control socket.
func (h *Host) Answers(ctx context.Context) error {
	return Until(ctx, patience, func() error {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", h.Path("control.sock"))
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// Once runs `reconcile --once` to its end.
func (h *Host) Once(ctx context.Context) (*Process, error) {
	return h.run(ctx, h.binary, append([]string{"reconcile", "--once"}, h.Flags()...)...)
}

// run runs a program to its end; another exit code than 0 is an error.
func (h *Host) run(ctx context.Context, program string, args ...string) (*Process, error) {
	var out strings.Builder
	p, err := h.launch(Program{Log: h.Path(args[0] + ".log"), Path: program, Out: &out, Args: args})
	if err != nil {
		return nil, err
	}
	code, _, err := p.Exit(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit code %d\n%s%s", args[0], code, out.String(), p.Tail())
	}
	p.said = out.String()
	return p, err
}

// Converged waits until the witness has seen exactly so many rows in a state, and no others.
func (h *Host) Converged(ctx context.Context, mark, n int, state string) (witness.Sight, error) {
	s, err := h.Seen.Await(ctx, mark, 4*patience, func(s witness.Sight) bool { return s.States[state] == n && len(s.States) == 1 })
	if err != nil {
		return s, fmt.Errorf("%d rows %s: %w (now %v)\n%s", n, state, err, last(h.Seen).States, h.tail())
	}
	return s, nil
}

func (h *Host) tail() string {
	if h.Daemon == nil {
		return ""
	}
	return h.Daemon.Tail()
}

func last[T any](f *Feed[T]) (item T) {
	if all := f.Since(0); len(all) > 0 {
		return all[len(all)-1]
	}
	return item
}

// Record starts a subscriber that writes down everything in a file of the host, and waits until the bus fans out to it.
func (h *Host) Record(ctx context.Context, socket, file string) error {
	f, err := os.Create(h.Path(file))
	if err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	defer f.Close() //nolint:errcheck // the child has its own
	h.subscriber, err = h.launch(Program{Log: h.Path("subscribe.log"), Path: h.helper, Args: []string{"subscribe", "-socket", h.Path(socket)}, Out: f})
	if err != nil {
		return err
	}
	return Until(ctx, patience, func() error {
		text, err := os.ReadFile(h.Path(file))
		if err == nil && !strings.Contains(string(text), subscriber.ReadyTopic) {
			err = errors.New("the subscriber is not in force")
		}
		return err
	})
}

// InitDatabase makes the product's own tables before the daemon does.
func (h *Host) InitDatabase(ctx context.Context) error {
	_, err := h.run(ctx, h.binary, append([]string{"db", "init"}, h.Flags()...)...)
	return err
}

// Goroutines asks the daemon on its control socket how many it has.
func (h *Host) Goroutines(ctx context.Context) (int, error) {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", h.Path("control.sock"))
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/v1/runtime", nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask for goroutines: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var said struct{ Goroutines int }
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Goroutines == 0 {
		return 0, fmt.Errorf("ask for goroutines: %s: %w", resp.Status, err)
	}
	return said.Goroutines, nil
}
