package embedded

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lingerMax is longer than any group's rebalance, for which a member's request may wait.
const lingerMax = 30 * time.Second

// lingering keeps a connection whose peer has gone, in kfake's eyes, for a while: what it answers there is thrown away. kfake begins a
// member's session when it has answered its JoinGroup or SyncGroup, and not at all if the connection has gone by then. A process that was
// killed while it joined then stayed in the group until the next rebalance ran out of time, and its heirs waited for 30 s in place of 10 s.
type lingering struct{ net.Listener }

// Accept gives the next connection.
func (l lingering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingeringConn{Conn: c, closed: make(chan struct{})}, nil
}

type lingeringConn struct {
	net.Conn

	gone   atomic.Bool
	once   sync.Once
	closed chan struct{}
}

// Read tells of the end only when the connection has lingered, or is closed on this side.
func (c *lingeringConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil || n > 0 {
		return n, err
	}
	c.gone.Store(true)
	t := time.NewTimer(lingerMax)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.closed:
	}
	return 0, err
}

// Write throws away what nobody is there to read.
func (c *lingeringConn) Write(b []byte) (int, error) {
	if c.gone.Load() {
		return len(b), nil
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		select {
		case <-c.closed:
			return n, err
		default:
			return len(b), nil // the next Read tells
		}
	}
	return n, nil
}

// Close ends the connection at once.
func (c *lingeringConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
