package fleet

import (
	"slices"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestWhoseContainer(t *testing.T) {
	deckies := roll{
		"d1":  {serves: []string{"docker-api", "smtp-relay", "ssh"}},
		"a":   {serves: []string{"b-c", "ssh"}},
		"a-b": {serves: []string{"c"}},
	}
	labelled := func(c messages.Container) messages.Container {
		c.Decky, c.Service = "d1", "smtp_relay"
		return c
	}
	for _, tc := range []struct {
		name string
		c    messages.Container
		want []owner
	}{
		{"labels decide, the underscore is spelled out", labelled(messages.Container{Name: "d1-smtp_relay"}), []owner{{"d1", "smtp-relay"}}},
		{"a renamed container keeps its labels", labelled(messages.Container{Name: "whatever"}), []owner{{"d1", "smtp-relay"}}},
		{"a stranger renamed into our name has other labels", messages.Container{Name: "d1-ssh", Decky: "x", Service: "ssh"}, []owner{{"x", "ssh"}}},
		{"half a label is no label", messages.Container{Name: "d1-ssh", Decky: "d1"}, nil},
		{"a topology's container is never ours", labelled(messages.Container{Name: "d1-ssh", Stranger: true}), nil},
		{"unlabelled, by name", messages.Container{Name: "d1-ssh"}, []owner{{"d1", "ssh"}}},
		{"unlabelled, with an underscore", messages.Container{Name: "d1-smtp_relay"}, []owner{{"d1", "smtp-relay"}}},
		{"unlabelled, with a dash for the underscore", messages.Container{Name: "d1-smtp-relay"}, []owner{{"d1", "smtp-relay"}}},
		{"unlabelled, of the fleet's project", messages.Container{Name: "d1-ssh", Project: "decnet"}, []owner{{"d1", "ssh"}}},
		{"unlabelled, of another project", messages.Container{Name: "d1-ssh", Project: "shop"}, nil},
		{"unlabelled, a service nobody declares", messages.Container{Name: "d1-http"}, nil},
		{"the base container", messages.Container{Name: "d1"}, []owner{{"d1", ""}}},
		{"a-b-c is a's b-c or a-b's c", messages.Container{Name: "a-b-c"}, []owner{{"a", "b-c"}, {"a-b", "c"}}},
		{"a dash at the end", messages.Container{Name: "d1-"}, nil},
		{"no name at all", messages.Container{}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := attribute(tc.c, deckies); !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestSightingsForgetWhatIsGone(t *testing.T) {
	deckies := roll{"d1": {serves: []string{"ssh"}}}
	s := newSightings()
	s.put(messages.Container{ID: "1", Name: "d1-ssh", State: "running"}, deckies)
	s.put(messages.Container{ID: "2", Name: "d1", State: "running"}, deckies)
	if got := s.of("d1"); len(got.Services) != 1 || got.Base != "running" || !s.serviced("d1") {
		t.Fatalf("%+v", got)
	}
	s.put(messages.Container{ID: "1", Name: "stranger", State: "running"}, deckies)
	if got := s.of("d1"); len(got.Services) != 0 || s.serviced("d1") {
		t.Fatalf("a container renamed away still counts: %+v", got)
	}
	s.drop("1")
	s.drop("2")
	if len(s.seen)+len(s.owned)+len(s.loose) != 0 {
		t.Fatalf("something is kept: %+v", s)
	}
}
