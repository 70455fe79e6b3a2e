package docker

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

// said is a message of the stream as Docker 20.10 writes it.
func said(action, id string) string {
	return `{"status":"` + action + `","id":"` + id + `","from":"img:1","Type":"container","Action":"` + action +
		`","Actor":{"ID":"` + id + `","Attributes":{"com.docker.compose.project":"decnet","decnet.fleet.decky":"decky-01",` +
		`"decnet.fleet.service":"true","decnet.fleet.service_name":"ssh","exitCode":"137","image":"img:1","name":"decky-01-ssh"}},` +
		`"scope":"local","time":1795488534,"timeNano":1795488534665332075}` + "\n"
}

func TestStreamMarksWhatItNames(t *testing.T) {
	const at = 1795488534665332075
	ssh := messages.Container{ID: "aa", Name: "decky-01-ssh", Decky: "decky-01", Service: "ssh", Project: "decnet"}
	for name, row := range map[string]struct {
		stream string
		marks  []mark
		hint   messages.RuntimeHinted
	}{
		"a death":               {said("die", "aa"), []mark{{"aa", at, "die", "die", 0}}, messages.RuntimeHinted{}},
		"a start is a hint too": {said("start", "aa"), []mark{{"aa", at, "start", "start", 0}}, messages.RuntimeHinted{Started: 1}},
		"a removal is a hint with all labels": {
			said("destroy", "aa"), []mark{{"aa", at, "destroy", "destroy", 0}}, messages.RuntimeHinted{Destroyed: []messages.Container{ssh}},
		},
		"a health result":            {said("health_status: healthy", "aa"), []mark{{"aa", at, "health_status", "health_status", 0}}, messages.RuntimeHinted{}},
		"one id once, oldest first":  {said("die", "bb") + said("die", "aa") + said("pause", "bb"), []mark{{"bb", at, "die", "pause", 0}, {"aa", at, "die", "die", 0}}, messages.RuntimeHinted{}},
		"what was not subscribed":    {said("exec_start: ls", "aa"), nil, messages.RuntimeHinted{}},
		"another type":               {strings.Replace(said("die", "aa"), `"Type":"container"`, `"Type":"network"`, 1), nil, messages.RuntimeHinted{}},
		"no id":                      {strings.Replace(said("die", ""), `{"ID":""`, `{"XX":1`, 1), nil, messages.RuntimeHinted{}},
		"an id no filter could hold": {said("die", "a b"), nil, messages.RuntimeHinted{}},
		"no attributes":              {`{"Type":"container","Action":"die","Actor":{"ID":"aa","Attributes":null}}`, []mark{{"aa", 0, "die", "die", 0}}, messages.RuntimeHinted{}},
		"a time out of this world":   {`{"Type":"container","Action":"die","Actor":{"ID":"aa"},"timeNano":99999999999999999999999}`, []mark{{"aa", 0, "die", "die", 0}}, messages.RuntimeHinted{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirt()
			if err := follow(t.Context(), strings.NewReader(row.stream), d, &counters{}); !isCut(err) {
				t.Errorf("the end of the stream is told as %v", err)
			}
			hint, _ := d.hints()
			if hint.Started != row.hint.Started || !slices.Equal(hint.Destroyed, row.hint.Destroyed) {
				t.Errorf("hint %+v, want %+v", hint, row.hint)
			}
			if got, _ := d.takeAll(); !slices.Equal(got, row.marks) {
				t.Errorf("marks %+v, want %+v", got, row.marks)
			}
		})
	}
}

func TestBrokenStreamEnds(t *testing.T) {
	for name, stream := range map[string]string{
		"garbage":              "HTTP/1.1 400",
		"a list":               "[]",
		"cut in an event":      said("die", "aa")[:99],
		"a time that is text":  `{"Type":"container","timeNano":"1"}`,
		"an actor that is one": `{"Actor":"aa"}`,
		"an endless event":     `{"x":"` + strings.Repeat("a", 2*maxEvent),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirt()
			if err := follow(t.Context(), strings.NewReader(stream), d, &counters{}); err == nil {
				t.Error("no error")
			}
			if n, _ := d.waiting(); n != 0 {
				t.Errorf("%d ids marked", n)
			}
		})
	}
}

func TestManyEventsTogetherAreNotTooLong(t *testing.T) {
	stream := strings.Repeat(said("die", "aa"), 4*maxEvent/len(said("die", "aa")))
	var c counters
	if err := follow(t.Context(), strings.NewReader(stream), newDirt(), &c); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after %d events: %v", c.events.Load(), err)
	}
}

func FuzzStreamNeverMarksWhatCannotBeAskedFor(f *testing.F) {
	f.Add([]byte(said("die", "aa") + said("destroy", "bb")))
	f.Add([]byte(`{"Type":"container","Action":"start","Actor":{"ID":"\u0061","Attributes":{"name":null}}}`))
	f.Fuzz(func(t *testing.T, stream []byte) {
		d := newDirt()
		_ = follow(context.Background(), strings.NewReader(string(stream)), d, &counters{})
		for _, m := range d.take(maxDirty) {
			if !usableID([]byte(m.id)) || !slices.Contains(wanted, m.cause) {
				t.Errorf("marked %+v", m)
			}
		}
	})
}

