package statefile

import (
	"context"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/decnet/decnet-fleetd/messages"
)

// restFactor is how many times as long as a look took there must be rest before the next one that nobody asked for:
// a file that is rewritten without end costs at most 5 % of a core, whatever its size.
const restFactor = 19

// maxRest bounds that rest. Chosen: a change is still seen well before the poll would find it.
const maxRest = time.Second

// settleTime is how old a change must be for the file's times to prove that there was no other since. The coarsest
// file systems in use count in seconds.
const settleTime = 2 * time.Second

// Watcher observes the file: it reads it at once, and again whenever it changed.
type Watcher struct {
	cfg    Config
	volume *volume
	// watch is watchDir; tests put a failing one in its place.
	watch func(dir string) (*notifier, error)
}

// NewWatcher makes a watcher. The error says what is wrong with the configuration; the file need not be there.
func NewWatcher(cfg Config) (*Watcher, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	return &Watcher{cfg: cfg, volume: &volume{}, watch: watchDir}, nil
}

// Observe reads the file until ctx ends. It emits a messages.DeclaredRead at once, then whenever the content or the
// status changed, and for every poke. emit blocks until the reading has been handled; what happens meanwhile is seen
// afterwards. Everything runs in the caller's goroutine, so spawn is not needed. Several calls do not disturb each
// other.
func (w *Watcher) Observe(ctx context.Context, _ func(func()), poke <-chan struct{}, emit func(messages.Reading)) {
	o := &observation{w: w, reader: newReader(w.cfg, w.volume), emit: emit}
	defer o.unwatch()
	poll := time.NewTicker(w.cfg.Settings.Poll)
	defer poll.Stop()
	o.look(true)
	for {
		events, failures := o.signs()
		select {
		case <-ctx.Done():
			return
		case _, open := <-poke:
			if !open {
				poke = nil
				continue
			}
			o.look(true)
		case e, open := <-events:
			o.heard(e, open)
		case _, open := <-failures:
			o.deaf(open)
		case <-o.due:
			o.look(false)
		case <-poll.C:
			o.glance()
		}
	}
}

// observation is one run of Observe.
type observation struct {
	w      *Watcher
	reader *Reader
	emit   func(messages.Reading)

	notifier *notifier      // nil while there is none
	blind    messages.Fault // why not

	due       <-chan time.Time // of the look that a sign asked for; nil without one
	notBefore time.Time        // no look without being asked before then

	seen  signature // before the last look
	sure  bool      // as long as the signature stays, there is nothing new
	told  told
	first bool // something was told
}

// told is what must differ for a reading to be news.
type told struct {
	status       messages.FileStatus
	fault, blind messages.Fault
	version      uint64
}

// look reads the file and tells what is new, or in any case where asked.
func (o *observation) look(asked bool) {
	o.due = nil
	o.rewatch() // first: a change between watching and reading is a sign, one between reading and watching is not
	o.seen = glance(o.w.cfg.Path)
	reading, read := o.reader.look()
	o.sure = read && settled(o.seen, reading.ReadAt)
	took := o.w.cfg.Now().Sub(reading.ReadAt)
	o.notBefore = reading.ReadAt.Add(took + min(restFactor*took, maxRest))
	news := told{reading.Status, reading.Fault, o.blind, o.reader.version}
	if !asked && o.first && news == o.told {
		return
	}
	o.told, o.first = news, true
	if o.blind != (messages.Fault{}) {
		reading.Warnings = append(slices.Clip(reading.Warnings), o.blind)
	}
	o.emit(reading)
}

// settled says whether the file's last change is long enough ago.
func settled(s signature, now time.Time) bool {
	age := now.Sub(time.Unix(s.ctime.Unix()))
	return age > settleTime || age < -settleTime // a clock that is wrong must not make us read for ever
}

// glance is the backstop: it sees what gave no sign. A file that could not be read is tried again.
func (o *observation) glance() {
	if o.rewatch() || !o.sure || glance(o.w.cfg.Path) != o.seen {
		if o.due == nil {
			o.look(false)
		}
	}
}

// heard takes an event of the directory.
func (o *observation) heard(e fsnotify.Event, open bool) {
	switch {
	case !open:
		o.unwatch()
	case e.Name == o.w.cfg.Path, e.Name == o.reader.dir:
	default:
		return // DECNET's database lies beside the file and is written all the time
	}
	o.plan()
}

// deaf takes an error of the watch: events were lost.
func (o *observation) deaf(open bool) {
	if !open {
		o.unwatch()
	}
	o.plan()
}

// plan makes sure that a look is due soon. The first sign sets the time, later ones do not move it: a file that never
// rests is read all the same.
func (o *observation) plan() {
	if o.due == nil {
		wait := max(o.w.cfg.Settings.Debounce, o.notBefore.Sub(o.w.cfg.Now()))
		o.due = time.NewTimer(wait).C
	}
}
