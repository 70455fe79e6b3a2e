package config

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// vectors were recorded from Python 3.11's ConfigParser (inline comments on # and ;) and python-dotenv 1.0, which is
// what DECNET reads these files with. A null file is one they refuse, a null value one they raise on.
type vectors struct {
	INI []struct {
		Text string                        `json:"text"`
		Want map[string]map[string]*string `json:"want"`
	} `json:"ini"`
	Dotenv []struct {
		Text string             `json:"text"`
		Want map[string]*string `json:"want"`
	} `json:"dotenv"`
}

func loadVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestINIReadsWhatConfigParserReads(t *testing.T) {
	for _, v := range loadVectors(t).INI {
		f, err := parseINI(v.Text)
		if (err == nil) != (v.Want != nil) {
			t.Errorf("%q: error %v, Python reads it: %v", v.Text, err, v.Want != nil)
			continue
		}
		for section, options := range v.Want {
			for key, want := range options {
				got, has, err := f.option(section, key)
				switch {
				case want == nil && err == nil:
					t.Errorf("%q: [%s] %s is %q, Python raises", v.Text, section, key, got)
				case want != nil && (err != nil || !has || got != *want):
					t.Errorf("%q: [%s] %s is %q (has %v, error %v), want %q", v.Text, section, key, got, has, err, *want)
				}
			}
		}
		if err == nil && len(f.sections) != len(v.Want) {
			t.Errorf("%q: %d sections, want %d", v.Text, len(f.sections), len(v.Want))
		}
	}
}

func TestDotenvReadsWhatPythonDotenvReads(t *testing.T) {
	env := map[string]string{"HOME_DIR": "/home/x", "EMPTY": ""}
	for _, v := range loadVectors(t).Dotenv {
		d := parseDotenv("f", v.Text, func(n string) (string, bool) { s, ok := env[n]; return s, ok })
		for key, want := range v.Want {
			if got := d.values[key]; want == nil && got != "" || want != nil && got != *want {
				t.Errorf("%q: %s is %q, want %v", v.Text, key, got, want)
			}
		}
		for key, got := range d.values {
			if _, ok := v.Want[key]; !ok && env[key] == "" && key != "EMPTY" {
				t.Errorf("%q: has %s = %q, Python does not", v.Text, key, got)
			}
		}
	}
}

// The bounds were tried with Python's ConfigParser.
func TestTenReferencesInARowAreTheMost(t *testing.T) {
	for _, tt := range []struct {
		references int
		last       string
		want       bool
	}{{10, "v", true}, {11, "v", false}, {9, "%%", true}, {10, "%%", false}} {
		text := "[a]\n"
		for i := range tt.references {
			text += fmt.Sprintf("k%d=%%(k%d)s\n", i, i+1)
		}
		f, err := parseINI(text + fmt.Sprintf("k%d=%s\n", tt.references, tt.last))
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := f.option("a", "k0"); (err == nil) != tt.want {
			t.Errorf("%d references to %q: %q, %v; want it to work: %v", tt.references, tt.last, v, err, tt.want)
		}
	}
}
