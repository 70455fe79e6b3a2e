package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

// one is a list of a single container with extra fields.
func one(fields string) string { return `[{"Id":"aa","State":"running"` + fields + `}]` }

func decode(t *testing.T, body string) []messages.Container {
	t.Helper()
	l := newLister()
	list, err := l.decode(strings.NewReader(body), nil)
	if err != nil {
		t.Fatalf("decode %.200q: %v", body, err)
	}
	return list
}

func TestListKeepsWhatMattersOfAContainer(t *testing.T) {
	want := messages.Container{ID: "aa", State: "running"}
	for name, row := range map[string]struct {
		fields string
		want   func(c *messages.Container)
	}{
		"nothing but id and state":              {``, func(*messages.Container) {}},
		"a name loses its slash":                {`,"Names":["/decky-01"]`, func(c *messages.Container) { c.Name = "decky-01" }},
		"a link's name does not count":          {`,"Names":["/other/alias","/decky-01","/x"]`, func(c *messages.Container) { c.Name = "decky-01" }},
		"a link's name is better than none":     {`,"Names":["/other/alias"]`, func(c *messages.Container) { c.Name = "other/alias" }},
		"no names while it is removed":          {`,"Names":null`, func(*messages.Container) {}},
		"healthy":                               {`,"Status":"Up 2 hours (healthy)"`, func(c *messages.Container) { c.Health = "healthy" }},
		"unhealthy":                             {`,"Status":"Up 2 hours (unhealthy)"`, func(c *messages.Container) { c.Health = "unhealthy" }},
		"health starting":                       {`,"Status":"Up 1 second (health: starting)"`, func(c *messages.Container) { c.Health = "starting" }},
		"a status without health":               {`,"Status":"Up 2 hours (Paused)"`, func(*messages.Container) {}},
		"no status":                             {`,"Status":null`, func(*messages.Container) {}},
		"no labels":                             {`,"Labels":null`, func(*messages.Container) {}},
		"a fleet's labels":                      {`,"Labels":{"decnet.fleet.decky":"d","decnet.fleet.service_name":"smtp_relay","x":"y"}`, func(c *messages.Container) { c.Decky, c.Service = "d", "smtp_relay" }},
		"a compose project":                     {`,"Labels":{"com.docker.compose.project":"decnet","com.docker.compose.oneoff":"False"}`, func(c *messages.Container) { c.Project = "decnet" }},
		"a topology's label makes a stranger":   {`,"Labels":{"decnet.topology.id":"1"}`, func(c *messages.Container) { c.Stranger = true }},
		"a topology's project makes a stranger": {`,"Labels":{"com.docker.compose.project":"decnet-topo-1234"}`, func(c *messages.Container) { c.Project, c.Stranger = "decnet-topo-1234", true }},
		"a one-off run is a stranger":           {`,"Labels":{"com.docker.compose.oneoff":"True"}`, func(c *messages.Container) { c.Stranger = true }},
		"escapes":                               {`,"Names":["/\u0064\u00e9\ud83d\ude00\n\"\\\/"]`, func(c *messages.Container) { c.Name = "dé😀\n\"\\/" }},
		"half a surrogate pair":                 {`,"Labels":{"decnet.fleet.decky":"\ud83dx\ud83d\u0041\ud83d\n"}`, func(c *messages.Container) { c.Decky = "\ufffdx\ufffdA\ufffd\n" }},
		"invalid UTF-8":                         {`,"Labels":{"decnet.fleet.decky":"` + "a\xff\xe2\x82z" + `"}`, func(c *messages.Container) { c.Decky = "a\ufffd\ufffd\ufffdz" }},
		"control bytes of a hostile name":       {`,"Names":["/\u001b[2J\u0000"]`, func(c *messages.Container) { c.Name = "\x1b[2J\x00" }},
		"a huge name is cut":                    {`,"Names":["/` + strings.Repeat("n", 1<<20) + `"]`, func(c *messages.Container) { c.Name = strings.Repeat("n", maxText-1) }},
		"a huge label is cut":                   {`,"Labels":{"decnet.fleet.decky":"` + strings.Repeat("é", 1<<17) + `"}`, func(c *messages.Container) { c.Decky = strings.Repeat("é", maxText/2) }},
		"a huge key is no label of ours":        {`,"Labels":{"` + strings.Repeat("decnet.fleet.decky", 1<<12) + `":"x"}`, func(*messages.Container) {}},
		"fields of later versions are skipped":  {`,"New":{"a":[1,-0.5e+3,true,false,null,{"b":"\"]}"}]},"State":"paused"`, func(c *messages.Container) { c.State = "paused" }},
		"an unknown state is told as it is":     {`,"State":"stopping"`, func(c *messages.Container) { c.State = "stopping" }},
		"the last of two equal fields counts":   {`,"Names":["/a"],"Names":["/b"]`, func(c *messages.Container) { c.Name = "b" }},
		"space is allowed wherever JSON has it": {" ,\n\t\"Names\" : [ \"/a\" , \"/b\" ]\r ", func(c *messages.Container) { c.Name = "a" }},
	} {
		t.Run(name, func(t *testing.T) {
			w := want
			row.want(&w)
			body := one(row.fields)
			if got := decode(t, body); len(got) != 1 || got[0] != w {
				t.Errorf("got %.300q\nwant %.300q", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", w))
			}
			l := newLister() // a byte at a time: nothing may depend on where a read ends
			if got, err := l.decode(iotest.OneByteReader(strings.NewReader(body)), nil); err != nil || got[0] != w {
				t.Errorf("byte by byte: got %.300q, %v", fmt.Sprintf("%+v", got), err)
			}
		})
	}
}

func TestHostileListIsRefusedWhole(t *testing.T) {
	for name, body := range map[string]string{
		"empty":                        ``,
		"null":                         `null`,
		"an object":                    `{"message":"no"}`,
		"a text":                       `"[]"`,
		"not JSON":                     `<html>`,
		"something after the end":      `[] x`,
		"a second list":                `[][]`,
		"cut after the bracket":        `[`,
		"cut in a name":                `[{"Id":"aa","State":"running","Names":["/de`,
		"cut between containers":       `[{"Id":"aa","State":"running"},`,
		"a comma too many":             `[{"Id":"aa","State":"running"},]`,
		"a comma too few":              `[{"Id":"aa","State":"running"}{"Id":"bb","State":"running"}]`,
		"a container that is a text":   `["aa"]`,
		"a container that is null":     `[null]`,
		"null state":                   `[{"Id":"aa","State":null}]`,
		"no state":                     `[{"Id":"aa"}]`,
		"empty state":                  `[{"Id":"aa","State":""}]`,
		"a state that is an object":    `[{"Id":"aa","State":{"Status":"running"}}]`,
		"no id":                        `[{"State":"running"}]`,
		"an id that is a number":       `[{"Id":1,"State":"running"}]`,
		"an id with a quote":           `[{"Id":"a\"b","State":"running"}]`,
		"an id too long":               `[{"Id":"` + strings.Repeat("a", 1000) + `","State":"running"}]`,
		"names that are a text":        one(`,"Names":"/a"`),
		"a name that is a number":      one(`,"Names":[1]`),
		"labels that are a list":       one(`,"Labels":["a=b"]`),
		"a label that is a number":     one(`,"Labels":{"decnet.fleet.decky":1}`),
		"a foreign label that is one":  one(`,"Labels":{"x":1}`),
		"a status that is a number":    one(`,"Status":1`),
		"an unknown escape":            one(`,"X":"\x"`),
		"a short escape":               one(`,"X":"\u12"`),
		"half a pair at the end":       `[{"Id":"\ud800\`,
		"a raw control byte":           one(",\"X\":\"a\nb\""),
		"a number with a leading zero": one(`,"X":01`),
		"a number without digits":      one(`,"X":-`),
		"a fraction without digits":    one(`,"X":1.`),
		"an exponent without digits":   one(`,"X":1e+`),
		"a word that is none":          one(`,"X":nul0`),
		"a bare word":                  one(`,"X":yes`),
		"a key that is a number":       one(`,1:2`),
		"no colon":                     one(`,"X" 1`),
		"nested too deep":              one(`,"X":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)),
		"nested far too deep":          strings.Repeat("[", 1<<20),
		"one good, one bad":            `[{"Id":"aa","State":"running"},{"Id":"bb","State":null}]`,
		"a mismatched bracket":         `[{"Id":"aa","State":"running"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLister()
			if got, err := l.decode(strings.NewReader(body), nil); err == nil || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// endless repeats a text for ever after a beginning.
type endless struct{ begin, again string }

func (e *endless) Read(p []byte) (int, error) {
	if e.begin == "" {
		e.begin = e.again
	}
	n := copy(p, e.begin)
	e.begin = e.begin[n:]
	return n, nil
}

func TestEndlessListIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		src  *endless
		want error
	}{
		"white space": {&endless{"", strings.Repeat(" ", 4096)}, errLong},
		"one text":    {&endless{`[{"X":"`, strings.Repeat("a", 4096)}, errLong},
		"one label":   {&endless{`[{"Labels":{"decnet.fleet.decky":"`, strings.Repeat("a", 4096)}, errLong},
		"containers":  {&endless{`[{"Id":"a","State":"b"}`, strings.Repeat(`,{"Id":"a","State":"b"}`, 99)}, errMany},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lister{bytes: 1 << 20, rows: 1 << 10}
			if _, err := l.decode(row.src, nil); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if cap(l.scan.text) > 4*maxText {
				t.Errorf("it kept %d bytes of a text", cap(l.scan.text))
			}
		})
	}
	l := newLister()
	if _, err := l.decode(iotest.ErrReader(io.ErrNoProgress), nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("the reader's error is lost: %v", err)
	}
}

