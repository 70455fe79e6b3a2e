package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Ship sends a batch and returns when the hub has committed all of it. A long one goes in several frames, one after the
// other. After an error a part of it may be committed: ship it again, the hub knows an EventID it has. Calls wait for
// each other. Without a connection it returns ErrAway at once.
func (w *Worker) Ship(ctx context.Context, b messages.ShipBatch) (messages.ShipAck, error) {
	select {
	case w.shipping <- struct{}{}:
		defer func() { <-w.shipping }()
	case <-ctx.Done():
		return messages.ShipAck{}, ctx.Err()
	}
	var ack messages.ShipAck
	frames, err := w.pack(b)
	for i := 0; i < len(frames) && err == nil; i++ {
		var a ackFrame
		a, err = w.exchange(ctx, frames[i])
		ack.Refused = append(ack.Refused, a.Refused...)
	}
	return ack, err
}

// packed is a frame ready to go.
type packed struct {
	n    uint64
	data []byte
}

// pack parts a batch into frames of at most batchEvents transitions and about batchBytes.
func (w *Worker) pack(b messages.ShipBatch) (frames []packed, err error) {
	put := func(f batchFrame) {
		if err != nil {
			return
		}
		w.shipped++
		f.N, f.Origin = w.shipped, b.Origin
		var data []byte
		if data, err = json.Marshal(f); err == nil && len(data) > maxFrame {
			err = fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
		}
		frames = append(frames, packed{f.N, data})
	}
	for _, events := range chunks(b.Events, func(s messages.Shipped) int { return len(s.Payload) + sizeOf(s.Row) }) {
		put(batchFrame{Events: events})
	}
	if s := b.Slice; s != nil {
		parts := chunks(s.Rows, func(r messages.ShippedRow) int { return sizeOf(&r) })
		if len(parts) == 0 {
			parts = [][]messages.ShippedRow{nil} // that there are no rows is worth saying too
		}
		for i, rows := range parts {
			put(batchFrame{Slice: &sliceFrame{ID: s.ID, Part: s.Part + i, Last: s.Last && i == len(parts)-1, Rows: rows}})
		}
	}
	return frames, err
}

// chunks parts a list in order, none longer than batchEvents, none much larger than batchBytes unless one item is.
func chunks[T any](all []T, size func(T) int) (out [][]T) {
	from, bytes := 0, 0
	for i, v := range all {
		n := size(v)
		if i > from && (i-from == batchEvents || bytes+n > batchBytes) {
			out, from, bytes = append(out, all[from:i]), i, 0
		}
		bytes += n
	}
	if from < len(all) {
		out = append(out, all[from:])
	}
	return out
}

// sizeOf is about what a row takes in a frame.
func sizeOf(r *messages.ShippedRow) int {
	if r == nil {
		return 0
	}
	n := 200 + len(r.Name) + len(r.ServicesJSON)
	for _, s := range []*string{r.ConfigJSON, r.IP, r.LastError} {
		if s != nil {
			n += len(*s)
		}
	}
	return n
}

// exchange sends a frame and waits for its ack. An answer cannot outlive the connection.
func (w *Worker) exchange(ctx context.Context, p packed) (ackFrame, error) {
	s := w.live.Load()
	if s == nil {
		return ackFrame{}, ErrAway
	}
	if err := w.pace.Wait(ctx); err != nil {
		return ackFrame{}, err
	}
	if err := s.nc.Publish(upSubject(w.cfg.HostUUID, kindBatch), p.data); err != nil {
		return ackFrame{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	late := time.NewTimer(ackTimeout)
	defer late.Stop()
	for {
		select {
		case <-late.C:
			return ackFrame{}, fmt.Errorf("%w: no answer in %v", ErrAway, ackTimeout)
		case a := <-s.acks:
			if a.N != p.n {
				continue // of a batch that nobody waits for any more
			}
			return a, verdictOf(a)
		case <-s.ctx.Done():
			return ackFrame{}, ErrAway
		case <-ctx.Done():
			return ackFrame{}, ctx.Err()
		}
	}
}

func verdictOf(a ackFrame) error {
	switch {
	case a.Never != "":
		return fmt.Errorf("%w: %s", ErrRefused, a.Never)
	case a.Busy != "":
		return fmt.Errorf("%w: %s", ErrBusy, a.Busy)
	}
	return nil
}

// Beat sends a sign of life. Without a connection it returns ErrAway.
func (w *Worker) Beat(b messages.Beat) error { return w.send(kindBeat, b) }

func (w *Worker) send(kind string, v any) error {
	s := w.live.Load()
	if s == nil {
		return ErrAway
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := s.nc.Publish(upSubject(w.cfg.HostUUID, kind), data); err != nil {
		return errors.Join(ErrAway, err)
	}
	return nil
}
