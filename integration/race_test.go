package integration

import (
	"os"
	"slices"
	"testing"
	"time"
)

// Each test replays one operation of DECNET: the order in which it writes its stores, and what compose does to the
// containers meanwhile. docs/PARITY.md has what the bus sees.

func TestRaceCLIRedeployAnnouncesNoDeckyTornDown(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "cli", 5, "ssh", "http")
	names := namesOf(deckies)
	s := play(t, e, deckies...)
	s.foreign = true

	s.declare(deckies...)
	s.gap(step)
	s.remirror(deckies...)
	s.gap(step)
	s.down(deckies...)
	s.gap(build)
	s.up(deckies...)
	for _, n := range names {
		s.reaches(n, "running", soon)
	}
	e.kill(t, "cli-02-ssh") // the hold is over: a crash is news at once
	s.reaches("cli-02", "degraded", prompt)
	s.never("torn_down", names...)
	s.never("deleted", names...)
	s.consistent(names...)
}

func TestRaceCLIRedeployThatLeavesOneDeckyBehindIsToldInTheEnd(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "left", 5, "ssh")
	s := play(t, e, deckies...)
	s.foreign = true
	s.down(deckies...)
	s.gap(build)
	s.up(deckies[:4]...) // the fifth does not come back
	s.reaches("left-05", "torn_down", soon)
	for _, d := range deckies[:4] {
		s.reaches(d.Name, "running", soon)
	}
	s.never("torn_down", namesOf(deckies[:4])...)
	s.consistent(namesOf(deckies)...)
}

func TestRaceAPIDeployDeletesNoRowThatComesBeforeItsEntry(t *testing.T) {
	e := sharedEngine(t)
	old := e.fleet(t, "api", 2, "ssh")
	s := play(t, e, old...)
	s.foreign = true
	added := []entry{declare("api-03", "ssh"), declare("api-04", "http")}
	all := append(slices.Clone(old), added...)

	s.deployment(all...)
	s.gap(step)
	s.mirror(added...)
	s.gap(step)
	s.opens("deploy", namesOf(all)...)
	s.gap(4 * time.Second) // 202 is answered; the deployer begins later. Longer than the settle
	s.declare(all...)
	s.remirror(all...)
	s.down(old...)
	s.gap(build)
	s.up(all...)
	s.closes()
	for _, n := range namesOf(all) {
		eventually(t, soon, func() error { return s.db.state(t, n, "running") })
	}
	e.kill(t, "api-04-http")
	s.reaches("api-04", "failed", soon)
	s.never("deleted", namesOf(all)...)
	s.never("torn_down", namesOf(all)...)
	s.never("inserted", namesOf(added)...) // DECNET wrote these rows
	s.consistent("api-01", "api-02", "api-04")
}

func TestRaceAPIDeployHoldsNoLongerThanItIsOpenAndLosesNoCrash(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "open", 2, "ssh")
	s := play(t, e, deckies...)
	s.foreign = true
	s.opens("deploy", "open-01")
	s.gap(3 * time.Second) // until the table has been looked at
	e.kill(t, "open-02-ssh")
	s.quiet("open-02", 3*time.Second)
	s.closes()
	s.reaches("open-02", "failed", prompt)
	s.consistent("open-01", "open-02")
}

func TestRaceAPIDeployToASwarmLeavesTheWorkersRowsAlone(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "swarm", 1, "ssh")
	s := play(t, e, deckies...)
	worker := "4b1c1e9e-0000-4000-8000-000000000002"
	theirs := declare("swarm-77", "ssh")
	theirs.HostUUID = &worker
	s.deployment(theirs)
	s.mirror(theirs)
	before := s.db.rows(t)
	s.quiet("swarm-01", 5*time.Second)
	if after := s.db.rows(t); !slices.Equal(after, before) || s.told("swarm-77") > 0 {
		t.Errorf("rows %v, were %v", after, before)
	}
}

func TestRaceTeardownOfAllBringsNothingBack(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "all", 4, "ssh")
	names := namesOf(deckies)
	s := play(t, e, deckies...)
	s.foreign = true
	s.down(deckies...)
	s.gap(step)
	must(t, os.Remove(s.path("decnet-state.json")))
	s.gap(step)
	s.unmirror(names...)
	throughout(t, 6*time.Second, func() error {
		return unless(len(s.db.rows(t)) == 0, "rows %v", s.db.rows(t))
	})
	for _, n := range names {
		if story := s.sub.story(t, n); slices.Contains(story[1:], "inserted torn_down") || slices.Contains(story[1:], "inserted running") {
			t.Errorf("%s: %v", n, story)
		}
	}
}

