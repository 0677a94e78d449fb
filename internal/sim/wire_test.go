//go:build synctests

package sim

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// network is TCP for one bubble: buffered in both directions, so that a frame costs one wake-up, and judged
// frame by frame. A frame is what one Write brings: kgo and kfake write whole requests and responses.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	ports     int
	down      bool      // no broker listens: every dial is refused
	refused   func()    // called when one is; nil: nobody asks
	latest    time.Time // when the last frame that was held up arrives

	// request judges a frame on its way to the broker; response sees one that comes back.
	request  func(l *link, c *conn, frame []byte) fate
	response func(l *link, c *conn, frame []byte)
	arrives  func(l *link, c *conn, frame []byte) // as response, but for what never comes there
}

// fate is what happens to one request.
type fate struct {
	cut     bool            // the connection breaks before the broker sees it
	cutBack bool            // the broker applies it, and the connection breaks before the answer
	away    time.Duration   // with cutBack: for so long the process then reaches no broker
	swallow bool            // the broker applies it, and the answer never comes
	late    time.Duration   // the request waits before the broker sees it
	sure    bool            // what is late comes also if the connection has gone by then
	slow    time.Duration   // the answer waits
	code    int             // number of the error that is the broker's answer; 0: none
	hit     func(gone bool) // called when it has come true, and whether the connection had gone by then; nil: nobody asks
}

func (f *fate) happens() {
	if f.hit != nil {
		f.hit(false)
	}
}

// What the net package says: a client tells what passes from what does not by the types of these errors.
var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
)

func newNetwork() *network {
	return &network{
		listeners: map[string]*listener{},
		request:   func(*link, *conn, []byte) fate { return fate{} },
		response:  func(*link, *conn, []byte) {},
		arrives:   func(*link, *conn, []byte) {},
	}
}

func (n *network) link(name string) *link { return &link{net: n, name: name} }

// listen is kfake.ListenFn.
func (n *network) listen(_, _ string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports++
	l := &listener{net: n, addr: address(fmt.Sprintf("127.0.0.1:%d", 9000+n.ports)), conns: make(chan net.Conn, 64), closed: make(chan struct{})}
	n.listeners[string(l.addr)] = l
	return l, nil
}

type listener struct {
	net    *network
	addr   address
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		delete(l.net.listeners, string(l.addr))
		l.net.mu.Unlock()
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

type address string

func (a address) Network() string { return "sim" }
func (a address) String() string  { return string(a) }

// conn is one end of a connection.
type conn struct {
	link   *link
	in     *stream
	out    *stream
	other  *conn
	client bool
	mu     sync.Mutex
	marks  map[uint32]fate // of the client's end, by correlation id
	asked  []question      // of the client's end: what waits for its answer
	until  time.Time       // of SetReadDeadline
}

func (c *conn) broken() bool { return c.in.isClosed() }

// Write judges one frame.
func (c *conn) Write(b []byte) (int, error) {
	if c.client {
		return c.send(b)
	}
	return c.answer(b)
}

func (c *conn) send(b []byte) (int, error) {
	if c.out.isClosed() {
		return 0, errReset
	}
	f := c.link.net.request(c.link, c, b)
	c.link.net.expect(max(f.late, f.slow))
	size := len(b)
	if f.code > 0 {
		b = numbered(b, f.code)
	}
	if f.cut {
		f.happens()
		_ = c.Close()
		return 0, errReset
	}
	if f.cutBack || f.swallow || f.slow > 0 {
		c.mu.Lock()
		c.marks[correlation(b)] = f
		c.mu.Unlock()
	}
	if f.late > 0 {
		c.out.put(b, f.late, f.sure, f.hit)
	} else {
		c.out.put(b, 0, f.sure, nil)
	}
	return size, nil
}

func (c *conn) answer(b []byte) (int, error) {
	if c.out.isClosed() {
		return 0, errReset
	}
	id := answered(b)
	c.other.mu.Lock()
	f := c.other.marks[id]
	delete(c.other.marks, id)
	c.other.mu.Unlock()
	c.link.net.response(c.link, c.other, b)
	if _, dead := c.link.state(); !dead && f.late == 0 { // what is late came true on its way there
		f.happens()
	}
	switch {
	case f.cutBack:
		c.link.cutOff(f.away)
		_ = c.Close()
		return 0, errReset
	case f.swallow:
		c.link.unheard.Add(1)
		return len(b), nil
	}
	c.link.net.arrives(c.link, c.other, b)
	c.out.put(b, f.slow, false, nil)
	return len(b), nil
}

// expect notes that a frame is held up for d.
func (n *network) expect(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := time.Now().Add(d); at.After(n.latest) {
		n.latest = at
	}
}

// Read takes what has come. A paused process neither hears nor is heard.
func (c *conn) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		until := c.until
		c.mu.Unlock()
		paused, dead := c.link.state()
		switch {
		case dead && c.client:
			if c.in.isClosed() {
				return 0, errReset
			}
		case paused:
			if c.in.due() {
				c.link.holds()
			}
		default:
			n, err := c.in.take(b)
			if n > 0 || err != nil {
				return n, err
			}
		}
		if err := c.in.await(until); err != nil {
			return 0, err
		}
	}
}

