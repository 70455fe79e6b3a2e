package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// TestWhatIsTriedAgain: an error that only time mends must not end the daemon, and one that time does not mend must.
func TestWhatIsTriedAgain(t *testing.T) {
	my := func(n uint16) error { return &mysql.MySQLError{Number: n} }
	for _, err := range []error{context.DeadlineExceeded, sql.ErrTxDone, sql.ErrConnDone, driver.ErrBadConn, io.EOF, mysql.ErrInvalidConn,
		mysql.ErrMalformPkt, my(1205), my(1213), my(1062), my(1290), my(1040), my(1053), my(1927), my(1114)} {
		if err = explainAs(&mysqlDialect, err); !Retryable(err) {
			t.Errorf("not tried again: %v", err)
		}
	}
	for _, err := range []error{my(1045), my(1049), my(1142), my(1146), my(1054), my(1364), mysql.ErrNoTLS, errors.New("boom")} {
		if err = explainAs(&mysqlDialect, err); Retryable(err) {
			t.Errorf("tried again: %v", err)
		}
	}
}

func explainAs(d *dialect, err error) error {
	db := &DB{at: target{dialect: d, where: "here"}, d: d}
	return db.explain("do it", fmt.Errorf("wrapped: %w", err))
}
