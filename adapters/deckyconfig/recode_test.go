package deckyconfig

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestRecodeIsWhatDECNETWouldHaveWritten(t *testing.T) {
	before := parse(t, entry("service_config", `{"ssh":{"banner":"é"}}`, "mutate_interval", "30", "last_mutated", "1.0"))
	got, err := Recode(before, []string{"http", "smtp_relay"}, 12.5)
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, entry("service_config", `{"ssh":{"banner":"é"}}`, "mutate_interval", "30", "last_mutated", "12.5", "services", `["http","smtp_relay"]`))
	if got.ConfigJSON != want.ConfigJSON || got.ServicesJSON != want.ServicesJSON || got.Digest != want.Digest || got.LastMutated != 12.5 || got.IP != want.IP || got.Name != "d1" {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if _, err := Recode(before, nil, 0); err == nil {
		t.Error("an empty list is none DECNET allows")
	}
	if _, err := Recode(messages.Declared{ConfigJSON: "{"}, []string{"ssh"}, 0); err == nil {
		t.Error("an entry that is none")
	}
}

func TestRecodeWithItsOwnServicesChangesNothing(t *testing.T) {
	before := parse(t, entry())
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "services")
		once, err := Recode(before, list, 3)
		if err != nil {
			return // DECNET would refuse it too
		}
		twice, err := Recode(once, once.Services, once.LastMutated)
		if err != nil || twice.ConfigJSON != once.ConfigJSON || twice.Digest != once.Digest {
			t.Fatalf("%v\n%s\n%s", err, once.ConfigJSON, twice.ConfigJSON)
		}
	})
}
