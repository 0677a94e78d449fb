package admission

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// Redis down: Admit waits, loses nothing, admits nothing blindly, and is answered when Redis is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		log := newLines()
		g := newGate(t, at, withLog(log))
		os := ownAll(g)
		ready(t, os)
		want(t, admit(t, os[0], join(1, 10, 1)), "y-")
		log.await(t, "admission: ready")
		at.down()
		log.await(t, "admission: down")
		if s := g.Status(); s.State != Down || !strings.HasPrefix(s.Sentence, "redis down since ") {
			t.Errorf("%+v", s)
		}
		// One gives up, one waits.
		ctx, cancel := context.WithCancel(context.Background())
		gone, patient := make(chan error, 1), make(chan string, 1)
		go func() { gone <- os[2].Admit(ctx, []Ask{join(5, 12, 1)}, make([]Answer, 1)) }()
		go func() { patient <- admit(t, os[1], join(1, 11, 1), join(2, 11, 2), link(3, 3)) }()
		for g.Stats().Waiting != 4 {
			await(t, g)
		}
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := g.Stats().Waiting; n != 3 {
			t.Errorf("%d asks wait, want 3", n)
		}
		os[0].Release([]Release{undo(join(1, 10, 1))})
		at.up()
		want(t, <-patient, "n- y- -y")
		log.await(t, "admission: ready")
		if err := g.Flush(timeout(t)); err != nil {
			t.Error(err)
		}
		want(t, admit(t, os[2], join(1, 12, 7), join(5, 12, 1)), "y- y-")
		for {
			select {
			case m := <-log.ch:
				t.Errorf("a log line too many: %q", m)
			default:
				return
			}
		}
	})
}

// A gate that starts while Redis is down waits for it.
func TestStartsDown(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		at.down()
		log := newLines()
		os := ownAll(newGate(t, at, withLog(log)))
		log.await(t, "admission: down")
		at.up()
		ready(t, os)
		want(t, admit(t, os[0], join(1, 10, 1)), "y-")
	})
}

// An answer may be lost on the way: the ask is made again and gets the same one.
func TestReplyLost(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		p, ok := at.(interface{ lose(n int) })
		if !ok {
			t.Skip("there is no reply to lose")
		}
		g := newGate(t, at, func(c *Config) { c.Poll = time.Hour })
		os := ownAll(g)
		ready(t, os)
		p.lose(3)
		want(t, admit(t, os[0], join(1, 10, 1), link(2, 2), seed(3, 3)), "y- -y yy")
		if s := g.Stats(); s.Failures != 3 {
			t.Errorf("%d replies were lost, want 3", s.Failures)
		}
		p.lose(1)
		os[0].Release([]Release{undo(join(1, 10, 1))})
		if err := g.Flush(timeout(t)); err != nil {
			t.Error(err)
		}
		want(t, admit(t, os[1], join(1, 11, 1), link(2, 3), link(2, 4), link(2, 5), link(2, 6), link(2, 7)), "y- -y -y -y -y -n")
	})
}

// A full release queue drops and counts.
func TestReleaseBound(t *testing.T) {
	t.Parallel()
	m := NewMemory(nil)
	g := newGate(t, &memorySite{m: m}, nil)
	o := ownAll(g)[0]
	m.SetDown(true)
	o.Release(make([]Release, 5)) // wants nothing
	rs := make([]Release, releaseMax)
	for i := range rs {
		rs[i] = undo(join(int64(i+1), 1, 1))
	}
	o.Release(rs)
	o.Release(rs[:3])
	if n := g.Stats().Dropped; n != 3 {
		t.Errorf("dropped %d, want 3", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := g.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
