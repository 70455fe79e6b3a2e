package console

import (
	"bytes"
	"log"

	"github.com/rs/zerolog"
)

// errorLog passes on what net/http has to say: panics of handlers, failed accepts, broken requests.
type errorLog struct{ log zerolog.Logger }

// Write logs one message.
func (e errorLog) Write(p []byte) (int, error) {
	e.log.Warn().Bytes("detail", bytes.TrimSpace(p)).Msg("control socket")
	return len(p), nil
}

//nolint:forbidigo // net/http takes no other logger
func newErrorLog(l zerolog.Logger) *log.Logger {
	return log.New(errorLog{l}, "", 0)
}
