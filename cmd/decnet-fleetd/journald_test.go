package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/config"
)

func fieldsOf(level zerolog.Level, line string) map[string]string {
	out := map[string]string{}
	for _, f := range entry(level, readLine([]byte(line))) {
		out[f.Name] += f.Value
	}
	return out
}

func TestAnEntryHasTheFieldsByWhichItIsLookedFor(t *testing.T) {
	got := fieldsOf(zerolog.ErrorLevel, `{"level":"error","event":"quarantined","actor":"decky/d1","seq":7,"error":"a\nb","stack":"one\n\ttwo","time":"t","message":"actor supervised"}`)
	for name, want := range map[string]string{
		"PRIORITY": "3", "SYSLOG_IDENTIFIER": "decnet-fleetd", "MESSAGE_ID": idQuarantine, "DECNET_ACTOR": "decky/d1", "DECNET_SEQ": "7",
		"ERROR": `a\x0ab`, "DECNET_STACK": "one\n  two", "DECNET_EVENT": "quarantined",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if !strings.HasPrefix(got["MESSAGE"], "actor supervised event=quarantined") || got["DECNET_TIME"] != "" {
		t.Errorf("%q", got)
	}
}

func TestNoTextFromOutsideMakesAFieldOfItsOwn(t *testing.T) {
	got := fieldsOf(zerolog.InfoLevel, `{"decky":"x\nMESSAGE_ID=`+idPanic+`\nPRIORITY=0","a\nPRIORITY=0":"1","message":"fleet changed"}`)
	if got["PRIORITY"] != "6" || got["MESSAGE_ID"] != idDrift || strings.Contains(got["DECNET_DECKY"], "\n") {
		t.Errorf("%q", got)
	}
}

func TestTheCatalogExplainsEveryKindAndNoOther(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "deploy", "decnet-fleetd.catalog"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{idPanic, idQuarantine, idDrift, idReload} {
		if len(id) != 32 || strings.Count(string(raw), "\n-- "+id+"\n") != 1 {
			t.Errorf("%s is not explained once", id)
		}
	}
	if n := strings.Count(string(raw), "\n-- "); n != 4 {
		t.Errorf("%d kinds in the catalog", n)
	}
}

func TestALogLineIsCutAndTame(t *testing.T) {
	var out strings.Builder
	a := &app{err: &out}
	log := a.logs(config.Settings{LogFormat: "json"}, false).logger()
	long, stack := strings.Repeat("ä", 5000), strings.Repeat("s", 5000)
	log.Info().Str("decky", "\u202eevil\x1b[31m").Str("why", long).Str("stack", stack).Msg("m")
	var got map[string]string
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\u202e\x1b") || got["decky"] != "\u202eevil\x1b[31m" || len([]rune(got["why"])) != maxCell+1 || got["stack"] != stack {
		t.Errorf("%.400s", out.String())
	}
}