func TestRaceTeardownOfOneByTheCLIIsInsertedOnceAsTheReferenceDoes(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "one", 2, "ssh")
	s := play(t, e, deckies...)
	s.foreign = true
	e.remove(t, "one-01-ssh") // the base stays, and so does the entry in the file
	s.gap(step)
	s.unmirror("one-01")
	s.reaches("one-01", "torn_down", settle)
	s.quiet("one-01", 3*time.Second)
	inserted := 0
	for _, x := range s.sub.story(t, "one-01")[1:] {
		if x == "inserted torn_down" {
			inserted++
		}
	}
	if inserted != 1 {
		t.Errorf("told %v", s.sub.story(t, "one-01"))
	}
	if s.told("one-02") != 1 {
		t.Errorf("the other one was told of: %v", s.sub.story(t, "one-02"))
	}
}

func TestRaceDeletionByTheAPIBringsNothingBack(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "del", 2, "ssh")
	s := play(t, e, deckies...)
	s.foreign = true
	e.remove(t, "del-01-ssh")
	s.gap(step)
	s.unmirror("del-01")
	s.gap(step)
	s.declare(deckies[1])
	s.deployment(deckies[1])
	throughout(t, 5*time.Second, func() error { return s.db.state(t, "del-01", "") })
	for _, x := range s.sub.story(t, "del-01")[1:] {
		if x == "inserted torn_down" || x == "inserted running" {
			t.Errorf("it came back: %v", s.sub.story(t, "del-01"))
		}
	}
	if s.told("del-02") != 1 {
		t.Errorf("the other one was told of: %v", s.sub.story(t, "del-02"))
	}
}

// mutated gives a decky other services, as DECNET's mutator does.
func mutated(d entry, services ...string) entry {
	d.Services, d.LastMutated = services, float64(time.Now().UnixMilli())/1000
	return d
}

func TestRaceMutationIsFollowedAlthoughFileAndRowKeepTheOldServices(t *testing.T) {
	for name, lifecycle := range map[string]bool{"by the API": true, "by the mutator": false} {
		t.Run(name, func(t *testing.T) {
			e := sharedEngine(t)
			deckies := e.fleet(t, "mut", 2, "ssh")
			s := play(t, e, deckies...)
			s.foreign = true
			after := mutated(deckies[0], "http")
			if lifecycle {
				s.opens("mutate", "mut-01")
			}
			s.deployment(after, deckies[1])
			s.gap(step)
			made := e.run(t, serviceOf("mut-01", "http").stillborn())
			s.gap(step)
			e.remove(t, "mut-01-ssh")
			e.start(t, made)
			s.closes()
			eventually(t, soon, func() error {
				r, _ := s.db.row(t, "mut-01")
				return unless(r.Services == `["http"]` && r.State == "running", "row %+v", r)
			})
			e.kill(t, "mut-01-http")
			s.reaches("mut-01", "failed", soon)
			e.start(t, "mut-01-http")
			s.reaches("mut-01", "running", soon)
			s.never("torn_down", "mut-01", "mut-02")
			s.never("deleted", "mut-01", "mut-02")
			s.consistent("mut-01", "mut-02")
			if s.told("mut-02") != 1 {
				t.Errorf("the other one was told of: %v", s.sub.story(t, "mut-02"))
			}
		})
	}
}

func TestRaceMutationByAnAgentChangesTheFileFirst(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "agent", 1, "ssh")
	s := play(t, e, deckies...)
	s.foreign = true
	s.declare(mutated(deckies[0], "http"))
	s.gap(step)
	made := e.run(t, serviceOf("agent-01", "http").stillborn())
	e.remove(t, "agent-01-ssh")
	e.start(t, made)
	eventually(t, soon, func() error {
		r, _ := s.db.row(t, "agent-01")
		return unless(r.Services == `["http"]` && r.State == "running", "row %+v", r)
	})
	s.never("torn_down", "agent-01")
	s.consistent("agent-01")
}

func TestRaceLiveChangesOfServicesEndTrue(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "live", 2, "ssh", "http")
	s := play(t, e, deckies...)
	s.foreign = true

	more := mutated(deckies[0], "ssh", "http", "ftp") // add: file, row, then a build
	s.declare(more, deckies[1])
	s.gap(step)
	s.remirror(more)
	s.reaches("live-01", "degraded", soon) // it is: one of three is missing while it is built
	e.run(t, serviceOf("live-01", "ftp"))
	s.reaches("live-01", "running", soon)

	e.stop(t, "live-01-ftp") // remove: container, file, row
	e.remove(t, "live-01-ftp")
	s.gap(step)
	s.declare(deckies...)
	s.gap(step)
	s.remirror(deckies[0])
	s.reaches("live-01", "running", soon)

	s.declare(mutated(deckies[0], deckies[0].Services...), deckies[1]) // config: file, row, container made anew
	s.remirror(deckies[0])
	e.remove(t, "live-01-ssh")
	e.run(t, serviceOf("live-01", "ssh"))
	s.reaches("live-01", "running", soon)
	s.quiet("live-01", calm)

	s.never("torn_down", "live-01", "live-02")
	s.never("deleted", "live-01", "live-02")
	s.consistent("live-01", "live-02")
	if s.told("live-02") != 1 {
		t.Errorf("the other one was told of: %v", s.sub.story(t, "live-02"))
	}
}
