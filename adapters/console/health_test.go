package console

import (
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestReadyzSaysWhyItIsNot(t *testing.T) {
	tests := map[string]struct {
		ready messages.Ready
		code  int
		want  string
	}{
		"an owner whose sources answer": {messages.Ready{Passed: true, Role: "owner"}, 200, `{"status":"ready","passed":true,"role":"owner","reasons":[]}`},
		"a standby is ready":            {messages.Ready{Passed: true, Role: "standby"}, 200, `{"status":"ready","passed":true,"role":"standby","reasons":[]}`},
		"the first pass still runs": {messages.Ready{Role: "owner", Reasons: []string{"pass"}}, 503,
			`{"status":"starting","passed":false,"role":"owner","reasons":["pass"]}`},
		"docker is away": {messages.Ready{Passed: true, Role: "owner", Reasons: []string{"docker is down: gone"}}, 503,
			`{"status":"degraded","passed":true,"role":"owner","reasons":["docker is down: gone"]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u := start(t, &fleet{ready: tt.ready})
			if code, got := u.do(t, request(t, "GET", "/readyz", "")); code != tt.code || strings.TrimSpace(got) != tt.want {
				t.Errorf("%d %s; want %d %s", code, got, tt.code, tt.want)
			}
		})
	}
}

func TestHealthzOfADaemonThatHangsIsAnErrorInTime(t *testing.T) {
	u := start(t, &fleet{hang: true})
	if code, got := u.do(t, request(t, "GET", "/healthz", "")); code != 504 {
		t.Errorf("%d %s", code, got)
	}
}
