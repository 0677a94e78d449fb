package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// proxy stands before Redis. While it is faulty, a request that touches the issuer's answers is passed on and its answer is not: Redis has
// issued, and the caller does not know.
type proxy struct {
	listener net.Listener
	redis    string
	faulty   atomic.Bool
	cuts     atomic.Int64
	done     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// answersMark is in every key of the issuer's answers (fsm/keys.go).
var answersMark = []byte("}:i:a:")

func startProxy(redis string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, redis: redis, conns: map[net.Conn]bool{}}
	p.done.Go(p.accept)
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.redis) //nolint:noctx // as above
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		p.done.Go(func() { p.pass(in, out) })
	}
}

// pass carries one connection until either side ends it.
func (p *proxy) pass(in, out net.Conn) {
	var mute atomic.Bool
	var back sync.WaitGroup
	back.Go(func() {
		defer in.Close()  //nolint:errcheck // it may be closed already
		defer out.Close() //nolint:errcheck // as above
		buf := make([]byte, 64<<10)
		for {
			n, err := out.Read(buf)
			if n > 0 && mute.Load() {
				p.cuts.Add(1)
				return
			}
			if _, werr := in.Write(buf[:n]); werr != nil || err != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		if p.faulty.Load() && bytes.Contains(buf[:n], answersMark) {
			mute.Store(true)
		}
		if _, werr := out.Write(buf[:n]); werr != nil || err != nil {
			break
		}
	}
	_ = in.Close()
	_ = out.Close()
	back.Wait()
	p.mu.Lock()
	delete(p.conns, in)
	delete(p.conns, out)
	p.mu.Unlock()
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.done.Wait()
}

// flush empties Redis.
func flush(redis string) error {
	c, err := net.Dial("tcp", redis) //nolint:noctx // loopback
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // read to its end
	if _, err := io.WriteString(c, "*1\r\n$8\r\nFLUSHALL\r\n"); err != nil {
		return err
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "+OK\r\n" {
		return fmt.Errorf("FLUSHALL was answered %q: %w", answer, err)
	}
	return nil
}
