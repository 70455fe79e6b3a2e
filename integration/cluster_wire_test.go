package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// capture is everything that passed the master's end of a worker's cable.
type capture struct {
	t      *testing.T
	mu     sync.Mutex
	frames [][]byte
	fd     int
	done   chan struct{}
}

// listenOn captures from now on.
func listenOn(t *testing.T, w *worker) *capture {
	t.Helper()
	const all = 0x0300                                                         // ETH_P_ALL in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // nothing until it is bound: not what other links carry
	must(t, err)
	link, err := net.InterfaceByName(w.link)
	must(t, err)
	must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}))
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}))
	c := &capture{t: t, fd: fd, done: make(chan struct{})}
	stop := make(chan struct{})
	go func() {
		defer close(c.done)
		buf := make([]byte, 1<<17)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err == nil && n > 0 {
				c.mu.Lock()
				c.frames = append(c.frames, bytes.Clone(buf[:n]))
				c.mu.Unlock()
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-c.done; _ = unix.Close(fd) })
	return c
}

// onlyTLS complains about everything but ARP and TCP to and from the one port, about a connection whose first bytes are
// no TLS handshake on either side or where the server speaks first, and about words in the clear.
func (c *capture) onlyTLS(port int) {
	c.t.Helper()
	time.Sleep(200 * time.Millisecond) // what is on the wire is in the capture
	c.mu.Lock()
	defer c.mu.Unlock()
	flows, bytesSeen := map[string]string{}, 0
	for _, f := range c.frames {
		if err := c.frame(f, port, flows, &bytesSeen); err != nil {
			c.t.Error(err)
			return
		}
	}
	if len(flows) == 0 || bytesSeen == 0 {
		c.t.Error("nothing was captured")
	}
	c.t.Logf("%d frames, %d connections, %d bytes of TLS", len(c.frames), len(flows), bytesSeen)
}

func (c *capture) frame(f []byte, port int, flows map[string]string, total *int) error {
	if len(f) < 14 {
		return fmt.Errorf("a frame of %d bytes", len(f))
	}
	switch kind := binary.BigEndian.Uint16(f[12:]); kind {
	case 0x0806: // ARP: how the kernel finds the address it was told
		return nil
	case 0x0800:
	default:
		return fmt.Errorf("a frame of type %#04x: % x", kind, f[:min(len(f), 64)])
	}
	ip := f[14:]
	head := int(ip[0]&15) * 4
	if ip[9] != unix.IPPROTO_TCP || len(ip) < head+20 {
		return fmt.Errorf("a packet of protocol %d: % x", ip[9], ip[:min(len(ip), 64)])
	}
	ip = ip[:min(len(ip), int(binary.BigEndian.Uint16(ip[2:])))]
	tcp := ip[head:]
	from, to := binary.BigEndian.Uint16(tcp), binary.BigEndian.Uint16(tcp[2:])
	data := tcp[int(tcp[12]>>4)*4:]
	if int(from) != port && int(to) != port {
		return fmt.Errorf("TCP from port %d to %d, not %d", from, to, port)
	}
	*total += len(data)
	for _, word := range []string{"INFO {", "CONNECT {", "PING\r\n", "nats", "server_id", "decky", "fleet."} {
		if bytes.Contains(data, []byte(word)) {
			return fmt.Errorf("%q in the clear: %q", word, data)
		}
	}
	if len(data) == 0 {
		return nil
	}
	client := from
	if int(from) == port {
		client = to
	}
	key := fmt.Sprint(client)
	if flows[key] == "" && int(from) == port {
		return fmt.Errorf("the server speaks first: % x", data[:min(len(data), 64)])
	}
	dir := "c"
	if int(from) == port {
		dir = "s"
	}
	if !bytes.Contains([]byte(flows[key]), []byte(dir)) {
		flows[key] += dir
		if data[0] != 0x16 || data[1] != 3 {
			return fmt.Errorf("no TLS handshake at the beginning: % x", data[:min(len(data), 64)])
		}
	}
	return nil
}
