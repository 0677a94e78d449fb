//go:build synctests

package sim

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// link is what one process has to the network. A process that is dead or paused has none that works, and what
// is paused goes on where it was.
type link struct {
	net   *network
	name  string
	mu    sync.Mutex
	conns []*conn
	dead  bool
	pause chan struct{} // closed at the end of a pause; nil: none
	met   bool          // the pause has held something back

	away    time.Time    // until then it reaches no broker
	refused atomic.Bool  // it met a broker that was away
	unheard atomic.Int32 // answers that never came to it
}

// dialTimeout is kgo's own, which a dialer of one's own must keep.
const dialTimeout = 10 * time.Second

// dial is a kgo.Dialer. A dead process hears nothing and is refused nothing: a refusal would be tried again at once.
func (l *link) dial(ctx context.Context, _, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := l.awake(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	away := l.away
	l.mu.Unlock()
	l.net.mu.Lock()
	ln, down, refused := l.net.listeners[host], l.net.down, l.net.refused
	l.net.mu.Unlock()
	if down && refused != nil && ofHongbao(l) {
		refused()
	}
	if ln == nil || down || time.Now().Before(away) {
		l.refused.Store(true)
		t := time.NewTimer(20 * time.Millisecond)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		return nil, errRefused
	}
	there, back := newStream(), newStream()
	client := &conn{link: l, in: back, out: there, client: true, marks: map[uint32]fate{}}
	server := &conn{link: l, in: there, out: back, other: client}
	client.other = server
	l.mu.Lock()
	l.conns = append(slices.DeleteFunc(l.conns, (*conn).broken), client)
	l.mu.Unlock()
	select {
	case ln.conns <- server:
		return client, nil
	case <-ln.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// awake waits while the process is paused, or for ever when it is dead.
func (l *link) awake(ctx context.Context) error {
	for {
		l.mu.Lock()
		wait, dead := l.pause, l.dead
		l.mu.Unlock()
		if dead {
			<-ctx.Done()
			return ctx.Err()
		}
		if wait == nil {
			return nil
		}
		l.holds()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// kill ends the process for everybody else: the broker sees its connections close, it sees nothing.
func (l *link) kill() {
	l.mu.Lock()
	l.dead = true
	conns := l.conns
	l.conns = nil
	wake := l.pause
	l.pause = nil
	l.mu.Unlock()
	if wake != nil {
		close(wake)
	}
	for _, c := range conns {
		c.out.close() // what the broker reads
	}
}

// hold pauses the process; the returned function lets it go on, and says whether something was held back.
func (l *link) hold() (release func() (met bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pause != nil || l.dead {
		return func() bool { return false }
	}
	ch := make(chan struct{})
	l.pause, l.met = ch, false
	return func() bool {
		l.mu.Lock()
		met := l.met
		if l.pause != ch { // it was killed
			l.mu.Unlock()
			return met
		}
		l.pause = nil
		conns := slices.Clone(l.conns)
		l.mu.Unlock()
		close(ch)
		for _, c := range conns {
			c.in.wake()
			c.out.wake()
		}
		return met
	}
}

// holds notes that the pause holds something back.
func (l *link) holds() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.met = l.met || l.pause != nil
}

// cutOff keeps the process from all brokers for d.
func (l *link) cutOff(d time.Duration) {
	if d == 0 {
		return
	}
	l.mu.Lock()
	l.away = time.Now().Add(d)
	l.mu.Unlock()
	l.cutAll()
}

// cutAll breaks every connection of the process, and says whether one was open.
func (l *link) cutAll() (some bool) {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for _, c := range conns {
		some = some || !c.broken()
		_ = c.Close()
	}
	return some
}

func (l *link) state() (paused, dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pause != nil, l.dead
}
