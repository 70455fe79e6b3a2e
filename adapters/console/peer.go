package console

import (
	"context"
	"net"
	"syscall"
)

// peer is who stands at the other end of a connection, as the kernel says.
type peer struct {
	known bool
	uid   uint32
	gid   uint32
	pid   int32
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
			p = peer{known: true, uid: cred.Uid, gid: cred.Gid, pid: cred.Pid}
		}
	})
	if err != nil {
		return peer{}
	}
	return p
}

func peerFrom(ctx context.Context) peer {
	p, _ := ctx.Value(peerKey{}).(peer)
	return p
}
