package unixsock

import "syscall"

// ID identifies one binding of a socket path. The inode alone does not: ext4 gives the number of the unlinked socket to
// the next one at once. The time of modification is the time of bind; chmod and chown leave it. The zero value means
// that nothing is there.
type ID struct {
	Dev, Ino  uint64
	Sec, Nsec int64
}

// Identify looks at path; the zero ID means that it cannot be seen.
func Identify(path string) ID {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return ID{}
	}
	return ID{Dev: st.Dev, Ino: st.Ino, Sec: st.Mtim.Sec, Nsec: st.Mtim.Nsec}
}