func encode(t *testing.T, list []messages.Container) string {
	t.Helper()
	var b bytes.Buffer
	for i, c := range list {
		labels := map[string]string{labelDecky: c.Decky, labelService: c.Service, labelProject: c.Project}
		row, err := json.Marshal(map[string]any{"Id": c.ID, "Names": []string{"/" + c.Name}, "State": c.State, "Labels": labels})
		if err != nil {
			t.Fatal(err)
		}
		b.WriteByte("[,"[min(i, 1)])
		b.Write(row)
	}
	if len(list) == 0 {
		b.WriteByte('[')
	}
	return b.String() + "]"
}

func TestHintNeverChangesWhatAListSays(t *testing.T) {
	var all []messages.Container
	for i := range 9 {
		all = append(all, messages.Container{ID: fmt.Sprint("id", i), Name: fmt.Sprint("n", i), State: "running", Decky: "d"})
	}
	changed := slices.Clone(all)
	changed[4].State, changed[7].Name = "exited", "renamed"
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	l := newLister()
	for name, list := range map[string][]messages.Container{
		"the same": all, "empty": {}, "the first gone": all[1:], "the last gone": all[:8], "one in the middle gone": slices.Delete(slices.Clone(all), 4, 5),
		"changed": changed, "another order": reversed, "twice": append(slices.Clone(all), all...),
		"new first": append([]messages.Container{{ID: "new", State: "created"}}, all...),
		"new last":  append(slices.Clone(all), messages.Container{ID: "new", State: "created"}),
	} {
		hint := slices.Clone(all)
		got, err := l.decode(strings.NewReader(encode(t, list)), hint)
		if err != nil || !slices.Equal(got, list) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if !slices.Equal(hint, all) {
			t.Errorf("%s: the hint was written to", name)
		}
		if same := len(got) == len(hint) && &got[0] == &hint[0]; same != (name == "the same") {
			t.Errorf("%s: taken for the same: %v", name, same)
		}
	}
}

