package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// endsSoon is how long before its end a certificate is spoken of. Chosen: two weeks of holidays.
const endsSoon = 14 * 24 * time.Hour

// checkRemote looks at what the console of other hosts needs; nothing where there is none.
func checkRemote(_ context.Context, p patient) []finding {
	const name = "console"
	r := remoteOf(p.settings)
	if r == nil {
		return nil
	}
	ends, err := r.Read()
	if err != nil {
		return []finding{fail(name, err.Error(), "name readable PEM files with --console-cert, --console-key and --console-client-ca")}
	}
	var all []finding
	if info, err := os.Stat(r.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		all = append(all, warn(name, "everybody on this host may use the key "+r.Key, "chmod o= "+r.Key))
	}
	switch left := time.Until(ends); {
	case left <= 0:
		all = append(all, fail(name, r.Cert+" ended on "+ends.UTC().Format(time.DateOnly)+": no client accepts it", "renew it; the daemon reads it again by itself"))
	case left < endsSoon:
		all = append(all, warn(name, r.Cert+" ends on "+ends.UTC().Format(time.DateOnly), "renew it; the daemon reads it again by itself"))
	default:
		all = append(all, ok(name, fmt.Sprintf("client certificates at %s, our own is good until %s", r.Addr, ends.UTC().Format(time.DateOnly))))
	}
	return all
}
