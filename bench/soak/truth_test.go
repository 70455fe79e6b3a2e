package main

import "testing"

func TestAggregateIsDecnetsRule(t *testing.T) {
	for _, row := range []struct {
		states []string
		want   string
	}{
		{[]string{"", ""}, "torn_down"},
		{[]string{"running", "running"}, "running"},
		{[]string{"running", ""}, "degraded"},
		{[]string{"running", "paused"}, "degraded"},
		{[]string{"exited", ""}, "failed"},
		{[]string{"paused", "restarting"}, "failed"},
	} {
		seen := map[string]string{}
		for i, service := range services {
			if row.states[i] != "" {
				seen[service] = row.states[i]
			}
		}
		if got := aggregate(seen); got != row.want {
			t.Errorf("%v: %s, want %s", row.states, got, row.want)
		}
	}
}
