package docker

import (
	"errors"
	"fmt"
	"io"
)

// maxDepth bounds nesting. Source: a list nests 6 deep (networks of a container); the rest is room.
const maxDepth = 64

// window is what is read at once. Source: 30,000 containers decode as fast with 64 KiB as with 1 MiB.
const window = 64 << 10

// errDeep and errLong are the two ways to be valid JSON and still refused.
var (
	errDeep = errors.New("nested deeper than 64 levels")
	errLong = errors.New("longer than allowed")
)

// scanner reads JSON from a stream in constant memory. Standard decoding took 385 ms and 1.5 million allocations for
// 30,000 containers, which a daemon that relists for its whole life cannot afford. The first error sticks: from then
// on every method does nothing, so that callers check once, at the end.
type scanner struct {
	src   io.Reader
	buf   []byte
	pos   int
	end   int
	left  int64 // bytes that may still be read
	err   error
	depth int
	begun [maxDepth]bool // per level: an element has been seen
	name  []byte         // the last key
	text  []byte         // the last string that could not be returned from the window
}

// reset starts over on src, of which at most limit bytes are read.
func (s *scanner) reset(src io.Reader, limit int64) {
	if s.buf == nil {
		s.buf = make([]byte, window)
	}
	s.src, s.left = src, limit
	s.pos, s.end, s.depth, s.err = 0, 0, 0, nil
}

// fail keeps the first error. An end inside a value is a cut, never a clean end.
func (s *scanner) fail(err error) {
	if s.err != nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	s.err = err
	s.pos = s.end
}

// fill reads the next window. False: nothing more comes, s.err says why.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	if s.left <= 0 {
		s.fail(errLong)
		return false
	}
	for range 100 { // a reader that returns nothing for ever is broken; bufio allows as many
		n, err := s.src.Read(s.buf[:min(int64(len(s.buf)), s.left)])
		s.left -= int64(n)
		s.pos, s.end = 0, n
		if n > 0 {
			return true
		}
		if err != nil {
			s.fail(err)
			return false
		}
	}
	s.fail(io.ErrNoProgress)
	return false
}

// peek gives the next byte that is not white space without consuming it, 0 after an error.
func (s *scanner) peek() byte {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; c {
			case ' ', '\n', '\r', '\t':
				s.pos++
			default:
				return c
			}
		}
		if !s.fill() {
			return 0
		}
	}
}

// next consumes one byte, 0 after an error.
func (s *scanner) next() byte {
	if s.pos == s.end && !s.fill() {
		return 0
	}
	c := s.buf[s.pos]
	s.pos++
	return c
}

func (s *scanner) unexpected(want string) {
	if s.err == nil {
		s.fail(fmt.Errorf("found %q where %s belongs", s.buf[s.pos], want))
	}
}

// open enters an object or a list.
func (s *scanner) open(c byte) {
	if s.peek() != c {
		s.unexpected(string(rune(c)))
		return
	}
	if s.depth == maxDepth {
		s.fail(errDeep)
		return
	}
	s.pos++
	s.begun[s.depth] = false
	s.depth++
}

// more says whether another element follows; at the closing byte it leaves the object or list.
func (s *scanner) more(closing byte) bool {
	c := s.peek()
	if s.err != nil {
		return false
	}
	if c == closing {
		s.pos++
		s.depth--
		return false
	}
	if s.begun[s.depth-1] {
		if c != ',' {
			s.unexpected("a comma")
			return false
		}
		s.pos++
		if s.peek() == closing {
			s.unexpected("a value")
			return false
		}
	}
	s.begun[s.depth-1] = true
	return true
}

// key reads the name of a field and its colon. It is valid until the next key; a name longer than any that matters
// comes cut and matches nothing.
func (s *scanner) key() []byte {
	const maxKey = 128 // the longest key that means something has 27 bytes
	s.name = append(s.name[:0], s.str(maxKey+1)...)
	if s.peek() != ':' {
		s.unexpected("a colon")
		return nil
	}
	s.pos++
	return s.name
}

// null consumes a null if one stands there.
func (s *scanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.word("null")
	return s.err == nil
}

func (s *scanner) word(w string) {
	for i := range len(w) {
		if s.next() != w[i] {
			s.fail(fmt.Errorf("found a word that is not %s", w))
			return
		}
	}
}

// skip reads over one value of any kind.
func (s *scanner) skip() {
	switch c := s.peek(); c {
	case '{':
		for s.open('{'); s.more('}'); {
			s.key()
			s.skip()
		}
	case '[':
		for s.open('['); s.more(']'); {
			s.skip()
		}
	case '"':
		s.str(0)
	case 't':
		s.word("true")
	case 'f':
		s.word("false")
	case 'n':
		s.word("null")
	default:
		s.number()
	}
}

// finish demands that all went well and nothing but white space follows.
func (s *scanner) finish() error {
	if s.err != nil {
		return s.err
	}
	if s.peek(); s.err == nil {
		s.unexpected("the end")
	}
	if errors.Is(s.err, io.ErrUnexpectedEOF) {
		return nil
	}
	return s.err
}
