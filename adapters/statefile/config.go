package statefile

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Limits of the file. They are far beyond any fleet (10,000 deckies make 5 MB) and keep a hostile file cheap.
const (
	// MaxBytes is the largest file that is read.
	MaxBytes = 16 << 20
	// MaxEntries is how many deckies a file may declare.
	MaxEntries = 65_536
)

// Config says which file to read and how. Path and Now are required.
type Config struct {
	// Path is the absolute path of decnet-state.json. Its directory may be a symbolic link, the file itself may not.
	Path string
	// Now is the clock; it only stamps readings and measures how long they take.
	Now func() time.Time
	// AllowedOwners are the user ids the file may belong to, besides root and the user of this process: that of
	// DECNET's own user, where there is one.
	AllowedOwners []uint32
	// Settings may be left zero.
	Settings Settings
}

// Settings are the paces of a Watcher.
type Settings struct {
	// Debounce is how long to wait after the first sign of a change before the file is read; so the file is read at
	// most once in that time. 0 means 50 ms: DECNET truncates and writes in well under that.
	Debounce time.Duration
	// Poll is how often the file's metadata is looked at, whether or not there was a sign. 0 means 2 s, the time in
	// which a change must be seen where inotify is blind (network file systems, exhausted watches).
	Poll time.Duration
}

// Defaults of Settings; the reasons stand there.
const (
	defaultDebounce = 50 * time.Millisecond
	defaultPoll     = 2 * time.Second
)

// checked gives the configuration with its defaults filled in.
func (c Config) checked() (Config, error) {
	if !filepath.IsAbs(c.Path) {
		return c, fmt.Errorf("state file %q: the path must be absolute", c.Path)
	}
	if c.Now == nil {
		return c, errors.New("state file: no clock given")
	}
	c.Path = filepath.Clean(c.Path)
	if c.Settings.Debounce <= 0 {
		c.Settings.Debounce = defaultDebounce
	}
	if c.Settings.Poll <= 0 {
		c.Settings.Poll = defaultPoll
	}
	return c, nil
}
