package console

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxUnpacked bounds all of a bundle, in bytes. Chosen: several times what the largest fleet makes; a bundle comes from
// somebody else.
const maxUnpacked = 1 << 30

// ReadBundle gives one file of a bundle and when that was made. The sums of all files are compared with the manifest; the
// error names the one at fault, or says why the file was left out.
func ReadBundle(from io.Reader, want string) (raw []byte, made time.Time, err error) {
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, made, fmt.Errorf("it is no tar.gz: %w", err)
	}
	sums, kept, err := readFiles(tar.NewReader(io.LimitReader(z, maxUnpacked)), want)
	if err != nil {
		return nil, made, err
	}
	var m struct {
		Kind  string    `json:"kind"`
		Made  time.Time `json:"made"`
		Files []bundled `json:"files"`
	}
	if err := json.Unmarshal(kept["manifest.json"], &m); err != nil || m.Kind != "bundle" {
		return nil, made, errors.New("it has no manifest: it was cut, or is no bundle")
	}
	why := "the manifest does not have it"
	for _, f := range m.Files {
		if f.SHA256 != "" && sums[f.Name] != f.SHA256 {
			return nil, made, fmt.Errorf("%s is not what the manifest says: it was changed or cut", f.Name)
		}
		switch {
		case f.Name == want && f.SHA256 == "":
			why = f.Error
		case strings.HasPrefix(f.Name, HostsDir):
			why = "it has bundles of several hosts; unpack it and take one of " + HostsDir
		}
	}
	if raw = kept[want]; raw == nil {
		return nil, made, fmt.Errorf("it has no %s: %s", want, why)
	}
	return raw, m.Made, nil
}

// readFiles sums all files and keeps two of them.
func readFiles(t *tar.Reader, want string) (sums map[string]string, kept map[string][]byte, err error) {
	sums, kept = map[string]string{}, map[string][]byte{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return sums, kept, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("it cannot be unpacked: %w", err)
		}
		name := strings.TrimPrefix(h.Name, "decnet-fleetd/")
		sum := sha256.New()
		if name == want || name == "manifest.json" {
			if kept[name], err = io.ReadAll(io.LimitReader(t, MaxBundled)); err == nil {
				_, err = sum.Write(kept[name])
			}
		} else {
			_, err = io.Copy(sum, t)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("it cannot be unpacked: %s: %w", name, err)
		}
		sums[name] = hex.EncodeToString(sum.Sum(nil))
	}
}
