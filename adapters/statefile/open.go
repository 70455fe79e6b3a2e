package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/decnet/decnet-fleetd/messages"
)

// verdict is what the way to the bytes says before they are read. The zero verdict means: go on.
type verdict struct {
	status messages.FileStatus
	fault  messages.Fault
}

// open opens the file without following a link at its end and without waiting for anybody (a FIFO would), and makes
// sure that it is a file one may believe. With a verdict other than zero there is no file.
func (r *Reader) open() (*os.File, verdict) {
	f, err := os.OpenFile(r.cfg.Path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, r.notOpened(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, r.refuse(f, messages.FileUnreachable, fmt.Sprintf("cannot be looked at: %v", err), "")
	}
	if what, remedy := r.distrust(&st); what != "" {
		return nil, r.refuse(f, messages.FileInvalid, what, remedy)
	}
	r.volume.remember(r.dir)
	return f, verdict{}
}

func (r *Reader) refuse(f io.Closer, status messages.FileStatus, what, remedy string) verdict {
	_ = f.Close() // nothing was written: there is nothing to lose
	return r.verdict(status, what, remedy)
}

func (r *Reader) verdict(status messages.FileStatus, what, remedy string) verdict {
	return verdict{status, messages.Fault{Where: r.cfg.Path, What: what, Remedy: remedy}}
}

// distrust says why a file is not to be believed, "" if it is.
func (r *Reader) distrust(st *unix.Stat_t) (what, remedy string) {
	owners := append([]uint32{0, uint32(os.Geteuid())}, r.cfg.AllowedOwners...)
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "is no regular file", "remove it and run decnet deploy again"
	case st.Mode&0o002 != 0:
		return "may be written by everybody", "chmod o-w it, and see who changed it"
	case !slices.Contains(owners, st.Uid):
		return fmt.Sprintf("belongs to the user %d, who is neither root nor DECNET's user nor ours", st.Uid),
			"chown it to the user DECNET runs as, and see who made it"
	case st.Nlink > 1:
		return fmt.Sprintf("has %d names (hard links)", st.Nlink), "copy it to a file of its own"
	case st.Size > MaxBytes:
		return fmt.Sprintf("has %d bytes, more than %d", st.Size, MaxBytes), "see what made it grow"
	}
	return "", ""
}

// notOpened says what an error of open means. Only a clear answer counts as missing or invalid; everything else
// (no more file descriptors, I/O errors, a directory that is gone) tells nothing.
func (r *Reader) notOpened(err error) verdict {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r.missing()
	case errors.Is(err, syscall.ENXIO):
		return r.verdict(messages.FileInvalid, "is no regular file", "remove it and run decnet deploy again")
	case errors.Is(err, syscall.ELOOP):
		if _, err := os.Lstat(r.cfg.Path); err == nil {
			return r.verdict(messages.FileInvalid, "is a symbolic link",
				"put the file itself there; its directory may be a link")
		}
	case errors.Is(err, fs.ErrPermission):
		if _, err := os.Lstat(r.cfg.Path); err == nil {
			return r.verdict(messages.FileInvalid, "may not be read by this process",
				"chmod it 0644, or run decnet-fleetd as DECNET's user")
		}
	}
	return r.verdict(messages.FileUnreachable, "cannot be opened: "+cause(err), "")
}

// missing decides whether a file that is not there was removed. It was if its directory is there, can be read, and
// is still on the volume on which the file was seen: else the volume is not mounted.
func (r *Reader) missing() verdict {
	d, err := os.Open(r.dir)
	if err != nil {
		return r.verdict(messages.FileUnreachable, "cannot be told: its directory cannot be read: "+cause(err),
			"see that the directory is mounted and readable")
	}
	defer d.Close() //nolint:errcheck // nothing was written
	if _, err := d.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return r.verdict(messages.FileUnreachable, "cannot be told: its directory cannot be read: "+cause(err), "")
	}
	if !r.volume.same(r.dir) {
		return r.verdict(messages.FileUnreachable, "is gone together with the volume it was on",
			"mount the volume; if it was moved away on purpose, restart decnet-fleetd")
	}
	return verdict{status: messages.FileMissing}
}

// cause is the text of an error without the path, which the fault has already.
func cause(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// slurp reads an open file into the buffer of r. A file that changes meanwhile is read again: its halves could fit
// together to something that nobody wrote.
func (r *Reader) slurp(f *os.File) ([]byte, verdict) {
	for range 3 { // chosen: a writer that is faster three times in a row will give another sign
		var before, after unix.Stat_t
		errBefore := unix.Fstat(int(f.Fd()), &before)
		r.buf.Reset()
		r.buf.Grow(int(min(before.Size, MaxBytes)) + bytes.MinRead) // so that it need not grow by doubling
		n, err := r.buf.ReadFrom(io.NewSectionReader(f, 0, MaxBytes+1))
		errAfter := unix.Fstat(int(f.Fd()), &after)
		if err := errors.Join(errBefore, err, errAfter); err != nil {
			return nil, r.verdict(messages.FileUnreachable, "cannot be read: "+cause(err), "")
		}
		if n > MaxBytes {
			return nil, r.verdict(messages.FileInvalid, fmt.Sprintf("has more than %d bytes", MaxBytes), "see what made it grow")
		}
		if steady(&before, &after, n) {
			return r.buf.Bytes(), verdict{}
		}
	}
	return nil, r.verdict(messages.FileInvalid, "changes while it is read", "see who writes it without rest")
}

// steady says whether n bytes that were read between two looks are the file.
func steady(before, after *unix.Stat_t, n int64) bool {
	return n == after.Size && before.Size == after.Size && before.Mtim == after.Mtim && before.Ctim == after.Ctim
}

// release gives up a buffer that a large file needed: 1 MiB holds 2,000 deckies.
func (r *Reader) release() {
	if r.buf.Cap() > 1<<20 {
		r.buf = bytes.Buffer{}
	}
}

// dirOf is the directory of a path.
func dirOf(path string) string { return filepath.Dir(path) }
