package console

import (
	"context"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peer is who stands at the other end of a connection, as the kernel says, or a certificate.
type peer struct {
	known  bool
	cert   *badge // of another host; nil at the socket
	uid    uint32
	gid    uint32
	pid    int32
	groups []uint32 // supplementary ones
}

type peerKey struct{}

// withPeer is the server's ConnContext.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerOf(c))
}

func peerOf(c net.Conn) peer {
	if l, is := c.(*limited); is {
		c = l.Conn
	}
	u, is := c.(*net.UnixConn)
	if !is {
		return peer{}
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{}
	}
	var p peer
	err = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			p = peer{known: true, uid: cred.Uid, gid: cred.Gid, pid: cred.Pid, groups: peerGroups(fd)}
		}
	})
	if err != nil {
		return peer{}
	}
	return p
}

// maxGroups bounds the groups that are looked at. Source: NGROUPS_MAX of Linux.
const maxGroups = 65536

// peerGroups asks the kernel for the supplementary groups of a peer, as they were when it connected. No name service is
// asked: it may hang. None where the kernel is older than 4.13.
func peerGroups(fd uintptr) []uint32 {
	groups := make([]uint32, 64)
	for len(groups) <= maxGroups {
		size := uint32(len(groups)) * 4
		//nolint:gosec // the kernel writes no more than size bytes into groups
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			return groups[:size/4]
		}
		if errno != unix.ERANGE {
			return nil
		}
		groups = make([]uint32, max(size/4, uint32(2*len(groups))))
	}
	return nil
}

func peerFrom(ctx context.Context) peer {
	p, _ := ctx.Value(peerKey{}).(peer)
	return p
}
