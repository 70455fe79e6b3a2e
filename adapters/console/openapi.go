package console

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// openAPI serves a document of version 3.1 about every route of ours: it is made from the same table as the routes, and
// its schemas from the same types as the answers.
func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) { reply(w, s.describe()) }

// object is a JSON object.
type object = map[string]any

// plain are the routes that stand in routes; the others are in the table of api.
func (s *Server) plain() []route {
	page := []param{{"since", "events after this seq"}, {"type", "only this type"}, {"target", "a pattern of names"}, {"not_before", "a time of RFC 3339"}, limitParam}
	return []route{
		{method: "GET", path: "/healthz", says: "the process answers"},
		{method: "GET", path: "/readyz", says: "the first pass is over, or another process makes it"},
		{method: "GET", path: "/v1/status", says: "the health of the host and of what the daemon depends on", reply: StatusReply{}},
		{method: "GET", path: "/v1/deckies", says: "the deckies", query: []param{filterParam, sortParam, limitParam}, reply: DeckyList{}},
		{method: "GET", path: "/v1/deckies/{id}", says: "one decky", reply: DeckyReply{}},
		{method: "GET", path: "/v1/events", says: "a page of events", query: page, reply: EventList{}},
		{method: "GET", path: "/v1/stream", says: "events as they happen; Last-Event-ID or since resumes; an event reset marks a gap", query: append([]param{{"topics", "only these: deckies, actors, sources, events, events:NAME, by commas"}}, page...), media: "text/event-stream"},
		{method: "POST", path: "/v1/reconcile", says: "read every source again and wait for the end of the pass", body: PassRequest{}, reply: PassReply{}},
		{method: "POST", path: "/v1/approve", says: "consent to a held set of deletions", body: ApproveRequest{}, reply: ApproveReply{}},
	}
}

func (s *Server) describe() object {
	paths := object{}
	for _, r := range slices.Concat(s.plain(), s.api(), s.clusterAPI()) {
		path := strings.Replace(r.path, "...}", "}", 1)
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(r.method)] = r.describe()
	}
	return object{
		"openapi": "3.1.0",
		"info": object{"title": "decnet-fleetd", "version": API, "description": "The control socket. Keys are only ever added. " +
			"Who may do what is decided by the peer's user and groups: decnet looks, decnet-ops acts, admins look into the process."},
		"paths":      paths,
		"components": object{"schemas": object{"problem": schemaOf(reflect.TypeFor[problem](), 0)}},
	}
}

func (r route) describe() object {
	need := max(r.needs, ReadOnly)
	if r.method != http.MethodGet {
		need = max(need, Operator)
	}
	media := r.media
	if media == "" {
		media = "application/json"
	}
	content := object{}
	if r.reply != nil {
		content["schema"] = schemaOf(reflect.TypeOf(r.reply), 0)
	}
	refused := object{"description": "refused", "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/problem"}}}}
	op := object{
		"summary": r.says, "x-role": need.String(), "operationId": strings.ToLower(r.method) + strings.NewReplacer("/", "_", "{", "", "}", "", ".", "_").Replace(r.path),
		"responses": object{"200": object{"description": "done", "content": object{media: content}}, "default": refused},
	}
	if p := r.params(); len(p) > 0 {
		op["parameters"] = p
	}
	if r.body != nil {
		op["requestBody"] = object{"content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(r.body), 0)}}}
	}
	return op
}

func (r route) params() []object {
	var out []object
	for rest := r.path; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		name, tail, _ := strings.Cut(after, "}")
		out = append(out, object{"name": strings.TrimSuffix(name, "..."), "in": "path", "required": true, "schema": object{"type": "string"}})
		rest = tail
	}
	for _, p := range r.query {
		out = append(out, object{"name": p.name, "in": "query", "description": p.says, "schema": object{"type": "string"}})
	}
	return out
}

// schemaOf describes how a type looks in JSON.
func schemaOf(t reflect.Type, depth int) object {
	switch {
	case t == reflect.TypeFor[messages.Moment]():
		return object{"type": []string{"string", "null"}, "format": "date-time"}
	case t == reflect.TypeFor[Wait]():
		return object{"type": []string{"boolean", "number", "string"}}
	case depth > 6:
		return object{}
	}
	switch t.Kind() { //nolint:exhaustive // what is not named is handled below
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Pointer:
		return schemaOf(t.Elem(), depth+1)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{} // JSON of somebody else
		}
		return object{"type": "array", "items": schemaOf(t.Elem(), depth+1)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), depth+1)}
	case reflect.Struct:
		return structSchema(t, depth)
	}
	return object{"type": "integer"}
}

func structSchema(t reflect.Type, depth int) object {
	props, required := object{}, []string{}
	for _, x := range reflect.VisibleFields(t) {
		key, options, _ := strings.Cut(x.Tag.Get("json"), ",")
		if key == "" || key == "-" || x.Anonymous {
			continue
		}
		props[key] = schemaOf(x.Type, depth+1)
		if !strings.Contains(options, "omit") {
			required = append(required, key)
		}
	}
	slices.Sort(required)
	return object{"type": "object", "properties": props, "required": required}
}
