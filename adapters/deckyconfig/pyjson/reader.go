package pyjson

// MaxDepth is how many arrays and objects may stand inside each other. Chosen: DECNET's own file has about six, and
// the recursion of the reader stays within a few kilobytes of stack.
const MaxDepth = 64

// Kind is the type of a JSON value. The zero Kind means that there is no value.
type Kind uint8

// The kinds of values. NaN and the infinities are Float.
const (
	Null Kind = iota + 1
	False
	True
	Int
	Float
	String
	Array
	Object
)

// String gives the word used in faults.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case False, True:
		return "a boolean"
	case Int:
		return "an integer"
	case Float:
		return "a number with a fraction"
	case String:
		return "a string"
	case Array:
		return "a list"
	case Object:
		return "an object"
	}
	return "missing"
}

// Span is where a value stands in the text.
type Span struct {
	Kind       Kind
	Start, End int
}

// Reader goes through a text once, checking everything it passes. It keeps nothing, so its memory does not grow with
// the text. After an error it must not be used further.
type Reader struct {
	text  []byte
	pos   int
	depth int
}

// NewReader begins reading; the error is a *SyntaxError for a text that is not UTF-8 or begins with a byte order mark.
// The text must not change while it is read.
func NewReader(text []byte) (*Reader, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	return &Reader{text: text}, nil
}

// Peek tells the kind of the value that begins here, 0 if none does.
func (r *Reader) Peek() Kind {
	r.space()
	if r.pos >= len(r.text) {
		return 0
	}
	switch c := r.text[r.pos]; c {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 'n':
		return Null
	case 't':
		return True
	case 'f':
		return False
	case 'N', 'I':
		return Float
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return Int // or Float: scalar tells
		}
	}
	return 0
}

// Object reads an object. each is given every decoded key in turn and must read exactly one value; the key is valid
// until it returns.
func (r *Reader) Object(each func(key []byte) error) error {
	return r.members(func(k token) error {
		text := r.text[k.start:k.end]
		if k.escaped {
			text, _ = unescape(nil, text)
		}
		return each(text)
	})
}

// members is Object with the keys as they stand in the text.
func (r *Reader) members(each func(key token) error) error {
	if err := r.enter('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := r.more(first, '}')
		if err != nil || !more {
			return err
		}
		k, err := r.key()
		if err != nil {
			return err
		}
		if err := each(k); err != nil {
			return err
		}
	}
}

// Array reads an array. each is given the index of every element and must read exactly one value.
func (r *Reader) Array(each func(i int) error) error {
	if err := r.enter('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		more, err := r.more(i == 0, ']')
		if err != nil || !more {
			return err
		}
		if err := each(i); err != nil {
			return err
		}
	}
}

// Skip reads one value of any kind and says where it stood.
func (r *Reader) Skip() (Span, error) {
	kind := r.Peek()
	start := r.pos
	var err error
	switch kind {
	case Object:
		err = r.members(func(token) error { return r.pass() })
	case Array:
		err = r.Array(func(int) error { return r.pass() })
	case String:
		_, err = r.str()
	case Null, False, True, Int, Float:
		kind, err = r.scalar()
	default:
		err = r.fail("expected a value")
	}
	return Span{kind, start, r.pos}, err
}

// pass is Skip for who need not know what it was.
func (r *Reader) pass() error {
	_, err := r.Skip()
	return err
}

// End makes sure that only white space is left.
func (r *Reader) End() error {
	r.space()
	if r.pos < len(r.text) {
		return r.fail("more text after the end of the value")
	}
	return nil
}