func TestDoubtOnlyWhereListAndEventContradict(t *testing.T) {
	for _, row := range []struct {
		event, state string // state "" is absent
		want         bool
	}{
		{"die", "exited", false}, {"die", "restarting", false}, {"die", "", false}, {"die", "running", true}, {"die", "paused", true},
		{"start", "running", false}, {"start", "created", true}, {"start", "", true},
		{"pause", "paused", false}, {"pause", "running", true}, {"unpause", "running", false}, {"unpause", "paused", true},
		{"destroy", "", false}, {"destroy", "removing", true},
		{"create", "created", false}, {"create", "", true}, {"rename", "running", false}, {"health_status", "running", false},
	} {
		if got := contradicts(mark{last: row.event}, row.state != "", row.state); got != row.want {
			t.Errorf("%s and then %q: %v", row.event, row.state, got)
		}
	}
}

func TestDirtLosesNoIDAndKeepsTheOldestEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, first := newDirt(), map[string]int64{}
		for at := range int64(rapid.IntRange(1, 200).Draw(t, "steps")) {
			if rapid.IntRange(0, 3).Draw(t, "take") == 0 {
				select { // the observer takes after it was woken
				case <-d.wake:
				default:
				}
				for _, m := range d.take(rapid.IntRange(0, 5).Draw(t, "n")) {
					if first[m.id] != m.at {
						t.Fatalf("%s was marked at %d, not %d", m.id, first[m.id], m.at)
					}
					delete(first, m.id)
				}
				continue
			}
			id := rapid.StringMatching(`[a-e]{1,2}`).Draw(t, "id")
			if _, ok := first[id]; !ok {
				first[id] = at + 1
			}
			d.event(event{id: id, at: at + 1, action: "die"})
		}
		if n, over := d.waiting(); n != len(first) || over {
			t.Fatalf("%d wait, want %d", n, len(first))
		}
		select {
		case <-d.wake:
		default:
			if len(first) > 0 {
				t.Fatal("something waits and nothing wakes")
			}
		}
	})
}

func TestTooManyMarksAskForTheWholeList(t *testing.T) {
	d := newDirt()
	for i := range maxDirty + 5 {
		d.event(event{id: strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strconv.Itoa(i), at: int64(i + 1), action: "destroy"})
	}
	n, over := d.waiting()
	if n != maxDirty || !over {
		t.Errorf("%d wait, overflown %v", n, over)
	}
	if hint, _ := d.hints(); len(hint.Destroyed) != maxDirty {
		t.Errorf("%d removals hinted", len(hint.Destroyed))
	}
	if all, over := d.takeAll(); len(all) != maxDirty+1 || !over {
		t.Errorf("%d marks behind the list, overflown %v", len(all), over)
	}
	if n, over := d.waiting(); n != 0 || over {
		t.Error("the list did not answer them")
	}
}

func TestFaultNamesTheRemedy(t *testing.T) {
	r := &Runtime{cfg: Config{Host: "unix:///x"}}
	r.cfg.fill()
	for name, row := range map[string]struct {
		err    error
		what   string
		remedy string
	}{
		"no permission":  {wrap(syscall.EACCES), "permission denied", "group docker"},
		"no socket":      {wrap(syscall.ENOENT), "no such socket", "is docker running"},
		"nobody listens": {wrap(syscall.ECONNREFUSED), "nobody listens", "DOCKER_HOST"},
		"no descriptors": {wrap(syscall.EMFILE), "no file descriptor", "LimitNOFILE"},
		"silence":        {wrap(errSilent), "no answer within 5s", "hangs"},
		"a deadline":     {wrap(context.DeadlineExceeded), "no answer within 5s", "hangs"},
		"a cut":          {wrap(io.ErrUnexpectedEOF), "cut", "restart"},
		"a reset":        {wrap(syscall.ECONNRESET), "cut", "restart"},
		"an answer":      {wrap(&statusError{"list", 500, "boom"}), "answered 500: boom", "log"},
		"garbage":        {wrap(errors.New("found \x1b[2J")), "found  [2J", "Docker engine"},
	} {
		t.Run(name, func(t *testing.T) {
			f := r.fault(row.err)
			if f.Where != "docker at unix:///x" || !strings.Contains(f.What, row.what) || !strings.Contains(f.Remedy, row.remedy) {
				t.Errorf("%+v", f)
			}
		})
	}
	if long := printable(strings.Repeat("é", 1000)); len(long) > maxFault+len("…") {
		t.Errorf("%d bytes of a foreign text", len(long))
	}
}

func wrap(err error) error { return errors.Join(errors.New("ask"), err) }
