package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// world is a machine in memory.
type world struct {
	flags    map[string]string
	env      map[string]string
	files    map[string]string // a text starting with "!" is an error: permission or other
	writable []string
	root     bool
	client   bool
	home     string
	found    string // where DECNET keeps its files, "" is the install directory, "?" is anybody's guess
}

func (w world) input() Input {
	return Input{
		Flags:     w.flags,
		LookupEnv: func(n string) (string, bool) { v, ok := w.env[n]; return v, ok },
		ReadFile:  w.read,
		Probe:     w.probe,
		Exists:    w.exists,
		Writable:  func(dir string) bool { return strings.Contains(strings.Join(w.writable, "|")+"|", dir+"|") },
		WorkDir:   "/work", Home: w.home, Root: w.root, Client: w.client, BusSocket: "/run/decnet/bus.sock",
	}
}

func (w world) read(name string) ([]byte, error) {
	text, ok := w.files[name]
	switch {
	case !ok:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case text == "!permission":
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	case text == "!fifo":
		return nil, errors.New("is a FIFO, not a regular file")
	}
	return []byte(text), nil
}

func (w world) exists(name string) bool {
	for f := range w.files {
		if f == name || strings.HasPrefix(f, name+"/") {
			return true
		}
	}
	return false
}

func (w world) probe(dir string) (string, error) {
	switch w.found {
	case "":
		return dir, nil
	case "?":
		return "", errors.New("it could be here or there")
	}
	return w.found, nil
}

// load fails the test on a fault.
func (w world) load(t *testing.T) (Settings, map[string]Origin) {
	t.Helper()
	s, origins, err := Load(w.input())
	if err != nil {
		t.Fatal(err)
	}
	return s, byKey(origins)
}

func byKey(origins []Origin) map[string]Origin {
	m := map[string]Origin{}
	for _, o := range origins {
		m[o.Key] = o
	}
	return m
}

// fault loads a world that must be refused.
func (w world) fault(t *testing.T) string {
	t.Helper()
	_, _, err := Load(w.input())
	if _, is := errors.AsType[*Invalid](err); !is {
		t.Fatalf("error is %v, want an *Invalid", err)
	}
	return err.Error()
}
