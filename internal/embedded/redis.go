package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// expiryTick is how late a key may expire. miniredis looks at every key then; its own clock would
// do so at every command.
const expiryTick = 5 * time.Second

// redis is a miniredis that passes for a Redis in the two things it leaves out: its keys expire as
// time goes by, and it has a run id, by which rule X10 notices that a Redis is another one than before.
type redis struct {
	mini    *miniredis.Miniredis
	addr    string
	closing chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func startRedis(listen string, tick time.Duration) (*redis, error) {
	var id [20]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("embedded: make a run id for Redis: %w", err)
	}
	mini := miniredis.NewMiniRedis()
	if err := mini.StartAddr(listen); err != nil {
		return nil, fmt.Errorf("embedded: start Redis on %s: %w", listen, err)
	}
	mini.Server().SetPreHook(answerInfoServer(hex.EncodeToString(id[:])))
	r := &redis{mini: mini, addr: mini.Addr(), closing: make(chan struct{}), closed: make(chan struct{})}
	go r.expire(tick)
	return r, nil
}

// expire lets the time that has gone by count for the keys, until close.
func (r *redis) expire(tick time.Duration) {
	defer close(r.closed)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-r.closing:
			return
		case <-ticker.C:
			now := time.Now()
			r.mini.FastForward(now.Sub(last))
			last = now
		}
	}
}

// answerInfoServer answers INFO server, a section that miniredis refuses.
func answerInfoServer(runID string) server.Hook {
	section := "# Server\r\nredis_version:7.4.0\r\nredis_mode:standalone\r\nrun_id:" + runID + "\r\n"
	return func(peer *server.Peer, cmd string, args ...string) bool {
		if !strings.EqualFold(cmd, "INFO") || len(args) != 1 || !strings.EqualFold(args[0], "server") {
			return false
		}
		peer.WriteBulk(section)
		return true
	}
}

func (r *redis) close() {
	r.once.Do(func() { close(r.closing) })
	<-r.closed
	r.mini.Close()
}
