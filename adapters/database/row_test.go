package database

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/messages"
)

func newCache() *rowCache { return newRowCache("db", Config{Digest: wholeDigest}) }

func TestUnreadableColumnsAreFaultsAndTheRestIsRead(t *testing.T) {
	good := raw{name: []byte("d"), services: []byte(`["a"]`), config: []byte(`{"last_mutated":2}`), hasConfig: true, ip: []byte("1"), state: []byte("running")}
	tests := map[string]struct {
		change func(*raw)
		where  string
	}{
		"services are no JSON":          {func(r *raw) { r.services = []byte(`ssh`) }, "services"},
		"services are no list":          {func(r *raw) { r.services = []byte(`{"a":1}`) }, "services"},
		"services are null":             {func(r *raw) { r.services = []byte(`null`) }, "services"},
		"a service is null":             {func(r *raw) { r.services = []byte(`["a",null]`) }, "services"},
		"a service is a number":         {func(r *raw) { r.services = []byte(`[1]`) }, "services"},
		"services are no UTF-8":         {func(r *raw) { r.services = []byte("[\"\xff\"]") }, "services"},
		"services are cut":              {func(r *raw) { r.services = []byte(`["` + strings.Repeat("x", maxServices)) }, "services"},
		"config is no JSON":             {func(r *raw) { r.config = []byte(`{`) }, "decky_config"},
		"config is no object":           {func(r *raw) { r.config = []byte(`[]`) }, "decky_config"},
		"config is no UTF-8":            {func(r *raw) { r.config = []byte("{\"\xff\":1}") }, "decky_config"},
		"config is cut":                 {func(r *raw) { r.config = []byte(strings.Repeat(" ", maxConfig+1)) }, "decky_config"},
		"config nests without end":      {func(r *raw) { r.config = []byte(strings.Repeat("[", 100000)) }, "decky_config"},
		"last_mutated is text":          {func(r *raw) { r.config = []byte(`{"last_mutated":"x"}`) }, "decky_config"},
		"the state is no UTF-8":         {func(r *raw) { r.state = []byte("\xfe") }, "state"},
		"the address is no UTF-8":       {func(r *raw) { r.ip = []byte("\xfe") }, "decky_ip"},
		"the name is empty":             {func(r *raw) { r.name = nil }, "name"},
		"the name is no UTF-8":          {func(r *raw) { r.name = []byte("\xff") }, "name"},
		"the name has a line feed":      {func(r *raw) { r.name = []byte("a\nb") }, "name"},
		"the name is longer than names": {func(r *raw) { r.name = []byte(strings.Repeat("x", 129)) }, "name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := good
			tt.change(&r)
			c := newCache()
			for range 2 { // parsed and remembered
				p := c.read(r)
				if len(p.faults) != 1 || !strings.Contains(p.faults[0].Where, tt.where) || p.ok != (tt.where != "name") {
					t.Fatalf("%+v", p)
				}
				if p.ok && tt.where != "state" && p.row.State != "running" {
					t.Errorf("%+v", p.row)
				}
			}
		})
	}
	if p := newCache().read(good); len(p.faults) != 0 || p.row.LastMutated != 2 || p.row.Digest == "" || p.row.Services[0] != "a" {
		t.Errorf("%+v", p)
	}
}

func TestUnchangedContentIsNotParsedAgain(t *testing.T) {
	calls := 0
	c := newRowCache("db", Config{Digest: func(s string) (string, error) { calls++; return s, nil }})
	r := raw{name: []byte("d"), services: []byte("[]"), config: []byte("{}"), hasConfig: true, state: []byte("running")}
	c.read(r)
	r.state = []byte("failed") // a change of state makes no new content
	if c.read(r); calls != 1 {
		t.Errorf("%d digests", calls)
	}
	r.config = []byte(`{"a":1}`)
	if p := c.read(r); calls != 2 || p.row.Digest != `{"a":1}` {
		t.Errorf("%d digests, %+v", calls, p)
	}
	c.keep(nil)
	if c.read(r); calls != 3 {
		t.Error("a row that went is remembered")
	}
}

func TestStatesThatCannotBeReadCanStillBeReplaced(t *testing.T) {
	w := newWorld(t, onSQLite)
	for name, state := range map[string]any{"bytes": []byte("a\xffb"), "long": strings.Repeat("é", 5000), "number": 5} {
		mustExec(t, w.other, `INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at) VALUES ('local', ?, '[]', ?, 'never')`, name, state)
	}
	read, _, err := w.db.readAll(t.Context())
	if err != nil || len(read.Rows) != 3 {
		t.Fatalf("%+v (%v)", read, err)
	}
	for _, row := range read.Rows {
		if !utf8.ValidString(row.State) || len(row.State) > maxWord {
			t.Errorf("state %q", row.State)
		}
		if r := w.one(w.update(row.Name, row.State, messages.Running)); r.Outcome != messages.Committed || r.Row.State != "running" {
			t.Errorf("%s: %+v", row.Name, r)
		}
	}
}

func FuzzRowsNeverPanic(f *testing.F) {
	f.Add([]byte("decky-01"), []byte(`["ssh","docker_api"]`), []byte(`{"name":"x","last_mutated":1e3}`), []byte("running"), true)
	f.Add([]byte("a\x00"), []byte(`[null]`), []byte(`{"last_mutated":1e999}`), []byte("\xff"), true)
	f.Add([]byte(""), []byte("[[[["), []byte(""), []byte(""), false)
	c := newCache()
	f.Fuzz(func(t *testing.T, name, services, config, state []byte, hasConfig bool) {
		r := raw{name: name, services: services, config: config, state: state, ip: state, lastError: config, hasConfig: hasConfig}
		p := c.read(r)
		if !p.ok && len(p.faults) == 0 {
			t.Error("neither a row nor a fault")
		}
		for _, s := range []string{p.row.Name, p.row.State, p.row.IP, p.row.LastError} {
			if !utf8.ValidString(s) || len(s) > maxText {
				t.Errorf("%q got through", s)
			}
		}
		for _, fault := range p.faults {
			if !utf8.ValidString(fault.Where) {
				t.Errorf("fault %q", fault.Where)
			}
		}
	})
}

func FuzzHoldTimesStayBounded(f *testing.F) {
	f.Add("2026-11-23 14:56:58.895804", "2026-11-23 14:56:58")
	f.Add("9999-12-31 23:59:59", "x")
	db := &DB{cfg: Config{}.withDefaults()}
	f.Fuzz(func(t *testing.T, updated, started string) {
		until := db.until(start, updated, started)
		if until.After(start.Add(2 * db.cfg.Hold)) {
			t.Errorf("holds until %s", until)
		}
	})
}

func FuzzURLsNeverPanic(f *testing.F) {
	f.Add("sqlite:///a.db")
	f.Add("mysql+asyncmy://u:p%2B@h:1/d?charset=utf8mb4")
	f.Add("postgres://u@[::1]/d?host=/run")
	f.Fuzz(func(t *testing.T, url string) {
		if strings.Contains(url, "cert") || strings.Contains(url, "key") {
			t.Skip("reads files")
		}
		at, err := parseURL(url)
		if err == nil && at.path == "" {
			err = connectable(at)
		}
		_ = err // any answer will do
	})
}