// reference decodes as the standard library does, for texts within the bounds.
func reference(body []byte) ([]messages.Container, bool) {
	var rows []map[string]json.RawMessage
	if json.Unmarshal(body, &rows) != nil || rows == nil {
		return nil, false
	}
	list := []messages.Container{}
	for _, row := range rows {
		c, ok := referenceRow(row)
		if !ok {
			return nil, false
		}
		list = append(list, c)
	}
	return list, true
}

func referenceRow(row map[string]json.RawMessage) (c messages.Container, ok bool) {
	var names []any
	var status *string
	var labels map[string]any
	for k, p := range map[string]any{"Id": &c.ID, "State": &c.State, "Names": &names, "Status": &status, "Labels": &labels} {
		if v, has := row[k]; has && json.Unmarshal(v, p) != nil {
			return c, false
		}
	}
	found := false
	for _, n := range names {
		s, isText := n.(string)
		if !isText {
			return c, false
		}
		s = strings.TrimPrefix(s, "/")
		if own := !strings.Contains(s, "/"); c.Name == "" || own && !found {
			c.Name = s
		}
		found = found || !strings.Contains(s, "/")
	}
	if status != nil {
		c.Health = health([]byte(*status))
	}
	for k, v := range labels {
		s, isText := v.(string)
		if !isText {
			return c, false
		}
		switch k {
		case labelDecky:
			c.Decky = s
		case labelService:
			c.Service = s
		case labelProject:
			c.Project = s
		}
		c.Stranger = c.Stranger || strings.HasPrefix(k, labelTopology) || k == labelOneOff && s == "True"
	}
	c.Stranger = c.Stranger || strings.HasPrefix(c.Project, topologyName)
	return c, usableID([]byte(c.ID)) && c.State != "" && row["Id"][0] == '"' && row["State"][0] == '"'
}

