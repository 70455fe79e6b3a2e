package tui

import (
	"context"
	"errors"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/decnet/decnet-fleetd/messages"
)

// Daemon answers the console's questions. Methods are called from several goroutines; errors are shown as they are.
type Daemon interface {
	Status(ctx context.Context) (messages.Status, error)
	Deckies(ctx context.Context) ([]messages.DeckyStatus, error)
	// Table fetches what the screens of few lines show; the document is one of the slices of package messages.
	Table(ctx context.Context, what Screen) (any, error)
	Inspect(ctx context.Context, decky messages.DeckyStatus) (messages.Inspection, error)
	// Follow hands over events after the seq until ctx ends or the daemon goes. gap: some are missing before it.
	Follow(ctx context.Context, since int64, on func(e messages.Event, gap bool)) error
	// Act carries out a control verb. drain, undrain and forget are about hosts, by uuid.
	Act(ctx context.Context, verb string, targets []string, reason string) ([]messages.ActionResult, error)
	// At is the daemon of another host of the cluster, asked through this one.
	At(host string) Daemon
}

// ErrNotOffered is the answer of a daemon that is older than this console.
var ErrNotOffered = errors.New("this daemon does not offer it: it is older than the console")

// Config is what the console needs. All fields are required.
type Config struct {
	Daemon Daemon
	Escape func(string) string // makes one line of text harmless
	Now    func() time.Time
	Where  string // of the control socket, for the header
	ASCII  bool   // no glyphs beyond ASCII
	Plain  bool   // no colours
	Filter Filter // nil: nothing is filtered
	// Screen is shown first; "" is the deckies.
	Screen Screen
}

// Screen is one of the console's views.
type Screen string

// The screens, in the order of their digits from 1.
const (
	Deckies     Screen = "deckies"
	Actors      Screen = "actors"
	Events      Screen = "events"
	Crashes     Screen = "crashes"
	DeadLetters Screen = "deadletters"
	Runtime     Screen = "runtime"
	Audit       Screen = "audit"
	Cluster     Screen = "cluster"
	Detail      Screen = "decky"
	Help        Screen = "help"
)

var digits = []Screen{Deckies, Actors, Events, Crashes, DeadLetters, Runtime, Audit, Cluster}

// Bounds; chosen: more than anybody scrolls through, and a few MiB at most.
const (
	maxEvents  = 2000
	maxHistory = 32
)

// mode is what the keys mean.
type mode uint8

const (
	browsing mode = iota
	filtering
	commanding
	confirming
	sorting
)

// Model is the state of the console.
type Model struct {
	cfg    Config
	ctx    context.Context //nolint:containedctx // a program of the terminal has no other way to hand it to its commands
	width  int
	height int

	screen  Screen
	back    []Screen
	forward []Screen
	places  map[Screen]*place
	mode    mode
	line    string // being typed
	pending *order // waits to be confirmed
	notice  string
	bad     bool // the notice tells of a failure

	frozen bool
	faults bool // only what is wrong
	wide   bool
	tree   bool

	status   messages.Status
	deckies  []messages.DeckyStatus
	trend    map[string][]uint8
	events   []messages.Event
	gap      bool
	seq      int64
	scope    messages.Member    // the host that is asked; zero: the socket's own
	stop     context.CancelFunc // ends the stream of events
	tables   map[Screen]any
	troubles map[Screen]error
	subject  messages.DeckyStatus // of the detail screen
	insight  *messages.Inspection
	tab      int
	raw      bool // show JSON
	rates    []float64
	done     int64 // messages handled at the last look, for the rate

	live    bool
	lost    error
	looked  time.Time
	stream  chan tea.Msg
	fetched map[Screen]time.Time
}

// place is where somebody is in a list.
type place struct {
	cursor, top int
	filter      filter
	sort        string
	down        bool
	marks       map[string]bool
}

// New returns a console; run it with tea.NewProgram. ctx ends its requests.
func New(ctx context.Context, cfg Config) *Model {
	if cfg.Screen == "" {
		cfg.Screen = Deckies
	}
	return &Model{cfg: cfg, ctx: ctx, width: 80, height: 24, screen: cfg.Screen, places: map[Screen]*place{}, seq: -1,
		trend: map[string][]uint8{}, tables: map[Screen]any{}, troubles: map[Screen]error{}, fetched: map[Screen]time.Time{},
		stream: make(chan tea.Msg, 64)}
}

func (m *Model) here() *place {
	p := m.places[m.screen]
	if p == nil {
		p = &place{marks: map[string]bool{}}
		m.places[m.screen] = p
	}
	return p
}

// Init asks for everything once.
func (m *Model) Init() tea.Cmd {
	return tea.Batch(m.fetch(), m.follow(), m.next(), tick())
}

// Known says whether a screen can be shown first.
func Known(s Screen) bool { return slices.Contains(digits, s) }
