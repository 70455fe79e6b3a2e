package deckyconfig

import (
	"errors"
	"strings"
	"testing"
)

func TestAConfigurationOfAnotherHostNamesItsHost(t *testing.T) {
	const host = "11111111-1111-1111-1111-111111111111"
	for name, c := range map[string]struct{ value, want string }{
		"null":    {"null", host},
		"empty":   {`""`, host},
		"missing": {"", host},
		"its own": {`"` + host + `"`, host},
	} {
		got, err := Rehome(entry("host_uuid", c.value), host)
		if err != nil || !strings.HasSuffix(got, `"host_uuid":"`+c.want+`"}`) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if again, err := Rehome(got, host); err != nil || again != got {
			t.Errorf("%s: the second time it is %s, %v", name, again, err)
		}
	}
	if _, err := Rehome(entry("host_uuid", `"other"`), host); !errors.Is(err, ErrOtherHost) {
		t.Errorf("another host's: %v", err)
	}
	if _, err := Rehome(`{"name":1}`, host); err == nil {
		t.Error("garbage was taken")
	}
}
