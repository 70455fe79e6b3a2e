package decky

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

// offered is an entry with the services of DECNET's row `deployment` beside the file's.
func offered(file, deployed []string, mutated float64) messages.DeclaredObserved {
	d := declared(file...)
	d.Other = []messages.Declared{{Name: "d1", IP: "10.0.0.1", Services: deployed, Digest: "b", LastMutated: mutated}}
	return d
}

func TestContainersDecideWhichListOfServicesCounts(t *testing.T) {
	file, deployed := []string{"ssh"}, []string{"http", "ftp"}
	for _, tc := range []struct {
		name     string
		recorded []string
		seen     messages.RuntimeObserved
		want     []string
		mixed    bool
	}{
		{"they are the file's", []string{"ssh"}, runs("ssh", "exited"), file, false},
		{"they are the deployment's", []string{"ssh"}, runs("http", "running", "ftp", "exited"), deployed, false},
		{"there are none, the row has the file's", []string{"ssh"}, runs(), file, false},
		{"there are none, the row has the deployment's", []string{"ftp", "http"}, runs(), deployed, false},
		{"there are none, the row has neither", []string{"smtp"}, runs(), file, false},
		{"a part of the recorded ones, the deployment's", []string{"http", "ftp"}, runs("ftp", "running"), deployed, false},
		{"both kinds at once", []string{"ssh"}, runs("ssh", "running", "http", "running"), file, true},
		{"a part of the deployment's, the row has the file's", []string{"ssh"}, runs("http", "running"), file, true},
		{"the recorded ones, which neither list has: mutated once, about to be mutated again", []string{"smtp"}, runs("smtp", "running"), file, true},
		{"Docker is unknown, the row has the deployment's", []string{"http", "ftp"}, blind, deployed, false},
		{"Docker is unknown, the row has the file's", []string{"ssh"}, blind, file, false},
	} {
		o := story(offered(file, deployed, 5), row("running", tc.recorded...), tc.seen)
		if got, mixed := arbitrate(&o); !slices.Equal(got.Services, tc.want) || mixed != tc.mixed {
			t.Errorf("%s: %v, mixed %v", tc.name, got.Services, mixed)
		}
	}
}

func TestMixedContainersHoldTheStateForTwoMinutesAndThenTheLaterMutationCounts(t *testing.T) {
	for mutated, want := range map[float64]string{5: "http", -5: "ssh"} {
		o := story(offered([]string{"ssh"}, []string{"http"}, mutated), row("running", "ssh"), runs("ssh", "exited", "http", "running"))
		v := decide(o, DefaultPolicy())
		if v.want != nil || v.held == nil || v.reason != ReasonMixed || !v.wake.Equal(o.mixedSince.Add(mixedHold)) {
			t.Errorf("not held: %+v", v)
		}
		o.now = v.wake
		v = decide(o, DefaultPolicy())
		if v.want == nil || want == "http" && (v.want.State != messages.Running || v.want.Services[0] != "http") || want == "ssh" && v.want.State != messages.Failed {
			t.Errorf("after two minutes, mutated %v: %+v", mutated, v)
		}
	}
}

func TestAMutationIsFollowedWithoutAFalseState(t *testing.T) {
	o := observations{now: noon}
	d := offered([]string{"ssh"}, []string{"http"}, 5)
	for i, step := range []struct {
		heard any
		want  bool
	}{
		{declared("ssh"), false}, {row("running", "ssh"), false}, {runs("ssh", "running"), false},
		{d, false}, // the row `deployment` comes first
		{runs("ssh", "running", "http", "created"), false},
		{runs("ssh", "running", "http", "running"), false},
		{runs("http", "running"), true}, // compose removed the orphan
	} {
		o = fold(o, step.heard)
		o.now = o.now.Add(2 * time.Second)
		if v := decide(o, DefaultPolicy()); (v.want != nil) != step.want {
			t.Fatalf("step %d: %+v", i, v)
		}
	}
	v := decide(o, DefaultPolicy())
	if v.want.SetState || !v.want.SetContent || v.want.Services[0] != "http" || !slices.Contains(v.want.Transition.Changed, "services") {
		t.Errorf("%+v", v.want)
	}
}

func TestASecondMutationIsFollowedWithoutGoingBackToTheFile(t *testing.T) {
	o := story(offered([]string{"ssh"}, []string{"http"}, 5), row("running", "http"), runs("http", "running"))
	for i, heard := range []any{
		offered([]string{"ssh"}, []string{"ftp"}, 6), // the row `deployment` comes first
		runs("http", "running", "ftp", "created"),
		runs("http", "running", "ftp", "running"),
	} {
		o = fold(o, heard)
		o.now = o.now.Add(2 * time.Second)
		if v := decide(o, DefaultPolicy()); v.want != nil {
			t.Fatalf("step %d: %+v", i, v.want)
		}
	}
	o = fold(o, runs("ftp", "running"))
	if v := decide(o, DefaultPolicy()); v.want == nil || v.want.SetState || v.want.Services[0] != "ftp" {
		t.Errorf("%+v", v)
	}
}

func TestWithoutAnotherListTheFileCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := observations{now: noon, declared: anyDeclared(t), recorded: anyRow(t), runtime: anyRuntime(t)}
		o.declared.Other = nil
		if got, mixed := arbitrate(&o); mixed || !slices.Equal(got.Services, o.declared.Entry.Services) {
			t.Fatalf("%v, mixed %v", got.Services, mixed)
		}
		o.declared.Other = []messages.Declared{{Services: o.declared.Entry.Services}}
		if got, mixed := arbitrate(&o); mixed || !slices.Equal(got.Services, o.declared.Entry.Services) {
			t.Fatalf("the same list twice: %v, mixed %v", got.Services, mixed)
		}
	})
}

func TestAMixtureNeverLastsLongerThanItsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := observations{now: noon}
		o = fold(o, messages.DeclaredObserved{Presence: messages.Present, Entry: anyDeclared(t).Entry, Other: []messages.Declared{anyDeclared(t).Entry}})
		o = fold(fold(o, anyRow(t)), anyRuntime(t))
		o.now = o.now.Add(mixedHold)
		if _, mixed := arbitrate(&o); mixed {
			t.Fatal("still mixed")
		}
	})
}
