package integration

import "testing"

// TestWhoseContainerItIs puts every way a container can be named and labelled before one daemon.
func TestWhoseContainerItIs(t *testing.T) {
	e := sharedEngine(t)
	topology := []string{
		"decnet.topology.service", "true", "decnet.topology.id", "ab12cd34-0000-0000-0000-000000000000",
		"decnet.topology.decky", "x", "decnet.topology.service_name", "ssh",
	}
	cases := []struct {
		claim    string
		services []string
		want     string
		make     func(decky string) []spec
	}{
		{"labels count whatever the container is called", []string{"ssh"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "ssh").named("odd-" + d)}
		}},
		{"without labels the name counts", []string{"ssh"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "ssh").bare()}
		}},
		{"without DECNET's labels the name counts in project decnet", []string{"ssh"}, "running", func(d string) []spec {
			return []spec{composed(d+"-ssh", "decnet", d+"-ssh")}
		}},
		{"without labels the name does not count in another project", []string{"ssh"}, "torn_down", func(d string) []spec {
			return []spec{composed(d+"-ssh", "shop", d+"-ssh")}
		}},
		{"a topology container is not the fleet's", []string{"ssh"}, "torn_down", func(d string) []spec {
			return []spec{composed(d+"-ssh", "decnet-topo-ab12cd34", d+"-ssh").with(topology...)}
		}},
		{"a topology's project is enough to tell", []string{"ssh"}, "torn_down", func(d string) []spec {
			return []spec{serviceOf(d, "ssh").with("com.docker.compose.project", "decnet-topo-ab12cd34")}
		}},
		{"a topology container beside ours does not spoil it", []string{"ssh"}, "running", func(d string) []spec {
			return []spec{
				serviceOf(d, "ssh"),
				composed("decnet_t_ab12cd34_"+d, "decnet-topo-ab12cd34", d).with(topology...).stillborn(),
			}
		}},
		{"a one-off run of compose is not the service", []string{"ssh"}, "torn_down", func(d string) []spec {
			return []spec{serviceOf(d, "ssh").with("com.docker.compose.oneoff", "True")}
		}},
		{"smtp_relay is found under its underscore name", []string{"smtp_relay"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "smtp_relay")}
		}},
		{"smtp_relay is found under a dash name", []string{"smtp_relay"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "smtp_relay").named(d + "-smtp-relay")}
		}},
		{"smtp_relay without labels is found under its underscore name", []string{"smtp_relay"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "smtp_relay").bare()}
		}},
		{"smtp_relay without labels is found under a dash name", []string{"smtp_relay"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "smtp_relay").bare().named(d + "-smtp-relay")}
		}},
		{"docker_api without labels is found under a dash name", []string{"docker_api"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "docker_api").bare()}
		}},
		{"another decky's labels under our name are another decky's", []string{"ssh"}, "torn_down", func(d string) []spec {
			return []spec{serviceOf("stranger-of-"+d, "ssh").named(d + "-ssh")}
		}},
		{"a singleton never has a container and is not missed", []string{"ssh", "sniffer"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "ssh")}
		}},
		{"the base container alone is a decky torn down", []string{"ssh"}, "torn_down", func(d string) []spec {
			return []spec{baseOf(d)}
		}},
		{"a container that never started is a failure", []string{"ssh"}, "failed", func(d string) []spec {
			return []spec{serviceOf(d, "ssh").stillborn()}
		}},
		{"one of two services running is degraded", []string{"ssh", "http"}, "degraded", func(d string) []spec {
			return []spec{serviceOf(d, "ssh"), serviceOf(d, "http").stillborn()}
		}},
		{"of two containers of a service the running one counts", []string{"ssh"}, "running", func(d string) []spec {
			return []spec{serviceOf(d, "ssh"), serviceOf(d, "ssh").named("old_" + d + "-ssh").stillborn()}
		}},
	}
	var deckies []entry
	for i, c := range cases {
		d := declare("naming-"+string(rune('a'+i)), c.services...)
		for _, s := range c.make(d.Name) {
			e.run(t, s)
		}
		deckies = append(deckies, d)
	}
	s := newStage(t, e, deckies...)
	s.start()
	eventually(t, soon, func() error {
		return unless(len(s.db.rows(t)) == len(cases), "%d rows of %d", len(s.db.rows(t)), len(cases))
	})
	for i, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			name := deckies[i].Name
			must(t, s.db.state(t, name, c.want))
			eventually(t, prompt, func() error {
				story := s.sub.story(t, name)
				return unless(len(story) == 1 && story[0] == "inserted "+c.want, "%s: %v", name, story)
			})
		})
	}
}