func (c *conn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return address("sim") }
func (c *conn) RemoteAddr() net.Addr { return address("sim") }

func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.until = t
	c.mu.Unlock()
	if !t.IsZero() {
		c.in.wake()
	}
	return nil
}

func (c *conn) SetWriteDeadline(time.Time) error { return nil } // a write never waits

// stream is one direction. Chunks come out in the order in which they went in, each not before its time.
type stream struct {
	mu     sync.Mutex
	chunks []chunk
	closed bool
	ready  chan struct{}
}

type chunk struct {
	b    []byte
	at   time.Time       // zero: at once
	sure bool            // it comes also after the end
	hit  func(gone bool) // called when it is taken
}

func newStream() *stream { return &stream{ready: make(chan struct{}, 1)} }

func (s *stream) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

func (s *stream) put(b []byte, after time.Duration, sure bool, hit func(gone bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	c := chunk{b: slices.Clone(b), sure: sure, hit: hit}
	if after > 0 {
		c.at = time.Now().Add(after)
	}
	s.chunks = append(s.chunks, c)
	s.wake()
}

func (s *stream) take(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(b) && len(s.chunks) > 0 && !s.chunks[0].at.After(time.Now()) {
		if s.chunks[0].hit != nil {
			s.chunks[0].hit(s.closed)
			s.chunks[0].hit = nil
		}
		m := copy(b[n:], s.chunks[0].b)
		n += m
		if s.chunks[0].b = s.chunks[0].b[m:]; len(s.chunks[0].b) > 0 {
			break
		}
		s.chunks[0] = chunk{}
		s.chunks = s.chunks[1:]
	}
	if n == 0 && s.closed && !s.sure() {
		return 0, errReset
	}
	if n > 0 && (len(s.chunks) > 0 || s.closed) {
		s.wake()
	}
	return n, nil
}

// due says that something has come.
func (s *stream) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.chunks) > 0 && !s.chunks[0].at.After(time.Now())
}

// sure says that something is on its way which the end does not stop.
func (s *stream) sure() bool {
	return slices.ContainsFunc(s.chunks, func(c chunk) bool { return c.sure })
}

// await waits until something may have changed, at most until the deadline.
func (s *stream) await(until time.Time) error {
	s.mu.Lock()
	next := until
	if len(s.chunks) > 0 && s.chunks[0].at.After(time.Now()) && (next.IsZero() || s.chunks[0].at.Before(next)) {
		next = s.chunks[0].at
	}
	s.mu.Unlock()
	if next.IsZero() {
		<-s.ready
		return nil
	}
	d := time.Until(next)
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-s.ready:
			return nil
		case <-t.C:
		}
	}
	if !until.IsZero() && !until.After(time.Now()) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *stream) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// What kgo writes: size 4, API key 2, version 2, correlation id 4, client id.
func apiKey(b []byte) int16       { return int16(binary.BigEndian.Uint16(b[4:6])) }
func apiVersion(b []byte) int16   { return int16(binary.BigEndian.Uint16(b[6:8])) }
func correlation(b []byte) uint32 { return binary.BigEndian.Uint32(b[8:12]) }
