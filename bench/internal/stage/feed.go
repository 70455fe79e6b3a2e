package stage

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Feed is what a helper process says, line by line, from the first one on.
type Feed[T any] struct {
	mu    sync.Mutex
	items []T
	grown chan struct{} // closed and replaced when items grow
	err   error         // why it ended; io.EOF if it simply did
}

// NewFeed gives an empty feed, for what is added by hand.
func NewFeed[T any]() *Feed[T] { return &Feed[T]{grown: make(chan struct{})} }

// Follow reads lines until r ends.
func Follow[T any](r io.Reader, parse func(line []byte) (T, error)) *Feed[T] {
	f := NewFeed[T]()
	go func() {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 4<<20) // a frame of the bus is at most 1 MiB, quoted at most three times that
		for lines.Scan() {
			item, err := parse(lines.Bytes())
			if err != nil {
				f.end(fmt.Errorf("line %.200q: %w", lines.Bytes(), err))
				return
			}
			f.Add(item)
		}
		f.end(lines.Err())
	}()
	return f
}

// Add appends an item and wakes who waits.
func (f *Feed[T]) Add(item T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = append(f.items, item)
	close(f.grown)
	f.grown = make(chan struct{})
}

func (f *Feed[T]) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err = err; err == nil {
		f.err = io.EOF
	}
	close(f.grown)
	f.grown = make(chan struct{})
}

// Len is how many items there are: a mark for Since and Await.
func (f *Feed[T]) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.items)
}

// Since gives the items after a mark; they must not be changed.
func (f *Feed[T]) Since(mark int) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.items[mark:len(f.items):len(f.items)]
}

// Await waits for the first item after a mark that match takes. The error says that time was over, or why the feed ended.
func (f *Feed[T]) Await(ctx context.Context, mark int, within time.Duration, match func(T) bool) (T, error) {
	limit := time.NewTimer(within)
	defer limit.Stop()
	var none T
	for {
		f.mu.Lock()
		items, grown, err := f.items[min(mark, len(f.items)):], f.grown, f.err
		f.mu.Unlock()
		for _, item := range items {
			if match(item) {
				return item, nil
			}
		}
		mark += len(items)
		if err != nil {
			return none, fmt.Errorf("the process that reports ended: %w", err)
		}
		select {
		case <-ctx.Done():
			return none, ctx.Err()
		case <-limit.C:
			return none, fmt.Errorf("not within %v", within)
		case <-grown:
		}
	}
}
