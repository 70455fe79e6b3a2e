package fleet

import "github.com/decnet/decnet-fleetd/messages"

// sightings is who has which containers. It holds every container that can be a decky's, whether or not an actor of
// that name exists yet.
type sightings struct {
	loose map[string]messages.Container  // unlabelled, by id: attributed again when the roster changes
	owned map[string][]string            // by id: the deckies it was attributed to
	seen  map[string][]messages.Sighting // by decky
}

func newSightings() *sightings {
	return &sightings{loose: map[string]messages.Container{}, owned: map[string][]string{}, seen: map[string][]messages.Sighting{}}
}

// put takes a new or changed container in and names the deckies it concerns.
func (s *sightings) put(c messages.Container, r roster) []string {
	touched := s.drop(c.ID)
	if c.Stranger {
		return touched
	}
	if c.Decky == "" && c.Service == "" {
		s.loose[c.ID] = c
	}
	owners := attribute(c, r)
	for _, o := range owners {
		s.seen[o.decky] = append(s.seen[o.decky], messages.Sighting{Base: o.service == "", Ambiguous: len(owners) > 1, Name: c.Name,
			ServiceSeen: messages.ServiceSeen{ID: c.ID, Service: o.service, State: c.State, Health: c.Health}})
		s.owned[c.ID] = append(s.owned[c.ID], o.decky)
	}
	return append(touched, s.owned[c.ID]...)
}

// drop forgets a container and names the deckies it concerned.
func (s *sightings) drop(id string) []string {
	touched := s.owned[id]
	for _, decky := range touched {
		old := s.seen[decky]
		kept := make([]messages.Sighting, 0, len(old))
		for _, x := range old {
			if x.ID != id {
				kept = append(kept, x)
			}
		}
		if s.seen[decky] = kept; len(kept) == 0 {
			delete(s.seen, decky)
		}
	}
	delete(s.owned, id)
	delete(s.loose, id)
	return touched
}

// again attributes the unlabelled containers anew, after the roster changed.
func (s *sightings) again(r roster) []string {
	var touched []string
	for _, c := range s.loose {
		touched = append(touched, s.put(c, r)...)
	}
	return touched
}

// of is what one decky hears about its containers.
func (s *sightings) of(decky string) messages.RuntimeObserved {
	m := messages.RuntimeObserved{Known: true}
	for _, x := range s.seen[decky] {
		switch {
		case x.Base:
			m.Base = x.State
		case x.Ambiguous:
			m.Refused = x.Name
		default:
			m.Services = append(m.Services, x.ServiceSeen)
		}
	}
	return m
}

// serviced says whether any service container of the decky is there, in whatever state.
func (s *sightings) serviced(decky string) bool {
	for _, x := range s.seen[decky] {
		if !x.Base {
			return true
		}
	}
	return false
}
