package config

import (
	"testing"
	"unicode/utf8"
)

func FuzzINI(f *testing.F) {
	for _, s := range []string{
		"", "[a]\nx = 1 # c\n", "[DEFAULT]\nb=%(c)s\n[decnet]\nmode=agent\n  two\n", "[a]\nx=%(x)s\n", "[bus]\nsocket=%%\n\n ; c\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseINI(text)
		if err != nil {
			return
		}
		for section, options := range file.sections {
			for key := range options {
				if v, has, err := file.option(section, key); err == nil && (!has || len(v) > MaxFile || !utf8.ValidString(v)) {
					t.Errorf("[%s] %s: has %v, %d bytes", section, key, has, len(v))
				}
			}
		}
	})
}

func FuzzDotenv(f *testing.F) {
	for _, s := range []string{
		"", "A=1\n", "export A='x\ny' # c\nB=\"\\n${A}${C:-d}\"\n", "A='\\'", "A=${A}${A}\nA=${A}${A}\n", "'k'=v\r\n#\n=\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > MaxFile {
			return
		}
		d := parseDotenv("f", text, func(string) (string, bool) { return "", false })
		total := 0
		for _, v := range d.values {
			total += len(v)
		}
		if total > MaxFile {
			t.Errorf("%d bytes of values from %d bytes of file", total, len(text))
		}
	})
}

func FuzzMask(f *testing.F) {
	f.Add("postgres://u:p@h/d?x=1", "p")
	f.Fuzz(func(t *testing.T, user, password string) {
		shown := Mask("postgres://" + "user:" + "SECRET" + password + "@" + user)
		if want := "postgres://user:***@"; len(shown) < len(want) || shown[:len(want)] != want {
			t.Errorf("shown as %q", shown)
		}
	})
}