// FuzzListAgreesWithTheStandardDecoder: the same lists are accepted and say the same. What has a bound of ours, or a
// key twice (the reference keeps the last, this one merges labels), is not compared.
func FuzzListAgreesWithTheStandardDecoder(f *testing.F) {
	for _, s := range []string{
		`[]`, one(``), one(`,"Names":["/a/b","/c"],"Status":"Up (healthy)","Labels":{"decnet.fleet.decky":"d\u00e9\ud83d\ude00","x":""}`),
		one(`,"X":[1,-2.5e10,{"a":null}],"Labels":null`), `[{"Id":"a","State":"b"},{"Id":"c","State":"\ud800\u0041"}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l := newLister()
		got, err := l.decode(bytes.NewReader(body), nil)
		if bytes.Count(body, []byte{'['})+bytes.Count(body, []byte{'{'}) >= maxDepth || len(body) > maxText || repeats(body) {
			return
		}
		want, ok := reference(body)
		for _, c := range want {
			if len(c.State) > maxState {
				return
			}
		}
		if ok != (err == nil) || ok && !slices.Equal(got, want) {
			t.Errorf("%q\ngot  %+v, %v\nwant %+v, %v", body, got, err, want, ok)
		}
	})
}

// repeats finds a key that occurs twice, roughly.
func repeats(body []byte) bool {
	for _, k := range []string{"Id", "Names", "State", "Status", "Labels", "decnet", "docker", `\u`} {
		if bytes.Count(body, []byte(k)) > 1 {
			return true
		}
	}
	return false
}

// TestPlainRunEndsAtTheFirstByteThatIsNotPlain, wherever that stands and whatever follows it.
func TestPlainRunEndsAtTheFirstByteThatIsNotPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.OneOf(rapid.ByteRange(0x20, 0x7f), rapid.Byte(), rapid.SampledFrom([]byte("\"\\\x1f\x7f\x80\xff "))), 0, 40).Draw(t, "b")
		want := slices.IndexFunc(b, func(c byte) bool { return !plain[c] })
		if want < 0 {
			want = len(b)
		}
		if got := plainRun(b); got != want {
			t.Fatalf("%d, want %d in %q", got, want, b)
		}
	})
}
