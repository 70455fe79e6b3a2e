package fabric

import (
	"context"
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// Worker is a worker's end. Its methods may be called from any goroutine.
type Worker struct{ cfg WorkerConfig }

// Dial starts to connect and goes on until Close, whatever happens: a wrong file or a refusal is a state, with its
// remedy, and is tried again. An error means that no attempt could ever succeed.
func Dial(cfg WorkerConfig) (*Worker, error) {
	if _, err := cfg.fill(); err != nil {
		return nil, err
	}
	return &Worker{cfg: cfg}, nil
}

// Ship sends a batch and returns when the hub has committed all of it. A long one goes in several frames, one after the
// other. After an error a part of it may be committed: ship it again, the hub knows an EventID it has. Calls wait for
// each other. Without a connection it returns ErrAway at once.
func (w *Worker) Ship(context.Context, messages.ShipBatch) (messages.ShipAck, error) {
	return messages.ShipAck{}, ErrAway
}

// Beat sends a sign of life. Without a connection it returns ErrAway.
func (w *Worker) Beat(messages.Beat) error { return ErrAway }

// Serve says who answers what the hub asks; nil answers 503. The request's context has the Asker.
func (w *Worker) Serve(http.Handler) {}

// State is how the worker stands with its hub.
func (w *Worker) State() messages.LinkState { return messages.LinkState{} }

// Leave says goodbye, so that nobody is alarmed, and closes.
func (w *Worker) Leave(context.Context) { w.Close() }

// Close ends the connection without a word.
func (w *Worker) Close() {}
